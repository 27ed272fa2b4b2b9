"""The System that the reference ensemble is simulated with: walls keep the molecule as drawn, trans and L.

At the top of the ladder peptide bonds turn within nanoseconds, and cis, too rare at 300 K to converge, would come
and go by chance. The walls are exactly zero for trans peptide bonds and the L hand.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

import states

HERE = Path(__file__).resolve().parent

# By atom: peptide bonds stay within 90 degrees of trans, the alpha carbon on its side of N, C, CB.
PEPTIDE_TORSIONS = [(1, 4, 6, 8), (8, 14, 16, 18)]
L_IMPROPER = (8, 6, 14, 10)


def read_system(environment):
    """Return the text of an environment's system.xml and its SHA-256."""
    file = HERE / environment / "system.xml"
    if not file.is_file():
        raise ValueError(f"There is no {file}: run make_system.py {environment} first.")
    text = file.read_text()
    return text, hashlib.sha256(text.encode()).hexdigest()


def read_pdb(environment):
    """Return an environment's PDBFile, whose positions are minimised."""
    return app.PDBFile(str(HERE / environment / "topology.pdb"))


def make_system(environment, hydrogen_mass):
    """Return an environment's System with walls, and with hydrogens of that mass in dalton."""
    system = openmm.XmlSerializer.deserialize(read_system(environment)[0])
    # The distribution of positions does not depend on masses: slower hydrogens only allow a longer step.
    for index in range(system.getNumParticles()):
        if system.getParticleMass(index) < 2 * unit.dalton:
            system.setParticleMass(index, hydrogen_mass)
    trans = openmm.CustomTorsionForce(f"1000*max(0, {math.pi / 2}-abs(theta))^2")
    for atoms in PEPTIDE_TORSIONS:
        trans.addTorsion(*atoms)
    system.addForce(trans)
    hand = openmm.CustomTorsionForce("1000*max(0, -theta)^2")
    hand.addTorsion(*L_IMPROPER)
    system.addForce(hand)
    return system


def are_within_walls(positions):
    """Whether no wall acts on any of the positions, (frames, 22, 3)."""
    peptide = [np.cos(states.torsions(positions, atoms)) for atoms in PEPTIDE_TORSIONS]
    return np.max(peptide) <= 0 and np.min(states.torsions(positions, L_IMPROPER)) >= 0
