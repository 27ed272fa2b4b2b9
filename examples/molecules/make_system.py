#!/usr/bin/env python
"""Make `system.xml` and `molecule.pdb` of the molecules here, from their structural formulas (pip install rdkit).

    python make_system.py leucine

Peptides get trans amide bonds. No bond is constrained: a flow proposes every bond length.
"""

import argparse
import sys
from pathlib import Path

import openmm
from openmm import app, unit
from rdkit import Chem
from rdkit.Chem import AllChem, rdMolTransforms

HERE = Path(__file__).resolve().parent
AMBER14 = ["amber14/protein.ff14SB.xml", "implicit/obc2.xml"]
# Alanine dipeptide in examples/alanine-dipeptide has this one.
AMBER96 = ["amber96.xml", "implicit/obc1.xml"]

ALANINE = "N[C@@H](C)C(=O)"
MOLECULES = {
    "proline": ("CC(=O)N1CCC[C@H]1C(=O)NC", AMBER14),
    "leucine": ("CC(=O)N[C@@H](CC(C)C)C(=O)NC", AMBER14),
    "adenosine": (
        "Nc1ncnc2c1ncn2[C@@H]1O[C@H](CO)[C@@H](O)[C@H]1O",
        ["amber14/RNA.OL3.xml", "implicit/obc2.xml"],
    ),
    "tetrapeptide": (f"CC(=O){3 * ALANINE}NC", AMBER96),
    "hexapeptide": (f"CC(=O){5 * ALANINE}NC", AMBER96),
}
AMIDE = Chem.MolFromSmarts("[CX4][CX3](=O)[NX3][CX4]")


def build_molecule(smiles):
    """Return a molecule of RDKit with all hydrogens and a conformation whose amide bonds are trans."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    for seed in range(100):
        if AllChem.EmbedMolecule(molecule, randomSeed=seed) != 0:
            continue
        AllChem.MMFFOptimizeMolecule(molecule, maxIters=5000)
        conformer = molecule.GetConformer()
        # Proline has two carbons at its nitrogen: the alpha carbon, which is at the next carbonyl, counts.
        alpha = Chem.MolFromSmarts("[CX4][CX3](=O)[NX3][$([CX4][CX3]=O),$([CH3])]")
        torsions = [
            rdMolTransforms.GetDihedralDeg(conformer, a, b, c, d)
            for a, b, _, c, d in molecule.GetSubstructMatches(alpha)
        ]
        if all(abs(torsion) > 120 for torsion in torsions):
            return molecule
    sys.exit("None of 100 conformations has trans amide bonds only.")


def split_into_residues(molecule):
    """Return a list of the atoms of each residue: what amide bonds join."""
    residues = Chem.EditableMol(molecule)
    for _, carbon, _, nitrogen, _ in molecule.GetSubstructMatches(AMIDE):
        if molecule.GetBondBetweenAtoms(carbon, nitrogen):
            residues.RemoveBond(carbon, nitrogen)
    return Chem.GetMolFrags(residues.GetMol(), sanitizeFrags=False)


def build_topology(molecule, residues):
    """Return OpenMM's Topology, with these residues, and the index of each of its atoms in the molecule."""
    topology = app.Topology()
    chain = topology.addChain()
    atoms, counts = {}, {}
    for indices in residues:
        # No name that OpenMM knows, so that bonds are written to files: it finds templates by them.
        residue = topology.addResidue("MOL", chain)
        for index in indices:
            symbol = molecule.GetAtomWithIdx(index).GetSymbol()
            counts[symbol] = counts.get(symbol, 0) + 1
            element = app.Element.getBySymbol(symbol)
            atoms[index] = topology.addAtom(f"{symbol}{counts[symbol]}", element, residue)
    for bond in molecule.GetBonds():
        topology.addBond(atoms[bond.GetBeginAtomIdx()], atoms[bond.GetEndAtomIdx()])
    return topology, list(atoms)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("molecule", choices=MOLECULES)
    name = parser.parse_args().molecule
    smiles, force_field = MOLECULES[name]
    molecule = build_molecule(smiles)
    topology, order = build_topology(molecule, split_into_residues(molecule))
    system = app.ForceField(*force_field).createSystem(
        topology, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False
    )

    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(molecule.GetConformer().GetPositions()[order] * 0.1)
    openmm.LocalEnergyMinimizer.minimize(context, tolerance=0.01)
    state = context.getState(positions=True, energy=True)
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)

    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with open(folder / "molecule.pdb", "w") as file:
        app.PDBFile.writeFile(topology, (positions - positions.mean(axis=0)) * unit.nanometer, file)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    print(f"{folder}: {system.getNumParticles()} atoms, minimised energy {energy:.3f} kJ/mol")


if __name__ == "__main__":
    main()
