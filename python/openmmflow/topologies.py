"""Topologies and the particles that they are for."""

from openmm import OpenMMException


def require_atoms_of(topology, subject):
    """Raise OpenMMException unless a topology has as many atoms as a flow or an ensemble has particles."""
    if topology.getNumAtoms() != subject.getNumParticles():
        raise OpenMMException(
            f"The topology has {topology.getNumAtoms()} atoms, the {type(subject).__name__} "
            f"{subject.getNumParticles()} particles."
        )


def bond_order(bond):
    """Return the order of a bond in a topology; 0 if it is not known, or no whole number as in an aromatic ring."""
    order = bond.order or 0
    return int(order) if order == int(order) else 0
