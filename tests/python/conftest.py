"""What the tests share: two molecules with their flows, small enough that everything takes milliseconds."""

import importlib.util
import os
from pathlib import Path

import openmm
import peroxide
import pytest
from openmm import app

import openmmflow

SOURCE = Path(os.environ.get("OPENMMFLOW_SOURCE_DIR", Path(__file__).parents[2]))
DIPEPTIDE = SOURCE / "examples" / "alanine-dipeptide" / "vacuum"
SMALL = {"couplings": 2, "hidden": 16, "blocks": 1, "bins": 4}


@pytest.fixture(scope="session")
def states():
    """The module examples/alanine-dipeptide/states.py."""
    spec = importlib.util.spec_from_file_location("states", DIPEPTIDE.parent / "states.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def system():
    return peroxide.make_system()


@pytest.fixture(scope="session")
def topology():
    return peroxide.make_topology()


@pytest.fixture(scope="session")
def flow(topology):
    data = peroxide.make_positions(2000, seed=1)
    return openmmflow.createInternalFlow(topology, data[0], data, **SMALL)


@pytest.fixture(scope="session")
def sampler(system, flow):
    return openmmflow.FlowSampler(system, flow, peroxide.TEMPERATURE, "Reference")


@pytest.fixture(scope="session")
def ensemble(sampler):
    return sampler.sample(2000, seed=1)


@pytest.fixture(params=["Reference", "CPU"])
def context(request, flow):
    return openmmflow.FlowContext(
        flow, request.param, {"Precision": "double"} if request.param == "CPU" else {}
    )


@pytest.fixture(scope="session")
def dipeptide():
    """The System, Topology and positions (Quantity) of alanine dipeptide."""
    pdb = app.PDBFile(str(DIPEPTIDE / "topology.pdb"))
    system = openmm.XmlSerializer.deserialize((DIPEPTIDE / "system.xml").read_text())
    return system, pdb.topology, pdb.getPositions(asNumpy=True)


@pytest.fixture
def files(tmp_path, system, topology, flow):
    """A folder with flow.safetensors, system.xml and topology.pdb of hydrogen peroxide."""
    flow.save(tmp_path / "flow.safetensors")
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with open(tmp_path / "topology.pdb", "w") as file:
        app.PDBFile.writeFile(topology, peroxide.make_positions(1)[0] * 10, file)
    return tmp_path
