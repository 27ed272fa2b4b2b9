"""Flow moves in a simulation: what they cost, and how many more round trips over a barrier there are with them.

Run by `make bench`. Alanine dipeptide, LangevinMiddle at 300 K, 1/ps and 1 fs, one thread.

The cost is the time that a move after every 500 steps adds, as a share of the time without moves: the median of
interleaved rounds.

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
# The cores of phi < 0 and of C7ax in degrees.
NEGATIVE, POSITIVE = (-150, -50), (30, 110)


def make_context(environment, platform, frequency):
    """Return a Context; with moves unless frequency is 0."""
    system, pdb, flow = load(environment)
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


def measure_cost(environment, platform, frequency, rounds, seconds):
    """Return steps/s without and with moves, the cost of a move in ms and as a share, and the share accepted."""
    plain, _ = make_context(environment, platform, 0)
    mixed, move = make_context(environment, platform, frequency)

    def run(context, moves):
        start = time.perf_counter()
        context.getIntegrator().step(moves * frequency)
        return (time.perf_counter() - start) / moves

    moves = max(2, round(seconds / run(plain, 4)))
    run(mixed, moves)
    times = np.array([(run(plain, moves), run(mixed, moves)) for _ in range(rounds)])
    without, extra = np.median(times[:, 0]), np.median(times[:, 1] - times[:, 0])
    return (
        frequency / without,
        frequency / (without + extra),
        1e3 * extra,
        extra / without,
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
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="the time of each round")
    parser.add_argument("--replicas", type=int, default=1024)
    parser.add_argument("--picoseconds", type=float, default=40)
    parser.add_argument("--moves", type=int, default=40_000, help="the length of the chain of moves")
    options = parser.parse_args()

    print("a move after every 500 steps")
    print(f"{'':20s} steps/s alone  with moves  ms/move    cost  accepted")
    for environment, platform in (("vacuum", "Reference"), ("obc1", "Reference"), ("obc1", "CPU")):
        alone, mixed, milliseconds, share, accepted = measure_cost(
            environment, platform, FREQUENCY, options.rounds, options.seconds
        )
        print(
            f"{environment + ', ' + platform:20s} {alone:13.0f} {mixed:11.0f} {milliseconds:8.3f} {100 * share:6.2f}%"
            f" {100 * accepted:8.1f}%"
        )

    alone, mixed, *_ = measure_cost("obc1", "CPU", FREQUENCY_OF_TRIPS, options.rounds, options.seconds)
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
