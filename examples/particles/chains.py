"""Statistics of independent Markov chains: all errors come from the spread over chains, so correlation in time counts."""

import numpy as np


def pair_distances(positions):
    """Return the distances of all pairs, (..., pairs) in nm, in positions (..., N, 3)."""
    i, j = np.triu_indices(positions.shape[-2], 1)
    return np.linalg.norm(positions[..., i, :] - positions[..., j, :], axis=-1)


def histograms(distances, edges):
    """Return the share of each chain's distances, (chains, frames, pairs), that falls into each bin, (chains, bins)."""
    counts = np.array([np.histogram(chain, edges)[0] for chain in distances])
    return counts / distances[0].size


def mean_and_error(values):
    """Return the mean of values (chains, ...), and its standard error."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def chi_square(values, expected, expected_covariance=0):
    """Return chi-square between the mean of values (chains, bins) and what is expected, (bins,), and its degrees of freedom.

    Bins are correlated, as their frames are: the covariance is estimated over chains, of which there must be many more.
    If the bins make up everything, leave one out.
    """
    difference = values.mean(axis=0) - expected
    covariance = np.cov(values, rowvar=False) / len(values) + expected_covariance
    return difference @ np.linalg.solve(covariance, difference), len(difference)


def compare(a, b):
    """Return chi-square between the means of two sets of chains, (chains, bins), and its degrees of freedom."""
    return chi_square(a, b.mean(axis=0), np.cov(b, rowvar=False) / len(b))


def inefficiency(values):
    """Return how many frames of a chain weigh as much as one independent frame, for values (chains, frames)."""
    return values.shape[1] * values.mean(axis=1).var(ddof=1) / values.var()
