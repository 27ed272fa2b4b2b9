"""Which torsions describe a molecule, and their values."""

from dataclasses import dataclass

import numpy as np

# More would make neither a readable picture nor a readable table.
MAX_TORSIONS = 8


@dataclass(frozen=True)
class Torsion:
    """Four atoms and the name to show."""

    name: str
    atoms: tuple[int, int, int, int]


def find_torsions(topology):
    """Return the Ramachandran pairs that a report shows, and its torsions: those of the pairs, or of the rotors if there
    are none."""
    pairs = find_ramachandran(topology)[: MAX_TORSIONS // 2]
    return pairs, [torsion for pair in pairs for torsion in pair] or find_rotors(topology)


def find_ramachandran(topology):
    """Return a list of pairs (phi, psi), one for each residue of an openmm.app.Topology that has both."""
    pairs = {}
    atoms = {residue: {atom.name: atom.index for atom in residue.atoms()} for residue in topology.residues()}
    peptide_bonds = {}
    for bond in topology.bonds():
        for first, second in (bond, bond[::-1]):
            if (first.name, second.name) == ("C", "N") and first.residue is not second.residue:
                peptide_bonds[first.residue] = second.residue
    previous = {after: before for before, after in peptide_bonds.items()}
    for residue, own in atoms.items():
        if not {"N", "CA", "C"} <= own.keys() or residue not in previous or residue not in peptide_bonds:
            continue
        before, after = atoms[previous[residue]], atoms[peptide_bonds[residue]]
        phi = Torsion("phi", (before["C"], own["N"], own["CA"], own["C"]))
        psi = Torsion("psi", (own["N"], own["CA"], own["C"], after["N"]))
        pairs[residue] = phi, psi
    if len(pairs) > 1:
        named = _number_repeated(
            Torsion(f"{torsion.name} {residue.name}{residue.id}", torsion.atoms)
            for residue, pair in pairs.items()
            for torsion in pair
        )
        return list(zip(named[::2], named[1::2], strict=True))
    return list(pairs.values())


def find_rotors(topology):
    """Return the torsions about bonds in no ring, between heavy atoms that have another heavy neighbour."""
    neighbours = {atom: set() for atom in topology.atoms()}
    for first, second in topology.bonds():
        neighbours[first].add(second)
        neighbours[second].add(first)
    torsions = []
    for second, third in topology.bonds():
        ends = []
        for atom, other in ((second, third), (third, second)):
            heavy = [
                n for n in neighbours[atom] - {other} if n.element is not None and n.element.symbol != "H"
            ]
            ends.append(min(heavy, key=lambda n: n.index, default=None))
        if None not in ends and not _in_ring(neighbours, second, third):
            chain = (ends[0], second, third, ends[1])
            torsions.append(Torsion("-".join(a.name for a in chain), tuple(a.index for a in chain)))
    return _number_repeated(torsions)[:MAX_TORSIONS]


def _number_repeated(torsions):
    """Return a list of torsions in which names that occur again have a number."""
    counts, numbered = {}, []
    for torsion in torsions:
        count = counts[torsion.name] = counts.get(torsion.name, 0) + 1
        numbered.append(torsion if count == 1 else Torsion(f"{torsion.name} ({count})", torsion.atoms))
    return numbered


def _in_ring(neighbours, first, second):
    reached, waiting = {first}, [first]
    while waiting:
        atom = waiting.pop()
        for other in neighbours[atom] - reached:
            if {atom, other} != {first, second}:
                reached.add(other)
                waiting.append(other)
    return second in reached


def measure(positions, torsion):
    """Return a torsion in degrees, (count,) in [-180, 180] with IUPAC's sign, of positions (count, N, 3)."""
    i, j, k, m = (positions[:, atom].astype(np.float64) for atom in torsion.atoms)
    axis = k - j
    first, last = np.cross(i - j, axis), np.cross(m - k, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
        return np.degrees(
            np.arctan2(np.sum(np.cross(first, last) * axis, axis=1), np.sum(first * last, axis=1))
        )
