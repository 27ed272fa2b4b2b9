"""FlowSampler.anneal: what numpy and Quantity conventions add to the C++ tests, and that estimates are exact here too."""

import json
import pickle

import numpy as np
import openmm
import peroxide
import pytest
from openmm import unit

import openmmflow
from openmmflow import AnnealingSchedule, WeightedEnsemble
from openmmflow.report import write_report

PILOT = {"conditional_ess": 0.95, "leapfrog_steps": 8, "pilot_size": 200}


@pytest.fixture(scope="module")
def cold_sampler(system, flow):
    """A sampler whose target is much narrower than its flow."""
    return openmmflow.FlowSampler(system, flow, 100 * unit.kelvin, "CPU", {"Precision": "double"})


@pytest.fixture(scope="module")
def schedule(cold_sampler):
    return cold_sampler.planAnnealing(**PILOT)


@pytest.fixture(scope="module")
def annealed(cold_sampler, schedule):
    return cold_sampler.anneal(500, seed=1, schedule=schedule)


@pytest.mark.parametrize("island_size", [1, 20])
def test_partition_function_is_exact(sampler, island_size):
    ensemble = sampler.anneal(2000, seed=3, island_size=island_size, **PILOT)
    value, error = ensemble.log_partition_function
    assert error < 0.05
    assert value == pytest.approx(peroxide.log_partition_function(), abs=4 * error)


def test_annealing_helps(cold_sampler, annealed):
    assert annealed.effective_sample_fraction > 2 * cold_sampler.sample(2000).effective_sample_fraction


def test_ensemble_has_no_log_q(annealed):
    assert annealed.positions.shape == (500, 4, 3) and annealed.log_weights.shape == (500,)
    assert not annealed.hasLogQ() and annealed.block_size == 1
    with pytest.raises(openmm.OpenMMException, match="has no log q"):
        _ = annealed.log_q
    assert np.isnan(annealed.acceptance)
    assert annealed.sample_ranges == [(1, 0, 500)]
    x = np.linalg.norm(annealed.positions[:, 0] - annealed.positions[:, 1], axis=1)
    average, error = annealed.expectation(x * unit.nanometer)
    assert average.unit == unit.nanometer and error.value_in_unit(unit.nanometer) > 0
    assert len(annealed.resample(100)) == 100


def test_schedule(cold_sampler, annealed, schedule):
    assert schedule.betas[0] == 0 and schedule.betas[-1] == 1 and (np.diff(schedule.betas) > 0).all()
    assert len(schedule.step_sizes) == len(schedule.acceptances) == len(schedule.betas) - 1
    record = json.loads(annealed.metadata["annealing"])
    np.testing.assert_array_equal(record["betas"], schedule.betas)
    assert (record["pilot_size"], record["pilot_seed"], record["leapfrog_steps"]) == (200, 0, 8)
    for same in (annealed.metadata["annealing"], pickle.loads(pickle.dumps(schedule))):
        again = cold_sampler.anneal(100, seed=1, first=400, schedule=same)
        np.testing.assert_array_equal(again.log_weights, annealed.log_weights[400:])
        np.testing.assert_array_equal(again.positions, annealed.positions[400:])
    assert str(AnnealingSchedule.fromJson(str(schedule))) == str(schedule)
    assert str(cold_sampler.planAnnealing(pilot_seed=1, **PILOT)) != str(schedule)


def test_islands(cold_sampler, schedule, tmp_path):
    ensemble = cold_sampler.anneal(np.int64(200), island_size=np.int64(10), schedule=schedule)
    assert ensemble.block_size == 10 and 1 < ensemble.getNumEffectiveBlocks() <= 20
    ensemble.save(tmp_path / "e.safetensors")
    for again in (WeightedEnsemble.load(tmp_path / "e.safetensors"), pickle.loads(pickle.dumps(ensemble))):
        np.testing.assert_array_equal(again.log_weights, ensemble.log_weights)
        np.testing.assert_array_equal(again.positions, ensemble.positions)
        assert again.block_size == 10 and again.metadata == ensemble.metadata
        assert again.log_partition_function == ensemble.log_partition_function
    more = cold_sampler.anneal(100, first=200, island_size=10, schedule=schedule)
    assert len(WeightedEnsemble.merge([ensemble, more])) == 300
    with pytest.raises(openmm.OpenMMException, match="blocks of 10"):
        ensemble.slice(0, 5)


def test_file_holds_the_ensemble(cold_sampler, schedule, annealed, tmp_path):
    path = tmp_path / "e.safetensors"
    summary = cold_sampler.annealToFile(path, 500, seed=1, schedule=schedule)
    loaded = WeightedEnsemble.load(path)
    np.testing.assert_array_equal(loaded.positions, annealed.positions)
    np.testing.assert_array_equal(loaded.log_weights, annealed.log_weights)
    assert loaded.metadata == annealed.metadata and loaded.sample_ranges == annealed.sample_ranges
    assert not summary.hasPositions()
    assert summary.log_partition_function == annealed.log_partition_function

    def fail(done, total):
        if done == 1024:
            raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        cold_sampler.annealToFile(path, 10**6, schedule=schedule, progress=fail)
    assert len(WeightedEnsemble.load(path)) == 1024
    with pytest.raises(openmm.OpenMMException, match="no DCD file"):
        cold_sampler.annealToFile(tmp_path / "out.dcd", 10)


def test_energies_are_verified(system, flow, schedule):
    sampler = openmmflow.FlowSampler(system, flow, 100 * unit.kelvin, "CPU")
    sampler.setEnergyVerification(0.1)
    ensemble = sampler.anneal(100, schedule=schedule)
    assert ensemble.metadata["verified_energies"] == "0.1"


def test_from_log_weights(annealed):
    positions = unit.Quantity(annealed.positions * 10, unit.angstrom)
    again = WeightedEnsemble.fromLogWeights(
        positions, annealed.log_weights, annealed.reduced_potentials, 100 * unit.kelvin, block_size=5
    )
    np.testing.assert_allclose(again.positions, annealed.positions)
    assert again.block_size == 5
    assert again.log_partition_function[0] == pytest.approx(annealed.log_partition_function[0])


def test_report(annealed, topology, tmp_path):
    annealed.save(tmp_path / "e.safetensors")
    assert "accepted; rejected" in str(WeightedEnsemble.load(tmp_path / "e.safetensors"))
    write_report(annealed, topology, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "of a Metropolis move with this flow" not in page and "betas" not in page


def test_progress(cold_sampler, schedule):
    calls = []

    def stop(done, total):
        calls.append((done, total))
        return done < 1024

    part = cold_sampler.anneal(10**6, schedule=schedule, progress=stop)
    assert len(part) == 1024 and calls[-1] == (1024, 10**6)
    # After each step, samples on their way count in part.
    assert [total for _, total in calls] == [10**6] * (len(schedule.betas) - 1)
    assert 0 < calls[0][0] < calls[1][0] < 1024
    with pytest.raises(openmm.OpenMMException, match="stopped"):
        cold_sampler.planAnnealing(lambda *call: False, **PILOT)

    def fail(done, total):
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        cold_sampler.anneal(10**6, schedule=schedule, progress=fail)
    with pytest.raises(RuntimeError, match="out of paper"):
        cold_sampler.planAnnealing(fail, **PILOT)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"island_size": 0}, "island size"),
        ({"island_size": 3}, "islands of 3"),
        ({"resampling_threshold": 2}, "threshold"),
        ({"conditional_ess": 1.0}, "fraction"),
        ({"acceptance": 0}, "acceptance"),
        ({"leapfrog_steps": 0}, "leapfrog"),
        ({"moves_per_beta": 0}, "moves"),
        ({"pilot_size": 3}, "pilot"),
        ({"pilot_seed": -1}, "seed"),
        ({"schedule": "{}"}, "schedule"),
        ({"first": -1}, "Samples"),
    ],
)
def test_bad_options(sampler, arguments, words):
    with pytest.raises(openmm.OpenMMException, match=words):
        sampler.anneal(10, **arguments)


def test_a_schedule_leaves_no_pilot(sampler, schedule):
    with pytest.raises(openmm.OpenMMException, match="conditional_ess"):
        sampler.anneal(10, schedule=schedule, conditional_ess=0.9)
    with pytest.raises(TypeError):
        sampler.anneal(10, colour="red")
    with pytest.raises(TypeError):
        sampler.anneal(10, leapfrog_steps=2.5)
