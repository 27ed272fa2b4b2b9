"""Histograms of torsions, and how far two of them are apart."""

import numpy as np

# 10 degrees: fine enough for every state, and coarse enough that noise stays small.
BINS = 36


def relative_weights(log_weights):
    """Return weights relative to the largest one: all zero if there is no positive one."""
    largest = np.max(log_weights)
    if not np.isfinite(largest):
        return np.zeros(len(log_weights))
    with np.errstate(over="ignore"):
        return np.exp(log_weights - largest)


def torsion_histogram(*angles, weights=None):
    """Return the histogram of one torsion or two, in degrees, normalised to sum 1, without NaN angles."""
    stacked = np.stack(angles, axis=1)
    finite = np.isfinite(stacked).all(axis=1)
    weights = None if weights is None else weights[finite]
    counts = np.histogramdd(stacked[finite], BINS, [(-180, 180)] * len(angles), weights=weights)[0]
    total = counts.sum()
    return counts / total if total > 0 else counts


def histogram_variances(*angles, weights):
    """Return the variance of each bin of torsion_histogram() of independent samples with importance weights."""
    weights = weights / weights.sum()
    share = torsion_histogram(*angles, weights=weights)
    # Of weighted averages of (in the bin or not) minus the share.
    squares = torsion_histogram(*angles, weights=weights**2) * np.sum(weights**2)
    return np.maximum(squares * (1 - 2 * share) + share**2 * np.sum(weights**2), 0)


def frame_histogram_variances(*angles, blocks=20):
    """Return the variance of each bin of torsion_histogram() of the frames of a trajectory, which are correlated: from
    consecutive blocks."""
    stacked = np.stack(angles, axis=1)
    parts = [part for part in np.array_split(stacked, blocks) if len(part) > 0]
    total = torsion_histogram(*angles)
    deviations = [(torsion_histogram(*part.T) - total) * len(part) / len(stacked) for part in parts]
    return len(parts) / max(len(parts) - 1, 1) * np.sum(np.square(deviations), axis=0)


def total_variation_noise(first_variances, second_variances):
    """Return the expected total variation of two histograms of the same distribution, from the variances of bins."""
    return 0.5 * float(np.sqrt(2 / np.pi * (first_variances + second_variances)).sum())


def total_variation(first, second):
    """Return half the sum of |p - q| of two histograms: 0 for the same, 1 for disjoint ones."""
    return 0.5 * float(np.abs(first - second).sum())
