"""Histograms of torsions, and how far two of them are apart."""

import numpy as np

# 10 degrees: fine enough for every state, and coarse enough that noise stays small.
BINS = 36


def torsion_histogram(*angles, weights=None):
    """Return the histogram of one torsion or two, in degrees, normalised to sum 1, without NaN angles."""
    stacked = np.stack(angles, axis=1)
    finite = np.isfinite(stacked).all(axis=1)
    weights = None if weights is None else weights[finite]
    counts = np.histogramdd(stacked[finite], BINS, [(-180, 180)] * len(angles), weights=weights)[0]
    total = counts.sum()
    return counts / total if total > 0 else counts


def total_variation(first, second):
    """Return half the sum of |p - q| of two histograms: 0 for the same, 1 for disjoint ones."""
    return 0.5 * float(np.abs(first - second).sum())
