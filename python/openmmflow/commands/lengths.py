"""Tells positions in Angstrom from positions in nm by the lengths of bonds."""

import numpy as np
import openmm
from openmm import OpenMMException

# Far above any bond in nm (I-I has 0.27), and below any in Angstrom (H-H has 0.74).
LONGEST = 0.5
# The unit of a file is that of its first frames.
FRAMES = 100


def find_bonds(system, topology=None):
    """Return the pairs of bonded particles, as far as a Topology or the harmonic bonds of a System tell."""
    if topology is not None and topology.getNumBonds() > 0:
        return [(first.index, second.index) for first, second in topology.bonds()]
    return [
        tuple(force.getBondParameters(index)[:2])
        for force in system.getForces()
        if isinstance(force, openmm.HarmonicBondForce)
        for index in range(force.getNumBonds())
    ]


def refuse_angstrom(path, positions, num_particles, bonds):
    """Raise OpenMMException if most bonds in the positions of a file, (count, N, 3), are too long to be in nm.

    Positions of another number of particles, which other checks refuse, are let through.
    """
    if len(positions) == 0 or len(bonds) == 0 or positions.shape[1] != num_particles:
        return
    first, second = np.transpose(bonds)
    frames = np.asarray(positions[:FRAMES], dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        median = np.median(np.linalg.norm(frames[:, first] - frames[:, second], axis=2))
    if median > LONGEST:
        raise OpenMMException(
            f"Bonds in {path} have a typical length of {median:.3g}, which looks like Angstrom: divide the "
            "positions by ten, since nm are needed."
        )
