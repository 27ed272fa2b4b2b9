"""Flow and FlowBuilder."""

import copy
import json
import pickle

import numpy as np
import openmm
import peroxide
import pytest
from openmm import app, unit

import openmmflow


def test_properties(flow):
    assert flow.family == flow.getFamily() == "internal"
    assert flow.num_particles == flow.getNumParticles() == 4
    assert flow.num_augmented_particles == 0
    assert json.loads(flow.configuration)["couplings"] == 2
    assert len(flow.hash) == 16 and flow.hash in repr(flow)


def test_file_keeps_the_flow(flow, tmp_path):
    flow.save(tmp_path / "f.safetensors")
    assert openmmflow.Flow.load(str(tmp_path / "f.safetensors")).hash == flow.hash
    assert openmmflow.Flow.load(tmp_path / "f.safetensors").toBytes() == flow.toBytes()


@pytest.mark.parametrize("duplicate", [lambda f: pickle.loads(pickle.dumps(f)), copy.deepcopy])
def test_pickle(flow, duplicate):
    flow = flow.withMetadata("made by", "Ångström")
    other = duplicate(flow)
    assert other.hash == flow.hash and other.metadata == flow.metadata
    assert other.metadata["made by"] == "Ångström"


def test_bytes_are_safetensors(flow):
    data = flow.toBytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"]


@pytest.mark.parametrize("damage", [b"", b"x" * 20, b"\xff" * 8 + b"{}"])
def test_damaged_bytes(damage):
    with pytest.raises(openmm.OpenMMException):
        openmmflow.Flow.fromBytes(damage)


def test_missing_file(tmp_path):
    with pytest.raises(openmm.OpenMMException, match="none.safetensors"):
        openmmflow.Flow.load(tmp_path / "none.safetensors")
    with pytest.raises(openmm.OpenMMException):
        openmmflow.Flow.load(tmp_path)


def test_wrong_types():
    for call in (lambda: openmmflow.Flow.load(3), lambda: openmmflow.Flow.fromBytes("text"), openmmflow.Flow):
        with pytest.raises((TypeError, AttributeError)):
            call()


def test_reference_positions_with_units(topology):
    nanometers = peroxide.make_positions(1)[0]
    flows = [
        openmmflow.FlowBuilder.createInternal(topology, positions, couplings=2, hidden=8, blocks=1)
        for positions in (
            nanometers,
            nanometers.tolist(),
            unit.Quantity(nanometers * 10, unit.angstrom),
            [openmm.Vec3(*row) for row in nanometers] * unit.nanometer,
        )
    ]
    context = [openmmflow.FlowContext(flow, "Reference") for flow in flows]
    expected = context[0].sample(3)[0]
    for other in context[1:]:
        np.testing.assert_allclose(other.sample(3)[0], expected, atol=1e-9)


def test_reference_positions_of_another_shape(topology):
    with pytest.raises(openmm.OpenMMException, match=r"\(3, 3\).*\(4, 3\)"):
        openmmflow.createInternalFlow(topology, np.zeros((3, 3)))


def test_two_molecules_are_refused():
    topology = app.Topology()
    residue = topology.addResidue("HE", topology.addChain())
    for _ in range(4):
        topology.addAtom("He", app.Element.getBySymbol("He"), residue)
    with pytest.raises(openmm.OpenMMException):
        openmmflow.createInternalFlow(topology, np.random.default_rng(0).normal(size=(4, 3)))


def test_dipeptide(dipeptide):
    _, topology, positions = dipeptide
    flow = openmmflow.createInternalFlow(topology, positions, couplings=2, hidden=8, blocks=1)
    proposals, log_q = openmmflow.FlowContext(flow, "Reference").sample(10)
    assert proposals.shape == (10, 22, 3) and np.isfinite(log_q).all()


def test_check_system(system):
    openmmflow.FlowBuilder.checkSystem(system)
    constrained = copy.deepcopy(system)
    constrained.addConstraint(0, 1, 0.1)
    with pytest.raises(openmm.OpenMMException, match="constraint"):
        openmmflow.FlowBuilder.checkSystem(constrained)
    assert openmmflow.FlowBuilder.hashSystem(system) == openmmflow.FlowBuilder.hashSystem(
        copy.deepcopy(system)
    )
    softer = copy.deepcopy(system)
    softer.getForce(0).setBondParameters(0, 0, 1, 0.097, 1e5)
    assert openmmflow.FlowBuilder.hashSystem(system) != openmmflow.FlowBuilder.hashSystem(softer)
