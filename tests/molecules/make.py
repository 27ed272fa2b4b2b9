"""Makes the molecules of TestInternalCoordinates: 3-D conformers with hydrogens, by RDKit (pip install rdkit).

    python make.py

writes one JSON file per molecule here: elements, bonds with orders, positions in nm. Bonds are in Kekule form.
"""

import json
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import AllChem

MOLECULES = {
    "water": "O",
    "ammonia": "N",
    "methane": "C",
    "ethane": "CC",
    "butane": "CCCC",
    "methylamine": "CN",
    "hydrogen-peroxide": "OO",
    "formaldehyde": "C=O",
    "acetic-acid": "CC(=O)O",
    "guanidinium": "NC(=[NH2+])N",
    "acetonitrile": "CC#N",
    "butyne": "CC#CC",
    "allene": "C=C=C",
    "dimethyl-sulfoxide": "CS(=O)C",
    "sulfur-hexafluoride": "FS(F)(F)(F)(F)F",
    "dimethyl-disulfide": "CSSC",
    "nitrobenzene": "[O-][N+](=O)c1ccccc1",
    "benzene": "c1ccccc1",
    "toluene": "Cc1ccccc1",
    "biphenyl": "c1ccccc1-c1ccccc1",
    "cyclopropane": "C1CC1",
    "cyclohexane": "C1CCCCC1",
    "cubane": "C12C3C4C1C5C2C3C45",
    "cis-stilbene": r"c1ccccc1/C=C\c1ccccc1",
    "trans-stilbene": r"c1ccccc1/C=C/c1ccccc1",
    "alanine-dipeptide": "CC(=O)N[C@@H](C)C(=O)NC",
    "proline-dipeptide": "CC(=O)N1CCC[C@H]1C(=O)NC",
    "leucine-dipeptide": "CC(=O)N[C@@H](CC(C)C)C(=O)NC",
    "glucose": "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "adenosine": "Nc1ncnc2c1ncn2[C@@H]1O[C@H](CO)[C@@H](O)[C@H]1O",
    "thalidomide": "O=C1CC[C@@H](N2C(=O)c3ccccc3C2=O)C(=O)N1",
    "bromochlorofluoromethane": "[C@H](F)(Cl)Br",
    "triquinane": "C[C@]12CCC[C@@H]1[C@H]1CCC[C@H]1C2",
    "parthenolide": r"C/C1=C\CC[C@@]2(C)O[C@@H]2[C@H]2OC(=O)C(=C)[C@@H]2CC1",
}


def make(smiles):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(molecule, randomSeed=7) == 0
    if AllChem.MMFFHasAllMoleculeParams(molecule):
        AllChem.MMFFOptimizeMolecule(molecule, maxIters=5000)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    counts = {}
    names = []
    for atom in molecule.GetAtoms():
        counts[atom.GetSymbol()] = counts.get(atom.GetSymbol(), 0) + 1
        names.append(f"{atom.GetSymbol()}{counts[atom.GetSymbol()]}")
    return {
        "smiles": smiles,
        "atomNames": names,
        "atomicNumbers": [atom.GetAtomicNum() for atom in molecule.GetAtoms()],
        "bonds": [[b.GetBeginAtomIdx(), b.GetEndAtomIdx()] for b in molecule.GetBonds()],
        "bondOrders": [int(b.GetBondTypeAsDouble()) for b in molecule.GetBonds()],
        "positions": [
            [round(0.1 * x, 6) for x in r] for r in molecule.GetConformer().GetPositions().tolist()
        ],
    }


def main():
    for name, smiles in MOLECULES.items():
        molecule = make(smiles)
        lines = ",\n".join(f'  "{key}": {json.dumps(value)}' for key, value in molecule.items())
        Path(__file__).with_name(f"{name}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
