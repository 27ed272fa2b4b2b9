"""Reads what commands are given: Systems and topologies."""

from pathlib import Path

import openmm
from openmm import OpenMMException, app


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
