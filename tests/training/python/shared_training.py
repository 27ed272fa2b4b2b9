#!/usr/bin/env python
"""Short runs of training that one process or several share, by name.

RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python shared_training.py FOLDER NAME...

writes the flow of each run, or the sentence why there is none, into FOLDER, in files named after the run and the rank.
"""

import os
import signal
import sys
from pathlib import Path

import openmm
import peroxide
from openmm import OpenMMException

import openmmflow
from openmmflow.training import FlowTrainer, FlowTrainerOptions

RANK = int(os.environ.get("RANK", 0))


def make_flow():
    return openmmflow.createInternalFlow(
        peroxide.make_topology(), peroxide.make_positions(1)[0], couplings=2, hidden=16, blocks=1
    )


def make_augmented_flow():
    sizes = {"layers": 2, "blocks": 1, "attention_heads": 2, "key_size": 3, "hidden": 8, "head_hidden": 8}
    scales = {"augmented_scale": 0.02, "base_scale": 0.05, "length_unit": 0.1}
    return openmmflow.createAugmentedCouplingFlow([0, 1, 1, 0], [(0, 1), (1, 2), (2, 3)], **sizes, **scales)


def make_trainer(flow=None, **settings):
    """Return a FlowTrainer with a target, and batches that two processes cannot share equally."""
    options = {"batchSize": 65, "maxSamples": 65 * 40, "validationInterval": 10, "targetSamples": 301}
    options |= {
        "precision": "double",
        "threads": 1,
        "checkpointInterval": 0,
        "warmupSteps": 5,
        "forceClipFactor": 1.5,
    }
    trainer = FlowTrainer(flow or make_flow(), FlowTrainerOptions(**(options | settings)))
    trainer.setTarget(make_system(), 300)
    return trainer


def make_system():
    """Return a System that has no energy at some torsions, so that processes lose unequal numbers of proposals."""
    system = peroxide.make_system()
    gap = openmm.CustomTorsionForce("sqrt(cos(theta)+0.8)")
    gap.addTorsion(0, 1, 2, 3)
    system.addForce(gap)
    return system


def energy(folder, **settings):
    return make_trainer(**settings).trainOnEnergy()


def buffered(objective, **settings):
    """Return a run that keeps samples, in numbers that two processes cannot share equally."""
    settings |= {"objective": objective, "bufferSize": 601, "stageSteps": 9, "pathGradientShare": 0.3}
    return lambda folder: energy(folder, **settings)


def data(folder, **settings):
    return make_trainer(**settings).train(peroxide.make_positions(333, seed=2))


def resumed(folder):
    return make_trainer().trainOnEnergy(checkpoint=folder / "checkpoint")


def stopped(folder):
    """Stop in the last process."""
    return make_trainer().trainOnEnergy(lambda report: RANK == 0 or report.step < 20, folder / "checkpoint")


def in_the_middle(act):
    """Return a run in the last process of which something happens."""
    return lambda folder: make_trainer().trainOnEnergy(lambda report: RANK == 0 or report.step < 20 or act())


RUNS = {
    "energy": energy,
    "energy in single precision": lambda folder: energy(folder, precision="single"),
    # Of which a process may have none with an energy.
    "energy of few proposals": lambda folder: energy(folder, batchSize=3, maxSamples=120),
    "energy with SOAP": lambda folder: energy(folder, optimizer="soap", threads=0),
    "annealed importance": buffered("annealed-importance"),
    "mass transport with forces": buffered("mass-transport", pathGradients=True),
    "bootstrap": buffered("bootstrap", annealingDensities=2, leapfrogSteps=2, bootstrapInterval=7),
    "data": data,
    "data with forces": lambda folder: data(folder, pathGradients=True),
    "data of an augmented flow": lambda folder: data(folder, flow=make_augmented_flow()),
    "stopped": stopped,
    "resumed": resumed,
    "other seeds": lambda folder: energy(folder, seed=RANK),
    "too few samples": lambda folder: energy(folder, batchSize=1),
    "dies": in_the_middle(lambda: os._exit(9)),
    "hangs": in_the_middle(lambda: os.kill(os.getpid(), signal.SIGSTOP)),
}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        try:
            RUNS[name](folder).save(folder / f"{name}.{RANK}")
        except OpenMMException as error:
            (folder / f"{name}.{RANK}.error").write_text(str(error))
