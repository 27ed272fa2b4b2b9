"""Topologies and the particles that they are for."""

from openmm import OpenMMException


def require_atoms_of(topology, ensemble):
    """Raise OpenMMException unless a topology has as many atoms as an ensemble has particles."""
    if topology.getNumAtoms() != ensemble.getNumParticles():
        raise OpenMMException(
            f"The topology has {topology.getNumAtoms()} atoms, the ensemble {ensemble.getNumParticles()} particles."
        )
