"""What the scripts beside this one share: the files of alanine dipeptide, and the populations of its states."""

import argparse
import json
import pathlib
import sys

import numpy as np
import openmm
from openmm import app

import openmmflow

DIPEPTIDE = pathlib.Path(__file__).resolve().parent.parent / "alanine-dipeptide"
sys.path.append(str(DIPEPTIDE))

import states  # noqa: E402

TEMPERATURE = 300.0
BLOCKS = 20


def count(text):
    """Return a positive whole number from the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def load(environment, flow="flow.safetensors"):
    """Return the System, the PDBFile and the Flow (of that file) of an environment, "vacuum" or "obc1"."""
    folder = DIPEPTIDE / environment
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    return (
        system,
        app.PDBFile(str(folder / "topology.pdb")),
        openmmflow.Flow.load(folder / flow),
    )


def report_populations(positions, environment):
    """Print the populations of the states along a chain, (frames, 22, 3), beside those of the replica exchange.

    Errors come from blocks of the chain.
    """
    with open(DIPEPTIDE / environment / "reference.json") as file:
        reference = json.load(file)["states"]
    assigned = states.assign(positions)
    blocks = states.make_blocks(np.zeros(len(positions), dtype=int), min(BLOCKS, len(positions)))
    print(f"state    population           replica exchange, {environment}")
    for index, name in enumerate(states.STATES):
        value, error = states.mean((assigned == index).astype(float), blocks)
        expected = reference[name]
        print(
            f"{name:7s} {value:8.5f} +- {error:7.5f} {expected['population']:8.5f} +- {expected['population_error']:7.5f}"
        )
    phi = states.torsions(positions, states.PHI)
    print(f"phi changed its sign {np.count_nonzero(np.diff(phi > 0))} times.")
