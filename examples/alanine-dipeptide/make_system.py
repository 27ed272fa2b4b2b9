#!/usr/bin/env python
"""Make `system.xml` and `topology.pdb` of alanine dipeptide (ACE-ALA-NME, 22 atoms, AMBER ff96) with OpenMM.

    python make_system.py vacuum

The atoms stand in the order that the literature on Boltzmann generators uses, and there are no constraints: a
flow proposes every bond length. The start is the ideal geometry below, minimised.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

HERE = Path(__file__).resolve().parent

# For each environment, the force field's files. The folder of that name beside this script takes the result.
ENVIRONMENTS = {"vacuum": ["amber96.xml"], "obc1": ["amber96.xml", "implicit/obc1.xml"]}

# One row an atom: residue, name, element, then the internal coordinates that place it. Each reference is
# (row, value): bond in nm to the first, angle in degrees with the second, torsion in degrees with the third.
# phi = -80, psi = 75 degrees is the global minimum in vacuum (C7eq); 122 degrees from a sibling puts CB and
# HA on the sides of an L amino acid.
Z_MATRIX = [
    ("ACE", "H1", "H", (1, 0.109), (4, 109.5), (6, 180)),
    ("ACE", "CH3", "C"),
    ("ACE", "H2", "H", (1, 0.109), (4, 109.5), (6, 60)),
    ("ACE", "H3", "H", (1, 0.109), (4, 109.5), (6, -60)),
    ("ACE", "C", "C", (1, 0.152)),
    ("ACE", "O", "O", (4, 0.123), (6, 123), (8, 0)),
    ("ALA", "N", "N", (4, 0.1335), (1, 116)),
    ("ALA", "H", "H", (6, 0.101), (4, 119), (1, 0)),
    ("ALA", "CA", "C", (6, 0.1449), (4, 122), (1, 180)),
    ("ALA", "HA", "H", (8, 0.109), (6, 109.5), (4, -80 + 119)),
    ("ALA", "CB", "C", (8, 0.1526), (6, 109.7), (4, -80 - 122)),
    ("ALA", "HB1", "H", (10, 0.109), (8, 109.5), (6, 60)),
    ("ALA", "HB2", "H", (10, 0.109), (8, 109.5), (6, 180)),
    ("ALA", "HB3", "H", (10, 0.109), (8, 109.5), (6, -60)),
    ("ALA", "C", "C", (8, 0.1522), (6, 110), (4, -80)),
    ("ALA", "O", "O", (14, 0.123), (8, 120.5), (6, 75 - 180)),
    ("NME", "N", "N", (14, 0.1335), (8, 116.5), (6, 75)),
    ("NME", "H", "H", (16, 0.101), (14, 119), (8, 0)),
    ("NME", "C", "C", (16, 0.1449), (14, 122), (8, 180)),
    ("NME", "H1", "H", (18, 0.109), (16, 109.5), (14, 180)),
    ("NME", "H2", "H", (18, 0.109), (16, 109.5), (14, 60)),
    ("NME", "H3", "H", (18, 0.109), (16, 109.5), (14, -60)),
]


def build_topology():
    """Return the OpenMM Topology of Z_MATRIX, bonded by OpenMM's own knowledge of the residues."""
    topology = app.Topology()
    chain = topology.addChain()
    residue = None
    for residue_name, atom_name, element, *_ in Z_MATRIX:
        if residue is None or residue.name != residue_name:
            residue = topology.addResidue(residue_name, chain)
        topology.addAtom(atom_name, app.Element.getBySymbol(element), residue)
    topology.createStandardBonds()
    return topology


def place(bond, angle, torsion):
    """Return the position (nm) of an atom at the given bond length, angle and torsion (degrees).

    bond, angle and torsion are pairs (position of the reference atom in nm, value).
    """
    (a, length), (b, theta), (c, phi) = bond, angle, torsion
    theta, phi = np.radians(theta), np.radians(phi)
    x = (a - b) / np.linalg.norm(a - b)
    normal = np.cross(b - c, x)
    normal /= np.linalg.norm(normal)
    local = length * np.array([-np.cos(theta), np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)])
    return a + local @ np.array([x, np.cross(normal, x), normal])


def build_positions():
    """Return the ideal positions in nm, shape (22, 3)."""
    # The first three heavy atoms lie in a plane; all others follow from rows that are already placed.
    positions = {1: np.zeros(3)}
    waiting = [row for row in range(len(Z_MATRIX)) if row != 1]
    plane = [np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])]
    while waiting:
        for row in waiting:
            references = Z_MATRIX[row][3:]
            if all(atom in positions for atom, _ in references):
                known = [(positions[atom], value) for atom, value in references]
                known += [(point, 90.0) for point in plane[len(known) - 1 :]]
                positions[row] = place(*known)
                waiting.remove(row)
                break
    return np.array([positions[row] for row in range(len(Z_MATRIX))])


def is_l_alanine(positions):
    """Whether the alpha carbon of positions (nm, shape (22, 3)) has the hand of an L amino acid."""
    names = [(residue, atom) for residue, atom, *_ in Z_MATRIX]
    n, ca, c, cb = (positions[names.index(("ALA", atom))] for atom in ("N", "CA", "C", "CB"))
    return np.dot(n - ca, np.cross(c - ca, cb - ca)) > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment", choices=ENVIRONMENTS)
    environment = parser.parse_args().environment

    topology = build_topology()
    system = app.ForceField(*ENVIRONMENTS[environment]).createSystem(
        topology, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False
    )

    # Reference is double precision and deterministic, so everyone gets the same two files.
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(build_positions())
    openmm.LocalEnergyMinimizer.minimize(context, tolerance=0.01)
    state = context.getState(positions=True, energy=True)
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    if not is_l_alanine(positions):
        sys.exit("The minimised molecule is not L-alanine: check Z_MATRIX.")

    folder = HERE / environment
    folder.mkdir(exist_ok=True)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with open(folder / "topology.pdb", "w") as file:
        app.PDBFile.writeFile(topology, (positions - positions.mean(axis=0)) * unit.nanometer, file)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    print(f"{folder}: {system.getNumParticles()} atoms, minimised energy {energy:.3f} kJ/mol")


if __name__ == "__main__":
    main()
