#!/usr/bin/env python
"""Compare the free energies of the Ramachandran states in two ensembles that reference.py made.

    python compare.py reference.npz openmm.npz

It fails if any of them, or the average potential energy, differs by more than 3 combined standard errors.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import states
from reference import load

LARGEST = 3


def estimate(path, blocks):
    """Return the free energies of the states in kT, the average energy in kJ/mol, and the errors of all."""
    settings, positions, energies, ladders = load(path, "settings", "positions", "energies", "ladders")
    blocks = states.make_blocks(ladders, -(-blocks // settings["ladders"]))
    values, errors = states.free_energies(states.assign(positions), blocks)
    mean, error = states.mean(energies, blocks)
    print(f"{path}: {len(energies)} frames of {settings['environment']}, engine {settings['engine']}")
    return settings["system"], np.append(values, mean), np.append(errors, error)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="merged frames")
    parser.add_argument("second", type=Path)
    parser.add_argument("--blocks", type=int, default=20, help="blocks of frames at least, for the errors")
    options = parser.parse_args()
    if options.blocks < 2:
        parser.error("--blocks must be at least 2")
    try:
        system, first, first_error = estimate(options.first, options.blocks)
        other, second, second_error = estimate(options.second, options.blocks)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    if system != other:
        sys.exit("error: The two ensembles are of different Systems.")
    names = [f"{name} - {states.STATES[0]}, kT" for name in states.STATES[1:]] + ["energy, kJ/mol"]
    # The first state is the origin of the free energies.
    rows = np.array([first, first_error, second, second_error])[:, 1:].T
    deviations = np.abs(rows[:, 2] - rows[:, 0]) / np.hypot(rows[:, 1], rows[:, 3])
    for name, (a, a_error, b, b_error), deviation in zip(names, rows, deviations, strict=True):
        print(
            f"{name:18s} {a:9.3f} +- {a_error:.3f} {b:9.3f} +- {b_error:.3f}   {deviation:.1f} combined errors"
        )
    if not np.isfinite(deviations).all():
        sys.exit("A state was seen in too few blocks of frames to know its error: run longer.")
    if deviations.max() > LARGEST:
        sys.exit("The ensembles disagree.")


if __name__ == "__main__":
    main()
