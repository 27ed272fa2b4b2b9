"""Hydrogen peroxide, whose energy is separable, and frames of it."""

import numpy as np
import openmm
import peroxide
import pytest
from openmm import app


@pytest.fixture
def folder(tmp_path):
    """A folder with system.xml, topology.pdb and weighted frames in data.npz."""
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(peroxide.make_system()))
    with open(tmp_path / "topology.pdb", "w") as file:
        app.PDBFile.writeFile(peroxide.make_topology(), peroxide.make_positions(1)[0] * 10, file)
    positions = peroxide.make_positions(6000, seed=2)
    np.savez(tmp_path / "data.npz", positions=positions, weights=torsion_weights(positions))
    return tmp_path


def torsion_weights(positions):
    """The Boltzmann weights of the torsion, which make_positions() draws uniformly."""
    a, b, c = (positions[:, i + 1] - positions[:, i] for i in range(3))
    p, q = np.cross(a, b), np.cross(b, c)
    length = np.linalg.norm(b, axis=1)
    phi = np.arctan2(np.einsum("ij,ij->i", np.cross(p, q), b) / length, np.einsum("ij,ij->i", p, q))
    n, phase, k = peroxide.TORSION
    return np.exp(-k / peroxide.KT * (1 + np.cos(n * phi - phase)))
