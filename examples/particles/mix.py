"""An equivariant flow in a Simulation: as exact moves, and as a potential energy.

    python mix.py lj13 [--steps N] [--platform NAME]

Runs Langevin dynamics with a MonteCarloFlowMove every FREQUENCY steps, which draws the augmented particles by itself,
and compares the mean energy with that of reweighted proposals. Then it simulates the flow alone as a
BoltzmannGeneratorForce, whose augmented particles are particles of the System, in short trajectories that start from its
samples, and compares the mean square distance from the centre at their ends with that of other samples. Errors of the mean
energy are from blocks of one trajectory, which are correlated where a flow is seldom accepted.
"""

import argparse
import json

import numpy as np
import openmm
from openmm import app, unit

import openmmflow
from make_system import EXAMPLES, TEMPERATURE

FREQUENCY = 20
TRAJECTORIES = 100  # of the flow as a Force
STEP_SIZES = {"dw4": 0.02, "lj13": 0.01}  # ps
FRICTION = 1.0  # 1/ps


def load(name):
    """Return the System, positions and Flow."""
    path = EXAMPLES / name
    pdb = app.PDBFile(str(path / "topology.pdb"))
    system = openmm.XmlSerializer.deserialize((path / "system.xml").read_text())
    return system, pdb.positions, openmmflow.Flow.load(path / "flow-small.safetensors")


def describe(values):
    """Return the mean and its standard error, from 20 blocks."""
    blocks = np.array([block.mean() for block in np.array_split(np.asarray(values), 20)])
    return f"{np.mean(values):.4g} +- {blocks.std(ddof=1) / np.sqrt(len(blocks)):.2g}"


def make_context(name, system, platform):
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, FRICTION, STEP_SIZES[name])
    return openmm.Context(system, integrator, openmm.Platform.getPlatform(platform)), integrator


def run_moves(name, steps, platform):
    """Dynamics with moves; print the mean energy and the statistics of moves."""
    system, positions, flow = load(name)
    move = openmmflow.MonteCarloFlowMove(flow, TEMPERATURE, frequency=FREQUENCY)
    system.addForce(move)
    context, integrator = make_context(name, system, platform)
    context.setPositions(positions)
    context.setVelocitiesToTemperature(TEMPERATURE, 1)
    integrator.step(steps // 5)
    energies = []
    for _ in range(steps // FREQUENCY):
        integrator.step(FREQUENCY)
        energy = context.getState(energy=True).getPotentialEnergy()
        energies.append(energy.value_in_unit(unit.kilojoule_per_mole))
    print(f"dynamics and moves: mean energy {describe(energies)} kJ/mol")
    print(move.getStatistics(context))


def run_flow(name, steps, platform):
    """Dynamics of the flow's own ensemble, from samples of it; print the mean square distance from the centre."""
    _, _, flow = load(name)
    N = flow.num_particles
    system = openmm.System()
    for _ in range(N):
        system.addParticle(1.0)
    particles = list(range(N))
    augmented = openmmflow.AugmentedParticles.addTo(system, flow, particles, TEMPERATURE, mass=1.0)
    system.addForce(openmmflow.BoltzmannGeneratorForce(flow, particles + augmented, TEMPERATURE))
    context, integrator = make_context(name, system, platform)
    # The flow binds the augmented particles to the others. The Force that does so otherwise is for when the flow fades out.
    context.setParameter(openmmflow.AugmentedParticles.Scale(), 0)
    starts, _ = openmmflow.FlowContext(flow).sampleJoint(TRAJECTORIES, seed=1)
    ends = []
    for k, start in enumerate(starts):
        context.setPositions(start)
        context.setVelocitiesToTemperature(TEMPERATURE, k + 1)
        integrator.step(steps)
        ends.append(
            context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)[:N]
        )
    samples, _ = openmmflow.FlowContext(flow).sample(4000, seed=2)
    print(
        f"the flow as a Force: mean square distance from the centre {describe(measure(np.array(ends), flow))} nm^2"
    )
    print(f"  of its samples   {describe(measure(samples, flow))} nm^2")


def measure(positions, flow):
    """Return the mean square distance from the centre, (frames,), in the dimensions that the flow has."""
    x = positions[..., : json.loads(flow.configuration)["dimensions"]]
    x = x - x.mean(axis=1, keepdims=True)
    return (x**2).sum(axis=2).mean(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=STEP_SIZES)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--platform", default="CPU", help="OpenMM platform (default: CPU)")
    arguments = parser.parse_args()
    if arguments.steps < 20 * FREQUENCY:
        parser.error(f"--steps must be {20 * FREQUENCY} or more")
    system, _, flow = load(arguments.name)
    ensemble = openmmflow.FlowSampler(system, flow, TEMPERATURE).sample(20_000, seed=3)
    print(
        f"proposals: {100 * ensemble.effective_sample_fraction:.2g} % effective, Pareto k {ensemble.pareto_k:.2f}"
    )
    kT = (unit.MOLAR_GAS_CONSTANT_R * TEMPERATURE * unit.kelvin).value_in_unit(unit.kilojoule_per_mole)
    mean, error = ensemble.expectation(kT * ensemble.reduced_potentials)
    print(f"  reweighted mean energy {mean:.4g} +- {error:.2g} kJ/mol")
    run_moves(arguments.name, arguments.steps, arguments.platform)
    run_flow(arguments.name, arguments.steps // 400, arguments.platform)


if __name__ == "__main__":
    main()
