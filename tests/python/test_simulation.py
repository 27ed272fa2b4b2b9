"""Forces of openmm-flow in Systems, Contexts and Simulations."""

import csv
import gc
import io

import numpy as np
import openmm
import peroxide
import pytest
from openmm import app, unit

import openmmflow


def make_integrator():
    integrator = openmm.LangevinMiddleIntegrator(peroxide.TEMPERATURE, 1, 0.0005)
    integrator.setRandomNumberSeed(1)
    return integrator


def make_move(flow, frequency=5, **keywords):
    move = openmmflow.MonteCarloFlowMove(
        flow, peroxide.TEMPERATURE * unit.kelvin, frequency=frequency, **keywords
    )
    move.setRandomNumberSeed(2)
    return move


@pytest.fixture
def own_system():
    return peroxide.make_system()


@pytest.fixture
def start():
    return peroxide.make_positions(1, seed=5)[0]


def test_two_lines_in_a_script(own_system, topology, flow, start, tmp_path):
    own_system.addForce(openmmflow.MonteCarloFlowMove(flow, peroxide.TEMPERATURE * unit.kelvin, frequency=50))
    simulation = app.Simulation(
        topology, own_system, make_integrator(), openmm.Platform.getPlatform("Reference")
    )
    simulation.context.setPositions(start)
    simulation.reporters.append(openmmflow.FlowMoveReporter(tmp_path / "moves.csv", 100))
    simulation.step(1000)
    with open(tmp_path / "moves.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row['#"Step"'] if '#"Step"' in row else row["#Step"] for row in rows] == [
        str(100 * (k + 1)) for k in range(10)
    ]
    assert [int(row["Attempts"]) for row in rows] == [2 * (k + 1) for k in range(10)]
    assert all(0 <= int(row["Acceptances"]) <= int(row["Attempts"]) for row in rows)
    assert int(rows[-1]["Acceptances"]) > 0
    assert float(rows[-1]["Log Ratio 5%"]) <= float(rows[-1]["Log Ratio 95%"])


def test_system_owns_the_force(own_system, flow):
    move = make_move(flow)
    assert isinstance(move, openmm.Force) and move.thisown
    assert own_system.addForce(move) == 3
    assert not move.thisown
    with pytest.raises(Exception, match="own"):
        own_system.addForce(move)
    del move
    gc.collect()
    force = own_system.getForce(3)
    assert force.getName() == "MonteCarloFlowMove"
    assert openmmflow.MonteCarloFlowMove.isinstance(force)
    assert not openmmflow.BoltzmannGeneratorForce.isinstance(force)
    assert not openmmflow.MonteCarloFlowMove.isinstance(own_system.getForce(0))
    assert openmmflow.MonteCarloFlowMove.cast(force).getFrequency() == 5
    with pytest.raises(openmm.OpenMMException, match='"HarmonicBondForce" is not a MonteCarloFlowMove'):
        openmmflow.MonteCarloFlowMove.cast(own_system.getForce(0))


def test_settings_of_a_move(flow):
    move = make_move(flow, particles=[3, 2, 1, 0])
    assert move.getParticles() == (3, 2, 1, 0)
    assert make_move(flow).getParticles() == () == make_move(flow, particles=None).getParticles()
    assert make_move(flow, particles=np.arange(4)).getParticles() == (0, 1, 2, 3)
    assert move.getDefaultTemperature() == peroxide.TEMPERATURE
    assert move.getFlow().hash == flow.hash
    assert move.getNumProposals() == 1 and move.getRandomNumberSeed() == 2
    move.setNumProposals(8)
    assert move.getNumProposals() == 8
    move.setDefaultTemperature(20 * unit.kelvin)
    assert move.getDefaultTemperature() == 20
    move.setForceGroup(4)
    assert move.getForceGroup() == 4
    assert openmmflow.MonteCarloFlowMove.Temperature() == "MonteCarloFlowTemperature"
    with pytest.raises(openmm.OpenMMException, match="temperature"):
        openmmflow.MonteCarloFlowMove(flow, -3, 5)
    with pytest.raises(TypeError):
        openmmflow.MonteCarloFlowMove(flow, 300 * unit.nanometer, 5)
    with pytest.raises(TypeError):
        openmmflow.MonteCarloFlowMove(flow, 300, 5, [0.5, 1, 2, 3])


def test_statistics(own_system, flow, start):
    move = make_move(flow, frequency=1)
    own_system.addForce(move)
    integrator = openmm.CustomIntegrator(0.001)
    integrator.addUpdateContextState()
    context = openmm.Context(own_system, integrator, openmm.Platform.getPlatform("Reference"))
    context.setPositions(start)
    integrator.step(100)
    statistics = move.getStatistics(context)
    integrator.step(100)
    assert statistics.attempts == 100 and move.getStatistics(context).attempts == 200
    assert 0 < statistics.acceptances == round(100 * statistics.acceptance)
    assert statistics.not_finite == 0 and statistics.off_support >= 0
    assert statistics.log_ratios.shape == (100,)
    assert statistics.getLogRatioQuantile(1) == statistics.log_ratios.max()
    assert "of 100 flow moves accepted" in repr(statistics)
    # What was asked for outlives the Context.
    del context, integrator
    gc.collect()
    assert statistics.attempts == 100


def test_errors_are_openmms(own_system, flow):
    own_system.addForce(make_move(flow))
    with pytest.raises(openmm.OpenMMException, match="integrator keeps 350 K"):
        openmm.Context(own_system, openmm.LangevinMiddleIntegrator(350, 1, 0.001))


def test_reporter_needs_a_move(own_system, topology, flow, start):
    simulation = app.Simulation(
        topology, own_system, make_integrator(), openmm.Platform.getPlatform("Reference")
    )
    simulation.context.setPositions(start)
    simulation.reporters.append(openmmflow.FlowMoveReporter(io.StringIO(), 10))
    with pytest.raises(openmm.OpenMMException, match="no MonteCarloFlowMove"):
        simulation.step(10)


def test_reporter_writes_a_row_for_each_move(own_system, topology, flow, start):
    own_system.addForce(make_move(flow, frequency=5))
    own_system.addForce(make_move(flow, frequency=10, particles=[3, 2, 1, 0]))
    simulation = app.Simulation(
        topology, own_system, make_integrator(), openmm.Platform.getPlatform("Reference")
    )
    simulation.context.setPositions(start)
    file = io.StringIO()
    simulation.reporters.append(openmmflow.FlowMoveReporter(file, 20, separator=";", append=True))
    simulation.step(40)
    rows = [line.split(";") for line in file.getvalue().splitlines()]
    assert [row[:3] for row in rows] == [
        ["20", "3", "4"],
        ["20", "4", "2"],
        ["40", "3", "8"],
        ["40", "4", "4"],
    ]


def test_boltzmann_generator_force(flow):
    system = openmm.System()
    for mass in (1, 16, 16, 1, 40):
        system.addParticle(mass)
    force = openmmflow.BoltzmannGeneratorForce(flow, [3, 2, 1, 0], peroxide.TEMPERATURE * unit.kelvin)
    force.setForceGroup(2)
    assert force.getParticles() == (3, 2, 1, 0) and force.getTemperature() == peroxide.TEMPERATURE
    force.setDefaultScale(0.5)
    force.setScaleParameterName("lambda")
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
    assert dict(context.getParameters()) == {"lambda": 0.5}
    positions, log_q = openmmflow.FlowContext(flow, "Reference").sample(1, seed=3)
    context.setPositions(np.concatenate([positions[0, ::-1], [[1, 1, 1]]]))
    state = context.getState(energy=True, forces=True, parameterDerivatives=True, groups={2})
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert energy == pytest.approx(-0.5 * peroxide.KT * log_q[0], rel=1e-6)
    assert state.getEnergyParameterDerivatives()["lambda"] == pytest.approx(2 * energy, rel=1e-6)
    gradient = openmmflow.FlowContext(flow, "Reference").logDensityGradient(positions)[0]
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    np.testing.assert_allclose(forces[3::-1], 0.5 * peroxide.KT * gradient, rtol=1e-5, atol=1e-3)
    assert (forces[4] == 0).all()
    assert openmmflow.BoltzmannGeneratorForce.cast(system.getForce(0)).getScaleParameterName() == "lambda"
    assert openmmflow.BoltzmannGeneratorForce.Scale() == "BoltzmannGeneratorScale"


def test_a_simulation_continues_from_its_checkpoint(own_system, topology, flow, start, tmp_path):
    own_system.addForce(make_move(flow))

    def make_simulation():
        return app.Simulation(
            topology, own_system, make_integrator(), openmm.Platform.getPlatform("Reference")
        )

    def positions(simulation):
        return simulation.context.getState(positions=True).getPositions(asNumpy=True)._value

    simulation = make_simulation()
    simulation.context.setPositions(start)
    simulation.step(33)
    simulation.saveCheckpoint(str(tmp_path / "checkpoint"))
    simulation.step(200)
    again = make_simulation()
    again.loadCheckpoint(str(tmp_path / "checkpoint"))
    again.step(200)
    np.testing.assert_array_equal(positions(again), positions(simulation))


def test_a_force_that_fails_in_the_middle_of_a_move_leaves_the_positions(own_system, flow, start):
    calls = {"made": 0, "failing": 0}

    def compute(state):
        calls["made"] += 1
        if calls["made"] == calls["failing"]:
            raise ValueError("out of order")
        return 0.0, np.zeros((4, 3))

    own_system.addForce(openmm.PythonForce(compute))
    move = make_move(flow, frequency=1)
    own_system.addForce(move)
    integrator = make_integrator()
    context = openmm.Context(own_system, integrator, openmm.Platform.getPlatform("Reference"))
    failures = 0
    while move.getStatistics(context).attempts == 0:
        context.setPositions(start)
        context.setVelocitiesToTemperature(peroxide.TEMPERATURE, 1)
        calls.update(made=0, failing=failures + 1)
        with pytest.raises(Exception, match="out of order"):
            integrator.step(1)
        if move.getStatistics(context).attempts == 0:
            found = context.getState(positions=True).getPositions(asNumpy=True)._value
            assert np.array_equal(found, start)
            failures += 1
    # In the energy before, in that of the proposal, and twice in the forces that velocities need.
    assert failures == 4
