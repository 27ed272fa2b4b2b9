"""Flow moves in a simulation: what they cost, and how many more round trips over a barrier there are with them.

Run by `make bench`. Alanine dipeptide, LangevinMiddle at 300 K, 1/ps and 1 fs, one thread.

The cost is the time that a move after every 500 steps adds, as a share of the time of those steps: the median of
interleaved rounds, and its quartiles. A round is one block of proposals long, which a move draws ahead for itself and
those after it, so that each round pays for all of them. In vacuum, where steps are cheap, there is a small flow
besides. In OBC1, where they are not, a move is timed between fewer steps, and its share of 500 computed from that.

A round trip goes from phi < 0 to phi > 0 (C7ax) and back; either side counts as reached in its core only, so that a
torsion which dithers at the border, or goes by way of 180 degrees, is no trip. In equilibrium as many trajectories leave
C7ax as enter it, so there are p k round trips in a step, with p the population of C7ax (of the replica exchange beside the
flow) and k the probability of leaving it in a step. With dynamics alone k comes from thousands of replicas that start in
C7ax, times the steps/s of a Context; with moves, after every 50 steps here, round trips are counted in a chain of moves,
times the moves/s of a Context with both.
"""

import argparse
import json
import os
import sys
import time

import numpy as np
import openmm
from openmm import unit

import openmmflow

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../examples/mixing"))

from dipeptide import DIPEPTIDE, TEMPERATURE, load, states  # noqa: E402

FRICTION, STEP_SIZE = 1.0, 0.001
FREQUENCY, FREQUENCY_OF_TRIPS = 500, 50
# The number of proposals that a move draws ahead, PROPOSED_BLOCK in openmmapi/src/FlowProposals.cpp.
BLOCK = 64
FLOW, SMALL_FLOW = "flow.safetensors", "flow-small.safetensors"
# The cores of phi < 0 and of C7ax in degrees.
NEGATIVE, POSITIVE = (-150, -50), (30, 110)


def make_context(environment, platform, frequency, flow=FLOW):
    """Return a Context; with moves, by the flow in a file of that name, unless frequency is 0."""
    system, pdb, flow = load(environment, flow)
    move = None
    if frequency > 0:
        move = openmmflow.MonteCarloFlowMove(flow, TEMPERATURE * unit.kelvin, frequency=frequency)
        move.setRandomNumberSeed(1)
        system.addForce(move)
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, FRICTION, STEP_SIZE)
    integrator.setRandomNumberSeed(1)
    properties = {"Threads": "1"} if platform == "CPU" else {}
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform), properties)
    context.setPositions(pdb.positions)
    openmm.LocalEnergyMinimizer.minimize(context)
    context.setVelocitiesToTemperature(TEMPERATURE, 1)
    return context, move


def measure_cost(environment, platform, frequency, seconds, flow=FLOW):
    """Return the time of a step without moves, that which a move adds (three quartiles), and the share accepted."""
    plain, _ = make_context(environment, platform, 0)
    mixed, move = make_context(environment, platform, frequency, flow)

    def run(context):
        start = time.perf_counter()
        context.getIntegrator().step(BLOCK * frequency)
        return (time.perf_counter() - start) / BLOCK

    rounds = max(5, round(seconds / BLOCK / (run(plain) + run(mixed))))
    times = np.array([(run(plain), run(mixed)) for _ in range(rounds)])
    return (
        np.median(times[:, 0]) / frequency,
        np.quantile(times[:, 1] - times[:, 0], (0.25, 0.5, 0.75)),
        move.getStatistics(mixed).acceptance,
    )


def find_sides(phi):
    """Return -1, 1, or 0 outside the cores, for phi in rad."""
    degrees = np.degrees(phi)
    sides = np.zeros(phi.shape, dtype=int)
    sides[(degrees > NEGATIVE[0]) & (degrees < NEGATIVE[1])] = -1
    sides[(degrees > POSITIVE[0]) & (degrees < POSITIVE[1])] = 1
    return sides


def measure_escapes(environment, replicas, picoseconds):
    """Return the probability of leaving C7ax in a step of dynamics, and its standard error."""
    system, _, flow = load(environment)
    sampler = openmmflow.FlowSampler(system, flow, TEMPERATURE * unit.kelvin)
    starts, first = [], 0
    while sum(map(len, starts)) < replicas:
        ensemble = sampler.sample(100_000, first=first)
        first += 100_000
        inside = np.flatnonzero(find_sides(states.torsions(ensemble.positions, states.PHI)) == 1)
        weights = np.exp(ensemble.log_weights[inside] - ensemble.log_weights[inside].max())
        chosen = np.random.default_rng(first).random(len(inside)) < weights / np.quantile(weights, 0.98)
        starts.append(ensemble.positions[inside[chosen]])
    positions = np.concatenate(starts)[:replicas]
    potential = openmmflow.BatchedPotential(system)
    integrator = openmmflow.BatchedLangevinMiddleIntegrator(
        system, potential, np.full(replicas, TEMPERATURE), FRICTION, STEP_SIZE, 1
    )
    integrator.setPositions(positions)
    remain, interval = np.ones(replicas, dtype=bool), 50
    half = None
    steps = round(picoseconds / STEP_SIZE)
    for step in range(interval, steps + 1, interval):
        integrator.step(interval)
        sides = find_sides(states.torsions(integrator.getPositions(), states.PHI))
        remain &= sides != -1
        # What happens at first depends on where in C7ax the replicas began.
        if half is None and step >= steps // 4:
            half = remain.sum(), step
    escapes = half[0] - remain.sum()
    rate = np.log(half[0] / remain.sum()) / (steps - half[1])
    return rate, rate / np.sqrt(escapes)


def count_round_trips(environment, moves):
    """Return the number of round trips in a chain of flow moves, with no dynamics between them."""
    system, pdb, flow = load(environment)
    move = openmmflow.MonteCarloFlowMove(flow, TEMPERATURE * unit.kelvin, frequency=1)
    move.setRandomNumberSeed(1)
    system.addForce(move)
    integrator = openmm.CustomIntegrator(STEP_SIZE)
    integrator.addUpdateContextState()
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference"))
    context.setPositions(pdb.positions)
    context.setVelocitiesToTemperature(TEMPERATURE, 1)
    frames = np.empty((moves, system.getNumParticles(), 3))
    for k in range(moves):
        integrator.step(1)
        frames[k] = context.getState(positions=True).getPositions(asNumpy=True)._value
    sides = find_sides(states.torsions(frames, states.PHI))
    visited = sides[sides != 0]
    return np.count_nonzero(np.diff(visited)) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="the time to measure each cost for")
    parser.add_argument("--replicas", type=int, default=1024)
    parser.add_argument("--picoseconds", type=float, default=40)
    parser.add_argument("--moves", type=int, default=40_000, help="the length of the chain of moves")
    options = parser.parse_args()

    print("a move after every 500 steps")
    print(f"{'':30s} steps/s alone  with moves  ms/move    cost  (quartiles)    accepted")
    for environment, platform, flow, frequency in (
        ("vacuum", "Reference", FLOW, FREQUENCY),
        ("vacuum", "Reference", SMALL_FLOW, FREQUENCY),
        ("obc1", "Reference", FLOW, FREQUENCY_OF_TRIPS),
        ("obc1", "CPU", FLOW, FREQUENCY_OF_TRIPS),
    ):
        step, extra, accepted = measure_cost(environment, platform, frequency, options.seconds, flow)
        name = f"{environment}, {platform}" + (", small flow" if flow == SMALL_FLOW else "")
        low, middle, high = 100 * extra / (FREQUENCY * step)
        print(
            f"{name:30s} {1 / step:13.0f} {1 / (step + extra[1] / FREQUENCY):11.0f} {1e3 * extra[1]:8.3f}"
            f" {middle:6.2f}% ({low:5.2f} ... {high:5.2f}) {100 * accepted:8.1f}%",
            flush=True,
        )

    # Round trips are counted in the last of these: OBC1 on CPU.
    alone, mixed = 1 / step, 1 / (step + extra[1] / FREQUENCY_OF_TRIPS)
    with open(os.path.join(DIPEPTIDE, "obc1/reference.json")) as file:
        population = json.load(file)["states"]["C7ax"]
    k, k_error = measure_escapes("obc1", options.replicas, options.picoseconds)
    p, p_error = population["population"], population["population_error"]
    dynamics = p * k * alone
    dynamics_error = dynamics * np.hypot(k_error / k, p_error / p)
    trips = count_round_trips("obc1", options.moves)
    moves = trips / options.moves * mixed / FREQUENCY_OF_TRIPS
    moves_error = moves / np.sqrt(max(trips, 1))
    print("round trips between phi < 0 and phi > 0 in OBC1, per hour of one core")
    print(
        f"dynamics alone   {3600 * dynamics:8.3f} +- {3600 * dynamics_error:.3f} (C7ax lasts {STEP_SIZE / k:.0f} ps)"
    )
    print(f"with flow moves  {3600 * moves:8.3f} +- {3600 * moves_error:.3f} ({trips:.0f} trips)")
    ratio = moves / dynamics
    ratio_error = ratio * np.hypot(moves_error / moves, dynamics_error / dynamics)
    print(f"ratio            {ratio:8.0f} +- {ratio_error:.0f}")


if __name__ == "__main__":
    main()
