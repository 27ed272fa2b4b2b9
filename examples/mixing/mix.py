"""Alanine dipeptide in implicit solvent: dynamics and flow moves in one Simulation.

    python mix.py [--steps N] [--frequency N] [--platform NAME] [-o FOLDER] [--resume]

The System and the integrator are those of any script; two lines add the moves and their statistics. Everything else
of OpenMM goes on working: minimisation, reporters, checkpoints. A run that was stopped goes on with --resume.
"""

import argparse
import pathlib

import numpy as np
import openmm
from openmm import app, unit

import openmmflow
from dipeptide import TEMPERATURE, load, report_populations


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--frequency", type=int, default=500, help="steps between moves (default: 500)")
    parser.add_argument("--platform", default="CPU", help="OpenMM platform (default: CPU)")
    parser.add_argument("-o", "--output", type=pathlib.Path, default="out-mix", help="folder of the results")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in that folder")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    system, pdb, flow = load("obc1")

    move = openmmflow.MonteCarloFlowMove(flow, TEMPERATURE * unit.kelvin, frequency=arguments.frequency)
    move.setRandomNumberSeed(1)
    system.addForce(move)

    integrator = openmm.LangevinMiddleIntegrator(
        TEMPERATURE * unit.kelvin, 1 / unit.picosecond, 1 * unit.femtosecond
    )
    integrator.setRandomNumberSeed(1)
    platform = openmm.Platform.getPlatform(arguments.platform)
    simulation = app.Simulation(pdb.topology, system, integrator, platform)
    checkpoint = arguments.output / "checkpoint.bin"
    if arguments.resume:
        simulation.loadCheckpoint(str(checkpoint))
    else:
        simulation.context.setPositions(pdb.positions)
        simulation.minimizeEnergy()
        simulation.context.setVelocitiesToTemperature(TEMPERATURE * unit.kelvin, 1)

    interval, append = 10 * arguments.frequency, arguments.resume
    simulation.reporters += [
        openmmflow.FlowMoveReporter(arguments.output / "moves.csv", interval, append=append),
        app.StateDataReporter(
            str(arguments.output / "state.csv"),
            interval,
            step=True,
            potentialEnergy=True,
            temperature=True,
            speed=True,
            append=append,
        ),
        app.DCDReporter(str(arguments.output / "trajectory.dcd"), arguments.frequency, append=append),
        app.CheckpointReporter(str(checkpoint), interval),
    ]
    frames = []
    while simulation.currentStep < arguments.steps:
        simulation.step(min(arguments.frequency, arguments.steps - simulation.currentStep))
        state = simulation.context.getState(positions=True)
        frames.append(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    simulation.saveCheckpoint(str(checkpoint))
    print(move.getStatistics(simulation.context))
    if frames:
        report_populations(np.array(frames), "obc1")


if __name__ == "__main__":
    main()
