"""Ramachandran states of alanine dipeptide, and their free energies with error bars; numpy alone.

The partition is complete, so populations add up to one:

    C7ax    0 <= phi < 130                       the rare one, behind barriers of 10 kT and more at 300 K
    alphaR  elsewhere, -130 <= psi < 10          hardly populated in vacuum
    C7eq    elsewhere, -105 <= phi < 0           the global minimum in vacuum; in water mostly polyproline II
    C5      the rest                             extended

Borders (degrees) follow the minima of the density of the AMBER ff96 reference ensembles.
"""

import numpy as np

# The atoms of the torsions, in the order of topology.pdb: C-N-CA-C and N-CA-C-N.
PHI = (4, 6, 8, 14)
PSI = (6, 8, 14, 16)

STATES = ("C7eq", "C5", "alphaR", "C7ax")


def torsions(positions, atoms):
    """Return the torsion of four atoms in rad, in [-pi, pi], IUPAC's sign; positions: (frames, atoms, 3)."""
    i, j, k, m = (np.asarray(positions[:, atom], dtype=np.float64) for atom in atoms)
    axis = k - j
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    first, last = i - j, m - k
    first -= np.sum(first * axis, axis=1, keepdims=True) * axis
    last -= np.sum(last * axis, axis=1, keepdims=True) * axis
    return np.arctan2(np.sum(np.cross(axis, first) * last, axis=1), np.sum(first * last, axis=1))


def assign(positions):
    """Return the state of each frame, as an index into STATES, for positions (frames, 22, 3)."""
    phi, psi = (np.degrees(torsions(positions, atoms)) for atoms in (PHI, PSI))
    conditions = [(phi >= 0) & (phi < 130), (psi >= -130) & (psi < 10), (phi >= -105) & (phi < 0)]
    choices = [STATES.index(name) for name in ("C7ax", "alphaR", "C7eq")]
    return np.select(conditions, choices, STATES.index("C5"))


def histogram(positions, bins=36, weights=None):
    """Return the histogram of (phi, psi) on [-180, 180] degrees, shape (bins, bins), phi first."""
    limits = [[-np.pi, np.pi]] * 2
    phi, psi = (torsions(positions, atoms) for atoms in (PHI, PSI))
    return np.histogram2d(phi, psi, bins, limits, weights=weights)[0]


def make_blocks(ladders, per_ladder):
    """Return a block number per frame: every ladder cut into per_ladder consecutive blocks of equal size.

    ladders is the ladder of each frame, in time order within a ladder.
    """
    blocks = np.empty(len(ladders), dtype=int)
    for rank, ladder in enumerate(np.unique(ladders)):
        (frames,) = np.nonzero(ladders == ladder)
        blocks[frames] = rank * per_ladder + np.arange(len(frames)) * per_ladder // len(frames)
    return blocks


def jackknife(sums, estimate):
    """Return an estimate and its standard error, leaving out one block at a time.

    sums has shape (blocks, ...): what each block adds; estimate maps their total to numbers.
    """
    count = len(sums)
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = np.array([estimate(total - block) for block in sums])
        value = estimate(total)
        spread = left_out - left_out.mean(axis=0)
    return value, np.sqrt((count - 1) / count * np.sum(spread**2, axis=0))


def free_energies(states, blocks):
    """Return free energies in kT relative to C7eq and their standard errors, each of shape (len(STATES),).

    states is the index into STATES of each frame, blocks the block it belongs to. Errors are of first order: that of
    a state which was seen in one block only is 1 kT or so. A state never seen has infinite free energy.
    """
    counts = np.zeros((blocks.max() + 1, len(STATES)))
    np.add.at(counts, (blocks, states), 1)
    total = counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(total[0]) - np.log(total)
        deviations = counts[:, :1] / total[0] - counts / total
    return values, np.sqrt(len(counts) / (len(counts) - 1) * np.sum(deviations**2, axis=0))


def mean(values, blocks):
    """Return the mean of values and its standard error from the spread over blocks."""
    sums = np.array([[values[blocks == block].sum(), np.sum(blocks == block)] for block in np.unique(blocks)])
    return jackknife(sums, lambda total: total[0] / total[1])
