#!/usr/bin/env python
"""Reference ensemble of DW4 or LJ13 by batched Hamiltonian Monte Carlo at kT = 1.

    python reference.py dw4

Independent chains run side by side: half of them start at the minimum in topology.pdb, the others at minima next to
scattered configurations, and both halves must agree. Writes `reference.npz` into the folder of the System: positions
(frames, N, 3) in nm, float32, centred; energies (frames,) in kJ/mol; chains (frames,), the chain of each, in time order
within it; settings, JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

import openmmflow
from chains import compare, histograms, inefficiency, mean_and_error, pair_distances
from make_system import EXAMPLES, SYSTEMS, TEMPERATURE, find_minima

STEP_SIZE = 0.05  # ps; where the pilot run starts
SETTINGS = "chains", "frames", "equilibration", "interval", "steps_per_proposal", "seed", "parameters"


def starts(name, chains):
    """Return where the chains start, (chains, N, 3) in nm: the even ones at the minimum of topology.pdb."""
    pdb = app.PDBFile(str(EXAMPLES / name / "topology.pdb"))
    # Another seed than make_system.py's, whose best of all is in topology.pdb.
    positions, _ = find_minima(name, chains, seed=1)
    positions[::2] = pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    return positions


def sample(
    name, *, chains, frames, equilibration, interval, steps_per_proposal, seed, parameters=(), properties=None
):
    """Return positions, (chains, frames, N, 3) in nm, energies and virials in kT, (chains, frames), and the integrator.

    The centre of geometry is at the origin, and z is 0 where there are two dimensions. The virial is the sum of x dU/dx.
    """
    system = openmm.XmlSerializer.deserialize((EXAMPLES / name / "system.xml").read_text())
    dimensions = SYSTEMS[name][1]
    potential = openmmflow.BatchedPotential(system, properties=properties or {})
    for parameter, value in parameters:
        potential.setParameter(parameter, float(value))
    integrator = openmmflow.BatchedHMCIntegrator(
        system, potential, [TEMPERATURE] * chains, STEP_SIZE, steps_per_proposal, seed=seed
    )
    integrator.setPositions(starts(name, chains))
    integrator.tuneStepSize()
    positions, energies, virials = [], [], []
    for frame in range(-(-equilibration // interval) + frames):
        integrator.step(interval)
        # What the energy does not depend on diffuses away, to where single precision is coarse. The integrator itself
        # takes care of that for Forces that it knows, of which CustomCompoundBondForce is none.
        centred = integrator.getPositions()
        centred -= centred.mean(axis=1, keepdims=True)
        centred[:, :, dimensions:] = 0
        integrator.setPositions(centred)
        if frame * interval >= equilibration:
            energy, forces = potential.energiesAndForces(centred)
            positions.append(centred.astype(np.float32))
            energies.append(energy)
            virials.append(-np.sum(centred * forces, axis=(1, 2)))
        else:
            integrator.resetStatistics()
    return np.array(positions).swapaxes(0, 1), np.array(energies).T, np.array(virials).T, integrator


def report(name, positions, energies, virials):
    """Print how well the chains agree, averages with errors, and the histogram of pair distances."""
    halves = slice(0, None, 2), slice(1, None, 2)
    (a, error_a), (b, error_b) = (mean_and_error(energies[half].mean(axis=1)) for half in halves)
    distances = pair_distances(positions)
    low, high = np.quantile(distances, [1e-4, 1 - 1e-4])
    edges = np.linspace(low, high, 21)
    shares = histograms(distances, edges)
    square, freedom = compare(*(shares[half] for half in halves))
    slowest = max(inefficiency(distances[..., pair]) for pair in range(distances.shape[-1]))
    mean, error = mean_and_error(energies.mean(axis=1))
    print(f"energy, kJ/mol: {mean:.4f} +- {error:.4f}; quantiles 1, 10, 50, 90, 99 %:", end=" ")
    print(", ".join(f"{value:.2f}" for value in np.quantile(energies, [0.01, 0.1, 0.5, 0.9, 0.99])))
    mean, error = mean_and_error(virials.mean(axis=1))
    freedoms = (positions.shape[2] - 1) * SYSTEMS[name][1]
    print(f"virial, kT: {mean:.4f} +- {error:.4f}; by theorem, {freedoms}")
    print(f"chains from the minimum {a:.4f} +- {error_a:.4f}, from others {b:.4f} +- {error_b:.4f}", end="; ")
    print(f"chi-square of their distances {square:.1f} with {freedom} degrees of freedom")
    print(f"frames for one independent: energy {inefficiency(energies):.2f}, slowest distance {slowest:.2f}")
    width = edges[1] - edges[0]
    for left, share, spread in zip(edges, *mean_and_error(shares), strict=False):
        print(f"{left:.3f} to {left + width:.3f} nm  {share / width:.5f} +- {spread / width:.5f} /nm")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("name", choices=SYSTEMS)
    add("--chains", type=int, default=1000)
    add("--frames", type=int, default=100, help="of each chain")
    add("--equilibration", type=int, default=500, help="proposals before the first frame")
    add("--interval", type=int, default=20, help="proposals between frames")
    add("--steps-per-proposal", type=int, default=20)
    add("--seed", type=int, default=0)
    add(
        "--parameter",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a global parameter of the System, instead of its default",
    )
    add("--threads", type=int, help="of the energies (default: all cores)")
    add("--output", type=Path, help="(default: reference.npz in the folder of the System)")
    options = parser.parse_args()
    # Errors come from the spread over chains, in two halves.
    if options.chains < 100 or min(options.frames, options.interval, options.steps_per_proposal) < 1:
        parser.error("--chains must be 100 or more, --frames, --interval and --steps-per-proposal positive")
    settings = {name: getattr(options, name) for name in SETTINGS}
    properties = {} if options.threads is None else {"Threads": str(options.threads)}
    positions, energies, virials, integrator = sample(options.name, **settings, properties=properties)
    acceptance = integrator.getNumAcceptances().mean() / integrator.getNumProposals()
    print(f"{integrator.getDescription()}; acceptance {acceptance:.3f}")
    report(options.name, positions, energies, virials)
    output = options.output or EXAMPLES / options.name / "reference.npz"
    numbers = np.repeat(np.arange(options.chains), options.frames)
    np.savez(
        output,
        positions=positions.reshape(-1, *positions.shape[2:]),
        energies=energies.ravel(),
        chains=numbers,
        settings=json.dumps({"temperature": TEMPERATURE, **settings}),
    )
    print(f"written: {output}")


if __name__ == "__main__":
    main()
