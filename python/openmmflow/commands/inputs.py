"""Reads what commands are given: Systems and topologies."""

from pathlib import Path

import openmm
from openmm import OpenMMException, app, unit

# No heavy atom is as light, and no hydrogen heavier where mass is moved to it.
HEAVIEST_HYDROGEN = 6 * unit.dalton


def load_system(path):
    """Read an openmm.System from XML, as XmlSerializer or Simulation.saveState's companions write it."""
    try:
        system = openmm.XmlSerializer.deserialize(Path(path).read_text())
    except (UnicodeDecodeError, OpenMMException, ValueError) as error:
        raise OpenMMException(f"{path} is not an OpenMM System in XML: {error}") from error
    if not isinstance(system, openmm.System):
        raise OpenMMException(f"{path} holds a {type(system).__name__} where a System is needed.")
    return system


def load_topology(path):
    """Read an openmm.app.Topology, and positions in nm (N, 3), from a PDB or PDBx/mmCIF file."""
    reader = app.PDBxFile if Path(path).suffix.lower() in (".cif", ".pdbx", ".mmcif") else app.PDBFile
    try:
        file = reader(str(path))
    except OSError:
        raise
    except Exception as error:  # the readers of OpenMM raise whatever their parsing meets
        raise OpenMMException(f"{path} is not a PDB or PDBx/mmCIF file: {error}") from error
    return file.topology, file.getPositions(asNumpy=True)


def check_particles(system, topology):
    """Raise OpenMMException if a System has not as many particles as a Topology has atoms."""
    if topology.getNumAtoms() != system.getNumParticles():
        raise OpenMMException(
            f"The topology file has {topology.getNumAtoms()} atoms, the System {system.getNumParticles()} particles: "
            "they must be of the same molecule."
        )


def check_elements(system, topology):
    """Raise OpenMMException if the masses of a System show that its particles are other atoms than a Topology's."""
    check_particles(system, topology)
    for atom in topology.atoms():
        mass = system.getParticleMass(atom.index)
        if atom.element is None or (mass < HEAVIEST_HYDROGEN) == (atom.element.mass < HEAVIEST_HYDROGEN):
            continue
        raise OpenMMException(
            f"Atom {atom.name} of the topology file, number {atom.index} counted from 0, is {atom.element.symbol}, "
            f"while that particle of the System has a mass of {mass.value_in_unit(unit.dalton):g} Da: the topology file "
            "must list the atoms in the order of the System."
        )
