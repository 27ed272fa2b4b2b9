"""A flow for a part of the System: alanine dipeptide in compressed argon, at constant pressure.

    python gas.py [--steps N] [--platform NAME]

The flow knows the 22 atoms of the molecule in vacuum. A move replaces their configuration, where the molecule is, and
leaves the argon alone; the energy of everything decides. A MonteCarloBarostat changes the box in between. How often a
move is accepted tells how far the surroundings let a molecule change its shape at once: in this gas, often; in a liquid,
hardly ever.
"""

import argparse

import numpy as np
import openmm
from openmm import app, unit

import openmmflow
from dipeptide import TEMPERATURE, count, load, report_populations

PRESSURE = 50 * unit.bar
NUM_ARGON = 150
BOX = 5.0
CUTOFF = 1.4
FREQUENCY = 200


def add_argon(system, topology, positions):
    """Add argon to a System and a Topology on a lattice, but where the molecule is; return all positions in nm."""
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    chain = topology.addChain()
    argon = app.Element.getBySymbol("Ar")
    molecule = np.array(positions.value_in_unit(unit.nanometer))
    molecule += BOX / 2 - molecule.mean(axis=0)
    places = BOX / 6 * (0.5 + np.indices((6, 6, 6)).reshape(3, -1).T)
    distances = np.linalg.norm(places[:, None] - molecule[None], axis=2).min(axis=1)
    places = places[distances > 0.4][:NUM_ARGON]
    for _ in places:
        topology.addAtom("Ar", argon, topology.addResidue("Ar", chain))
        system.addParticle(argon.mass)
        # Michels, Wijker and Wijker, Physica 15, 627 (1949).
        nonbonded.addParticle(0, 0.3405, 0.996)
    return np.concatenate([molecule, places])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=count, default=100_000)
    parser.add_argument("--platform", default="CPU", help="OpenMM platform (default: CPU)")
    arguments = parser.parse_args()
    if arguments.steps < 2 * FREQUENCY:
        parser.error(f"--steps must be {2 * FREQUENCY} or more, for two moves")

    system, pdb, flow = load("vacuum")
    topology = pdb.topology
    positions = add_argon(system, topology, pdb.positions)
    system.setDefaultPeriodicBoxVectors(*(BOX * np.eye(3)))
    topology.setPeriodicBoxVectors(BOX * np.eye(3) * unit.nanometer)
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    nonbonded.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    nonbonded.setCutoffDistance(CUTOFF)
    # A gas hardly screens charges.
    nonbonded.setReactionFieldDielectric(1)
    system.addForce(openmm.MonteCarloBarostat(PRESSURE, TEMPERATURE * unit.kelvin, 50))
    system.addForce(openmm.CMMotionRemover())

    move = openmmflow.MonteCarloFlowMove(
        flow, TEMPERATURE * unit.kelvin, frequency=FREQUENCY, particles=range(22)
    )
    system.addForce(move)

    integrator = openmm.LangevinMiddleIntegrator(
        TEMPERATURE * unit.kelvin, 1 / unit.picosecond, 1 * unit.femtosecond
    )
    platform = openmm.Platform.getPlatform(arguments.platform)
    simulation = app.Simulation(topology, system, integrator, platform)
    simulation.context.setPositions(positions)
    simulation.minimizeEnergy()
    simulation.context.setVelocitiesToTemperature(TEMPERATURE * unit.kelvin)

    frames, volumes = [], []
    for _ in range(arguments.steps // FREQUENCY):
        simulation.step(FREQUENCY)
        state = simulation.context.getState(positions=True)
        frames.append(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)[:22])
        volumes.append(state.getPeriodicBoxVolume().value_in_unit(unit.nanometer**3))
    print(move.getStatistics(simulation.context))
    print(f"volume {np.mean(volumes):.1f} nm^3")
    report_populations(np.array(frames), "vacuum")


if __name__ == "__main__":
    main()
