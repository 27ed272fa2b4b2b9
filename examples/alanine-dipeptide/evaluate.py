#!/usr/bin/env python
"""Say how good a flow of alanine dipeptide is, by many proposals and against the reference ensemble.

    python evaluate.py obc1                                   # the flow in obc1/
    python evaluate.py obc1 --flow mine.safetensors --count 1000000

It prints effective samples and Pareto k of the first 10,000, 100,000, ... proposals, without any clipping of weights; log Z;
the total variation distance between the Ramachandran histograms (36 x 36) of the reweighted proposals and of
obc1/reference.json, with what noise alone would make of it; and what the training took.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import openmm

import openmmflow
import states

HERE = Path(__file__).parent
BLOCK = 100_000


def compare_histograms(positions, weights, reference):
    """Return the total variation distance to a reference, and its expectation if both were samples of one distribution.

    weights have a sum of 1.
    """
    theirs = np.array(reference["ramachandran_counts_phi_psi"], float)
    frames = theirs.sum()
    theirs /= frames
    bins = len(theirs)
    ours = states.histogram(positions, bins, weights)
    # Of weighted averages of (in the bin or not) - its probability.
    squares = states.histogram(positions, bins, weights**2)
    variances = squares * (1 - 2 * ours) + ours**2 * np.sum(weights**2)
    if "ramachandran_standard_errors" in reference:
        variances = variances + (np.array(reference["ramachandran_standard_errors"]) / frames) ** 2
    else:
        variances = (
            variances + theirs * (1 - theirs) / reference["potential_energy_kJ_mol"]["effective_samples"]
        )
    errors = np.sqrt(np.maximum(variances, 0))
    return 0.5 * np.abs(ours - theirs).sum(), 0.5 * np.sqrt(2 / np.pi) * errors.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment", choices=["vacuum", "obc1"])
    parser.add_argument("--flow", type=Path, help="default: flow.safetensors of the environment")
    parser.add_argument("--count", type=int, default=1_000_000, help="proposals")
    parser.add_argument("--seed", type=int, default=12345)
    options = parser.parse_args()
    folder = HERE / options.environment
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    flow = openmmflow.Flow.load(options.flow or folder / "flow.safetensors")
    sampler = openmmflow.FlowSampler(system, flow, 300)
    parts = []
    for first in range(0, options.count, BLOCK):
        parts.append(sampler.sample(min(BLOCK, options.count - first), options.seed, first))
    ensemble = openmmflow.WeightedEnsemble.merge(parts)
    size = 10_000
    while size < options.count:
        some = sampler.sample(size, options.seed)
        print(f"{size:9d} proposals: ESS {some.effective_sample_fraction:.2%}, Pareto k {some.pareto_k:.2f}")
        size *= 10
    print(
        f"{len(ensemble):9d} proposals: ESS {ensemble.effective_sample_fraction:.2%}, Pareto k {ensemble.pareto_k:.2f}"
    )
    value, error = ensemble.log_partition_function
    print(f"log Z {value:.4f} +- {error:.4f}")
    weights = np.exp(ensemble.log_weights - np.max(ensemble.log_weights))
    weights /= weights.sum()
    print(f"largest weight {weights.max() * len(weights):.0f} times the average")
    reference = json.loads((folder / "reference.json").read_text())
    distance, noise = compare_histograms(ensemble.positions, weights, reference)
    print(f"total variation to the reference {distance:.4f}, of which noise makes {noise:.4f}")
    for stage in json.loads(flow.metadata.get("training", "[]")):
        energies = stage.get("energy_evaluations", 0) + stage.get("dynamics_energy_evaluations", 0)
        print(
            f"trained by {stage['objective']}: {stage['steps']} steps, {energies:,} energies, "
            f"{stage['seconds'] / 60:.0f} minutes on {stage.get('machine', 'an unknown machine')}, "
            f"threads: {stage.get('threads', 'unknown')}"
        )


if __name__ == "__main__":
    main()
