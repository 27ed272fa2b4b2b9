"""Short dynamics about the reference conformation: what a flow takes its coordinates' centres and scales from
when there are no data."""

import numpy as np
import openmm
from openmm import OpenMMException, unit

import openmmflow
from openmmflow.commands.simulation import minimise

REPLICAS, FRAMES, INTERVAL = 64, 20, 50
EQUILIBRATION = 1000  # steps
STEP, FRICTION = 0.0005, 20  # ps, 1/ps


def run_local_dynamics(system, reference, temperature, threads):
    """Return configurations (REPLICAS*FRAMES, N, 3) in nm, the same in every run on a machine, and how many energies
    that took, but for those of one minimisation.

    They are no sample of the Boltzmann distribution: a few picoseconds tell how far bonds and angles move, and cross
    no barrier.
    """
    system = openmm.XmlSerializer.clone(system)
    start = minimise(system, reference).value_in_unit(unit.nanometer)
    potential = openmmflow.BatchedPotential(system, properties={"Threads": threads} if threads > 0 else {})
    integrator = openmmflow.BatchedLangevinMiddleIntegrator(
        system, potential, np.full(REPLICAS, temperature), FRICTION, STEP, seed=1
    )
    integrator.setPositions(start)
    integrator.step(EQUILIBRATION)
    frames = []
    for _ in range(FRAMES):
        integrator.step(INTERVAL)
        frames.append(integrator.getPositions())
    frames = np.concatenate(frames)
    if not np.isfinite(frames).all():
        raise OpenMMException(
            "Dynamics from the positions of the topology file breaks down: check that they fit the System."
        )
    return frames, REPLICAS * (EQUILIBRATION + FRAMES * INTERVAL)
