"""Alanine dipeptide in implicit solvent: dynamics and flow moves in one Simulation.

    python mix.py [--steps N] [--frequency N] [--platform NAME] [-o FOLDER] [--resume]

The System and the integrator are those of any script; two lines add the moves and their statistics. Everything else
of OpenMM goes on working: minimisation, reporters, checkpoints. A run that was stopped or killed goes on with --resume as if
it had not been; only the counts in moves.csv, and what is printed at the end, begin anew, and the last frame is there twice
if it was killed between writing that and the checkpoint.
"""

import argparse
import os
import pathlib

import numpy as np
import openmm
from openmm import app, unit

import openmmflow
from dipeptide import TEMPERATURE, count, load, report_populations

CHECKPOINT = "checkpoint.bin"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=count, default=200_000)
    parser.add_argument("--frequency", type=count, default=500, help="steps between moves (default: 500)")
    parser.add_argument("--platform", default="CPU", help="OpenMM platform (default: CPU)")
    parser.add_argument("-o", "--output", type=pathlib.Path, default="out-mix", help="folder of the results")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in that folder")
    arguments = parser.parse_args()
    if arguments.resume and not (arguments.output / CHECKPOINT).exists():
        parser.error(f"there is no {CHECKPOINT} in {arguments.output} to go on from")
    return arguments


def save_checkpoint(simulation, path):
    """Save a checkpoint under a temporary name first, so that a run that is killed leaves the last one whole."""
    simulation.saveCheckpoint(f"{path}.partial")
    os.replace(f"{path}.partial", path)


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
    checkpoint = arguments.output / CHECKPOINT
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
    ]
    frames = []
    while simulation.currentStep < arguments.steps:
        simulation.step(min(arguments.frequency, arguments.steps - simulation.currentStep))
        state = simulation.context.getState(positions=True)
        frames.append(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
        save_checkpoint(simulation, checkpoint)
    print(move.getStatistics(simulation.context))
    if frames:
        report_populations(np.array(frames), "obc1")


if __name__ == "__main__":
    main()
