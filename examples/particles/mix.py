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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

import openmmflow
from make_system import EXAMPLES, TEMPERATURE

FREQUENCY = 20
FRICTION = 1.0  # 1/ps


@dataclass
class Example:
    """A System with a trained flow; `mass` in dalton and steps in ps are those of the flow's own dynamics."""

    folder: Path
    flow: str
    temperature: float
    step: float
    flow_step: float
    mass: float = 1.0


PARTICLES = "flow-small.safetensors", TEMPERATURE
EXAMPLE = {
    "dw4": Example(EXAMPLES / "dw4", *PARTICLES, step=0.02, flow_step=0.02),
    "lj13": Example(EXAMPLES / "lj13", *PARTICLES, step=0.01, flow_step=0.01),
    "alanine-dipeptide": Example(
        EXAMPLES / "alanine-dipeptide" / "vacuum",
        "flow-equivariant-small.safetensors",
        300,
        step=0.0005,
        flow_step=0.0005,
        mass=12.0,
    ),
}


def load(example):
    """Return the System, its topology with positions, and the Flow."""
    pdb = app.PDBFile(str(example.folder / "topology.pdb"))
    system = openmm.XmlSerializer.deserialize((example.folder / "system.xml").read_text())
    return system, pdb, openmmflow.Flow.load(example.folder / example.flow)


def describe(values):
    """Return the mean and its standard error, from 20 blocks."""
    blocks = np.array([block.mean() for block in np.array_split(np.asarray(values), 20)])
    return f"{np.mean(values):.4g} +- {blocks.std(ddof=1) / np.sqrt(len(blocks)):.2g}"


def run_moves(example, system, pdb, flow, steps, platform):
    """Dynamics with moves; print the mean energy and the statistics of moves."""
    move = openmmflow.MonteCarloFlowMove(flow, example.temperature, frequency=FREQUENCY)
    system.addForce(move)
    integrator = openmm.LangevinMiddleIntegrator(example.temperature, FRICTION, example.step)
    integrator.setRandomNumberSeed(1)
    simulation = app.Simulation(pdb.topology, system, integrator, platform)
    simulation.context.setPositions(pdb.positions)
    simulation.context.setVelocitiesToTemperature(example.temperature, 1)
    simulation.step(steps // 5)
    energies = []
    for _ in range(steps // FREQUENCY):
        simulation.step(FREQUENCY)
        energy = simulation.context.getState(energy=True).getPotentialEnergy()
        energies.append(energy.value_in_unit(unit.kilojoule_per_mole))
    print(f"dynamics and moves: mean energy {describe(energies)} kJ/mol")
    print(move.getStatistics(simulation.context))


def run_flow(example, flow, trajectories, steps, platform):
    """Dynamics of the flow's own ensemble, from samples of it; print the mean square distance from the centre."""
    N = flow.num_particles
    system = openmm.System()
    for _ in range(N):
        system.addParticle(example.mass)
    particles = list(range(N))
    augmented = openmmflow.AugmentedParticles.addTo(
        system, flow, particles, example.temperature, mass=example.mass
    )
    system.addForce(openmmflow.BoltzmannGeneratorForce(flow, particles + augmented, example.temperature))
    integrator = openmm.LangevinMiddleIntegrator(example.temperature, FRICTION, example.flow_step)
    integrator.setRandomNumberSeed(2)
    context = openmm.Context(system, integrator, platform)
    # The flow binds the augmented particles to the others. The Force that does so otherwise is for when the flow fades out.
    context.setParameter(openmmflow.AugmentedParticles.Scale(), 0)
    starts, _ = openmmflow.FlowContext(flow).sampleJoint(trajectories, seed=1)
    ends = []
    for k, start in enumerate(starts):
        context.setPositions(start)
        context.setVelocitiesToTemperature(example.temperature, k + 1)
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
    parser.add_argument("name", choices=EXAMPLE)
    parser.add_argument("--steps", type=int, default=20_000, help="of dynamics with moves")
    parser.add_argument(
        "--flow-steps", type=int, default=20, help="of each trajectory of the flow as a Force"
    )
    parser.add_argument("--trajectories", type=int, default=100, help="of the flow as a Force")
    parser.add_argument("--proposals", type=int, default=20_000)
    parser.add_argument("--platform", default="CPU", help="OpenMM platform (default: CPU)")
    arguments = parser.parse_args()
    if arguments.steps < 20 * FREQUENCY or arguments.trajectories < 20:
        parser.error(
            f"--steps must be {20 * FREQUENCY} or more, and --trajectories 20: errors are from 20 blocks"
        )
    example = EXAMPLE[arguments.name]
    platform = openmm.Platform.getPlatform(arguments.platform)
    system, pdb, flow = load(example)
    ensemble = openmmflow.FlowSampler(system, flow, example.temperature).sample(arguments.proposals, seed=3)
    print(
        f"proposals: {100 * ensemble.effective_sample_fraction:.2g} % effective, Pareto k {ensemble.pareto_k:.2f}"
    )
    kT = (unit.MOLAR_GAS_CONSTANT_R * example.temperature * unit.kelvin).value_in_unit(
        unit.kilojoule_per_mole
    )
    mean, error = ensemble.expectation(kT * ensemble.reduced_potentials)
    print(f"  reweighted mean energy {mean:.4g} +- {error:.2g} kJ/mol")
    run_moves(example, system, pdb, flow, arguments.steps, platform)
    run_flow(example, flow, arguments.trajectories, arguments.flow_steps, platform)


if __name__ == "__main__":
    main()
