"""Hydrogen peroxide, whose energy is separable, and frames of it."""

import numpy as np
import openmm
import peroxide
import pytest
from click.testing import CliRunner
from openmm import app

import openmmflow
from openmmflow.commands import main

CONFIGURATION = """
system: system.xml
topology: topology.pdb
temperature: 300
data: data.npz
output: trained.safetensors
flow: {couplings: 4, hidden: 24, blocks: 1}
training: {batch_size: 128, max_samples: 60000, learning_rate: 3.0e-3, threads: 1, target_samples: 500}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with system.xml, topology.pdb and weighted frames in data.npz."""
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(peroxide.make_system()))
    with open(tmp_path / "topology.pdb", "w") as file:
        app.PDBFile.writeFile(peroxide.make_topology(), peroxide.make_positions(1)[0] * 10, file)
    positions = peroxide.make_positions(6000, seed=2)
    np.savez(tmp_path / "data.npz", positions=positions, weights=torsion_weights(positions))
    return tmp_path


@pytest.fixture
def run():
    """`openmm-flow train`, without its page, as a function of its arguments."""
    return lambda *arguments: CliRunner().invoke(main, ["train", "--no-report", *map(str, arguments)])


@pytest.fixture
def expect_target(folder):
    """A function that returns the flow in the folder, once its samples are seen to be effective and their log Z right."""

    def expect(effective):
        flow = openmmflow.Flow.load(folder / "trained.safetensors")
        ensemble = openmmflow.FlowSampler(peroxide.make_system(), flow, 300, "Reference").sample(4000, seed=5)
        assert ensemble.effective_sample_fraction > effective
        log_z, error = ensemble.log_partition_function
        assert abs(log_z - peroxide.log_partition_function()) < 4 * error
        return flow

    return expect


@pytest.fixture
def config(folder):
    """A configuration file in the folder."""
    path = folder / "train.yaml"
    path.write_text(CONFIGURATION)
    return path


def torsion_weights(positions):
    """The Boltzmann weights of the torsion, which make_positions() draws uniformly."""
    a, b, c = (positions[:, i + 1] - positions[:, i] for i in range(3))
    p, q = np.cross(a, b), np.cross(b, c)
    length = np.linalg.norm(b, axis=1)
    phi = np.arctan2(np.einsum("ij,ij->i", np.cross(p, q), b) / length, np.einsum("ij,ij->i", p, q))
    n, phase, k = peroxide.TORSION
    return np.exp(-k / peroxide.KT * (1 + np.cos(n * phi - phase)))
