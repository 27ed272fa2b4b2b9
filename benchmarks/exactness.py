"""How exact the trained equivariant flows of the examples are: errors of log q(x, a), on samples of each.

Prints, for the CPU platform: how much log q changes under a rotation, a translation and a permutation of particles of one
type; how far log q of a sample is from what it came with, which takes the inverse of the flow; how far single from double
precision; and the variance of the estimate of log q(x) from K draws of a, which falls as 1/K. That log q is that of the map,
by its Jacobian, and the same on Reference and as a composition of PyTorch operations is in the tests.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from couplings import CONFIGURATIONS
from scipy.stats import special_ortho_group

import openmmflow

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FLOWS = {
    "DW4": "dw4/flow-small.safetensors",
    "LJ13": "lj13/flow-small.safetensors",
    "ALDP": "alanine-dipeptide/vacuum/flow-equivariant-small.safetensors",
}


def rotate(x, dimensions, random):
    """All configurations by one rotation, in the plane if there are two dimensions."""
    rotation = np.eye(3)
    rotation[:dimensions, :dimensions] = special_ortho_group.rvs(dimensions, random_state=random)
    return x @ rotation.T


# A sum of multiples of this, in nm, has no rounding error if it is below 8 nm.
GRID = 2.0**-50


def translate(x, moves):
    """Configurations that are nearly x, and the same moved, without a rounding error between these."""
    x, moves = (np.round(np.array(a) / GRID) * GRID for a in (x, moves))
    return x, x + moves


def permute(x, types, random):
    """The particles of each type in another order, augmented ones with theirs."""
    order = np.arange(len(types))
    for kind in set(types):
        members = np.flatnonzero(types == kind)
        order[members] = random.permutation(members)
    copies = x.shape[1] // len(types)
    return x[:, np.concatenate([order + k * len(types) for k in range(copies)])]


def describe(name, path, count):
    flow = openmmflow.Flow.load(path)
    double, single = (openmmflow.FlowContext(flow, "CPU", {"Precision": p}) for p in ("double", "single"))
    random = np.random.default_rng(1)
    dimensions = int(json.loads(flow.configuration)["dimensions"])
    n, types = flow.num_particles, np.array(CONFIGURATIONS[name]["types"])
    x, log_q = double.sampleJoint(count, seed=1)
    again = double.jointLogDensity(x)
    on_grid, translated = translate(x, [0.4, -1.1, 0.7])
    changes = {
        "rotation": (again, rotate(x, dimensions, random)),
        "translation": (double.jointLogDensity(on_grid), translated),
        "permutation": (again, permute(x, types, random)),
    }
    print(f"\n{name}, {count} samples of {path.relative_to(EXAMPLES)}")
    for label, (before, changed) in changes.items():
        print(f"  {label:<34}largest error {np.abs(double.jointLogDensity(changed) - before).max():.1e}")
    print(f"  {'inverse, double':<34}largest error {np.abs(again - log_q).max():.1e}")
    x_single, log_q_single = single.sampleJoint(count, seed=1)
    for label, errors in (
        ("inverse, single", single.jointLogDensity(x_single) - log_q_single),
        ("single against double", single.jointLogDensity(x) - again),
    ):
        median, tail = np.quantile(np.abs(errors), [0.5, 0.999])
        print(f"  {label:<34}median {median:.1e}, 99.9th percentile {tail:.1e}")
    frame = np.repeat(x[:1, :n], 256, axis=0)
    for draws in (4, 16, 64):
        # Each of the configurations, though the same, has draws of its own.
        estimates = double.logDensity(frame, draws=draws, seed=2)
        print(f"  {f'variance of log q(x), K = {draws}':<34}{estimates.var():.2g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flows", nargs="+", choices=FLOWS, default=list(FLOWS))
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    for name in arguments.flows:
        describe(name, EXAMPLES / FLOWS[name], arguments.count)


if __name__ == "__main__":
    main()
