"""Forces of openmm-flow in XML, pickles, copies and other processes."""

import copy
import multiprocessing
import pickle

import openmm
import peroxide
import pytest

import openmmflow


def make_force(flow):
    force = openmmflow.BoltzmannGeneratorForce(flow, [3, 2, 1, 0], 321.5)
    force.setName("reversed")
    force.setForceGroup(5)
    return force


def make_move(flow):
    move = openmmflow.MonteCarloFlowMove(flow, peroxide.TEMPERATURE, 7)
    move.setNumProposals(3)
    move.setRandomNumberSeed(11)
    return move


COPIES = {
    "pickle": lambda force: pickle.loads(pickle.dumps(force)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "clone": lambda force: type(force).cast(openmm.XmlSerializer.clone(force)),
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_forces(flow, how):
    force = make_force(flow)
    found = COPIES[how](force)
    assert (found.getParticles(), found.getTemperature()) == ((3, 2, 1, 0), 321.5)
    assert (found.getName(), found.getForceGroup()) == ("reversed", 5)
    assert found.getFlow().toBytes() == flow.toBytes()
    move = COPIES[how](make_move(flow))
    assert (move.getFrequency(), move.getNumProposals(), move.getRandomNumberSeed()) == (7, 3, 11)


def test_a_copy_can_be_added_to_a_system(flow):
    system = peroxide.make_system()
    count = system.getNumForces()
    found = copy.copy(make_move(flow))
    assert found.thisown
    system.addForce(found)
    assert not found.thisown
    assert openmmflow.MonteCarloFlowMove.isinstance(system.getForce(count))


def energy_of(system, positions):
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference"))
    context.setPositions(positions)
    return context.getState(getEnergy=True).getPotentialEnergy()._value


def steps_of(system, positions):
    """Return where a simulation with moves arrives."""
    integrator = openmm.LangevinMiddleIntegrator(peroxide.TEMPERATURE, 1, 0.0005)
    integrator.setRandomNumberSeed(4)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference"))
    context.setPositions(positions)
    integrator.step(50)
    return context.getState(getPositions=True).getPositions(asNumpy=True)._value.tolist()


@pytest.mark.parametrize("compute", [energy_of, steps_of])
def test_systems_travel_to_other_processes(flow, compute):
    system = peroxide.make_system()
    system.addForce(make_force(flow) if compute is energy_of else make_move(flow))
    positions = peroxide.make_positions(1, seed=5)[0].tolist()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(compute, (system, positions)) == compute(copy.deepcopy(system), positions)


def test_damaged_xml_is_refused(flow):
    xml = openmm.XmlSerializer.serialize(make_move(flow))
    with pytest.raises(openmm.OpenMMException, match="Cannot read the flow of a MonteCarloFlowMove from XML"):
        openmm.XmlSerializer.deserialize(xml.replace('hash="', 'hash="0'))
    with pytest.raises(openmm.OpenMMException, match="is not a BoltzmannGeneratorForce"):
        openmmflow.BoltzmannGeneratorForce.cast(openmm.XmlSerializer.deserialize(xml))
