"""Batched dynamics and replica exchange from Python. What they compute is tested in C++."""

import gc

import numpy as np
import openmm
import peroxide
import pytest
from openmm import unit

import openmmflow

START = peroxide.make_positions(1, seed=4)[0]


@pytest.fixture
def potential(system):
    return openmmflow.BatchedPotential(system, "Reference", {"Threads": 2})


@pytest.fixture
def langevin(system, potential):
    integrator = openmmflow.BatchedLangevinMiddleIntegrator(
        system, potential, [300, 400, 300, 400], 1, 0.001, seed=3
    )
    integrator.setPositions(START)
    return integrator


def test_units(system, potential, langevin):
    other = openmmflow.BatchedLangevinMiddleIntegrator(
        system,
        potential,
        temperatures=np.tile([300, 400], 2) * unit.kelvin,
        friction=1e-3 / unit.femtosecond,
        stepSize=1 * unit.femtosecond,
        seed=3,
        properties={"Threads": 1},
    )
    assert other.getFriction() == pytest.approx(1) and other.getStepSize() == pytest.approx(0.001)
    other.setPositions(np.tile(START * 10, (4, 1, 1)) * unit.angstrom)
    for integrator in (langevin, other):
        integrator.step(20)
    np.testing.assert_allclose(other.getPositions(), langevin.getPositions(), atol=1e-9)
    assert langevin.getPositions().shape == langevin.getVelocities().shape == (4, 4, 3)
    np.testing.assert_allclose(
        langevin.getPotentialEnergies(), potential.energies(langevin.getPositions()), rtol=1e-12
    )
    assert langevin.getStepCount() == 20 and langevin.getNumReplicas() == 4


def test_velocities_and_temperatures(langevin):
    speed = unit.angstrom / unit.picosecond
    langevin.setVelocities(np.ones((4, 3)) * speed)
    np.testing.assert_allclose(langevin.getVelocities(), 0.1)
    langevin.setTemperatures([1200, 400, 300, 400] * unit.kelvin)
    np.testing.assert_allclose(langevin.getVelocities()[0], 0.2)
    np.testing.assert_array_equal(langevin.getTemperatures(), [1200, 400, 300, 400])
    langevin.setStepSize(2 * unit.femtosecond)
    assert langevin.getStepSize() == pytest.approx(0.002)


def test_the_potential_is_kept_alive(system):
    integrator = openmmflow.BatchedLangevinMiddleIntegrator(
        system, openmmflow.BatchedPotential(system, "Reference"), [300, 400], 1, 0.001
    )
    integrator.setPositions(START)
    exchange = openmmflow.ReplicaExchange(integrator, 2, 5)
    del integrator
    gc.collect()
    assert exchange.run(3) == 3


def test_hmc(system, potential):
    integrator = openmmflow.BatchedHMCIntegrator(system, potential, [300] * 8, 0.5 * unit.femtosecond, 10)
    integrator.setPositions(START)
    step_sizes, acceptances = integrator.tuneStepSize(0.7, 30)
    assert step_sizes.shape == acceptances.shape == (30,) and step_sizes[0] == pytest.approx(0.0005)
    integrator.step(20)
    assert integrator.getNumProposals() == 20 and integrator.getStepCount() == 50
    assert 0.4 < integrator.getNumAcceptances().mean() / 20 < 0.95
    assert integrator.getNumNonFinite().tolist() == [0] * 8


def test_replica_exchange(system, potential):
    ladder = openmmflow.ReplicaExchange.createTemperatures(300 * unit.kelvin, 600, 3, 2)
    np.testing.assert_allclose(ladder, np.tile([300, 300 * 2**0.5, 600], 2))
    integrator = openmmflow.BatchedLangevinMiddleIntegrator(system, potential, ladder, 5, 0.001)
    integrator.setPositions(START)
    exchange = openmmflow.ReplicaExchange(integrator, numTemperatures=3, interval=10)
    frames = []

    def collect(done, total):
        assert total == 100
        # The potential is free for others between exchanges.
        np.testing.assert_allclose(
            potential.energies(exchange.getPositions()), exchange.getPotentialEnergies()[:, 0], rtol=1e-9
        )
        frames.append(exchange.getPositions())
        return done < 60

    assert exchange.run(100, collect) == 60
    assert np.shape(frames) == (60, 2, 4, 3)
    assert exchange.getNumAttempts().tolist() == [60, 60]
    assert (exchange.getNumAcceptances() > 0).all() and exchange.getNumExchanges() == 60
    assert sorted(exchange.getLevels()) == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(integrator.getTemperatures(), exchange.getTemperatures()[exchange.getLevels()])
    checkpoint = exchange.createCheckpoint()
    exchange.run(5)
    after = exchange.getPositions(2)
    exchange.loadCheckpoint(checkpoint)
    exchange.run(5)
    np.testing.assert_array_equal(exchange.getPositions(2), after)


def test_what_a_callback_raises_comes_through(langevin):
    def fail(done, total):
        raise ValueError("no more")

    exchange = openmmflow.ReplicaExchange(langevin, 2, 5)
    with pytest.raises(ValueError, match="no more"):
        exchange.run(10, fail)
    assert exchange.getNumExchanges() == 1


def test_errors(system, potential, langevin):
    with pytest.raises(openmm.OpenMMException, match="Positions have shape"):
        langevin.setPositions(START[:3])
    with pytest.raises(openmm.OpenMMException, match="kelvin"):
        langevin.setTemperatures([1, 2, 3, 4] * unit.nanometer)
    with pytest.raises(openmm.OpenMMException, match="one for each"):
        langevin.setTemperatures([300])
    with pytest.raises(openmm.OpenMMException, match="number of steps"):
        langevin.step(-1)
    with pytest.raises(openmm.OpenMMException, match="checkpoint"):
        langevin.loadCheckpoint(b"nonsense")
    with pytest.raises(TypeError):
        openmmflow.BatchedLangevinMiddleIntegrator(system, potential, [300], 1 * unit.nanometer, 0.001)
    with pytest.raises(AttributeError):
        openmmflow.BatchedIntegrator()
