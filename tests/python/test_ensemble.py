"""WeightedEnsemble from arrays whose statistics numpy can compute."""

import pickle
import warnings

import mdtraj
import numpy as np
import openmm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openmm import app, unit

from openmmflow import FlowSampler, WeightedEnsemble


def make(count=500, seed=0, spread=0.7):
    rng = np.random.default_rng(seed)
    return WeightedEnsemble.fromArrays(
        rng.normal(size=(count, 4, 3)), rng.normal(size=count), rng.normal(scale=spread, size=count), 300
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 300), st.integers(0, 1000), st.floats(0, 4))
def test_statistics(count, seed, spread):
    ensemble = make(count, seed, spread)
    weights = np.exp(-ensemble.reduced_potentials - ensemble.log_q)
    np.testing.assert_allclose(np.exp(ensemble.log_weights), weights)
    ess = weights.sum() ** 2 / (weights**2).sum()
    assert ensemble.effective_sample_size == pytest.approx(ess)
    assert ensemble.effective_sample_fraction == pytest.approx(ess / count)
    value, error = ensemble.log_partition_function
    assert value == pytest.approx(np.log(weights.mean()), abs=1e-9) and error >= 0
    x = ensemble.positions[:, 0, 0]
    mean, error = ensemble.expectation(x)
    assert mean == pytest.approx(np.average(x, weights=weights), abs=1e-9)
    normalised = weights / weights.sum()
    assert error == pytest.approx(np.sqrt(np.sum(normalised**2 * (x - mean) ** 2)), rel=0.02 + 3 / count)


def test_pareto_k_is_that_of_arviz():
    import arviz

    for seed, spread in enumerate((0.5, 1.5, 3.0)):
        ensemble = make(3000, seed, spread)
        _, expected = arviz.psislw(np.array(ensemble.log_weights))
        assert ensemble.pareto_k == pytest.approx(float(expected), abs=0.03)


def test_free_energy_difference():
    ensemble = make()
    weights = np.exp(ensemble.log_weights)
    right = ensemble.positions[:, 0, 0] > 0
    value, error = ensemble.free_energy_difference(~right, right)
    assert value == pytest.approx(-np.log(weights[right].sum() / weights[~right].sum()))
    assert 0 < error < 0.5
    assert ensemble.free_energy_difference(right, ~right)[0] == pytest.approx(-value)
    for wrong in (right[:-1], right.astype(int), "mask", None):
        with pytest.raises(openmm.OpenMMException, match="region"):
            ensemble.free_energy_difference(wrong, right)


def test_expectation_with_units():
    ensemble = make()
    x = ensemble.positions[:, 0, 0]
    value, error = ensemble.expectation(unit.Quantity(x, unit.kilocalorie_per_mole))
    assert value.value_in_unit(unit.kilocalorie_per_mole) == pytest.approx(ensemble.expectation(x)[0])
    assert error.unit == unit.kilocalorie_per_mole
    masked = np.ma.masked_array(x, mask=x > 0)
    for wrong in (x[:-1], ensemble.positions, "values", x.astype(str), x.astype("datetime64[s]"), masked):
        with pytest.raises(openmm.OpenMMException, match="Values"):
            ensemble.expectation(wrong)


def test_weight_zero_is_counted():
    log_q = np.array([0.0, np.inf, 0.0, 0.0])
    u = np.array([0.0, 0.0, np.nan, np.inf])
    ensemble = WeightedEnsemble.fromArrays(np.zeros((4, 3, 3)), log_q, u, 300 * unit.kelvin)
    assert (ensemble.getNumOffSupport(), ensemble.getNumNonFinite()) == (1, 2)
    np.testing.assert_array_equal(ensemble.log_weights, [0, -np.inf, -np.inf, -np.inf])
    assert ensemble.log_partition_function[0] == pytest.approx(np.log(0.25))


def test_views_stay_valid():
    ensemble = make(seed=1)
    view, kept = ensemble.positions, ensemble.positions.copy()
    assert not view.flags.writeable and view.shape == (500, 4, 3)
    ensemble.append(make(seed=2))
    assert len(ensemble) == 1000 and ensemble.positions.shape == (1000, 4, 3)
    np.testing.assert_array_equal(view, kept)
    del ensemble
    np.testing.assert_array_equal(view, kept)


def test_merge():
    parts = [make(seed=seed) for seed in range(3)]
    merged = WeightedEnsemble.merge(parts)
    np.testing.assert_array_equal(merged.log_q, np.concatenate([part.log_q for part in parts]))
    assert len(parts[0]) == 500
    with pytest.raises(openmm.OpenMMException, match="merge"):
        WeightedEnsemble.merge([])


def test_merge_refuses_the_same_samples(sampler):
    first = sampler.sample(10, seed=1)
    assert first.sample_ranges == [(1, 0, 10)]
    with pytest.raises(openmm.OpenMMException):
        first.append(sampler.sample(10, seed=1, first=5))
    first.append(sampler.sample(10, seed=1, first=10))
    np.testing.assert_array_equal(first.log_weights, sampler.sample(20, seed=1).log_weights)


def same(first, second):
    assert (len(first), first.temperature) == (len(second), second.temperature)
    log_q = ("log_q",) if first.hasLogQ() else ()
    for name in ("positions", *log_q, "reduced_potentials", "log_weights"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.metadata == second.metadata and first.sample_ranges == second.sample_ranges


def test_pickle_and_file(ensemble, tmp_path):
    same(pickle.loads(pickle.dumps(ensemble)), ensemble)
    ensemble.save(tmp_path / "e.safetensors")
    same(WeightedEnsemble.load(tmp_path / "e.safetensors"), ensemble)
    resampled = ensemble.resample(50, seed=3)
    same(pickle.loads(pickle.dumps(resampled)), resampled)


def test_resample(ensemble):
    resampled = ensemble.resample(4000, seed=1)
    assert len(resampled) == 4000 and np.ptp(resampled.log_weights) == 0
    x = np.linalg.norm(ensemble.positions[:, 0] - ensemble.positions[:, 3], axis=1)
    mean, error = ensemble.expectation(x)
    y = np.linalg.norm(resampled.positions[:, 0] - resampled.positions[:, 3], axis=1)
    assert abs(y.mean() - mean) < 3 * error
    assert np.isnan(resampled.expectation(y)[1])
    with pytest.raises(openmm.OpenMMException):
        ensemble.resample(-1)


def test_text(ensemble):
    assert str(ensemble) == ensemble.toString()
    assert "Pareto k" in str(ensemble) and "2000 samples" in repr(ensemble)


def test_dcd(ensemble, topology, tmp_path):
    resampled = ensemble.resample(20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resampled.save(tmp_path / "out.dcd", topology)
    trajectory = mdtraj.load(str(tmp_path / "out.dcd"), top=mdtraj.Topology.from_openmm(topology))
    np.testing.assert_allclose(trajectory.xyz, resampled.positions, atol=1e-6)
    assert not list(tmp_path.glob("*.part"))
    with pytest.warns(UserWarning, match="resample"):
        ensemble.save(tmp_path / "weighted.dcd")
    with pytest.raises(openmm.OpenMMException, match="atoms"):
        resampled.save(tmp_path / "wrong.dcd", app.Topology())
    with pytest.raises(openmm.OpenMMException, match="nowhere"):
        resampled.save(tmp_path / "nowhere" / "out.dcd")


def test_wrong_arrays():
    with pytest.raises(openmm.OpenMMException):
        WeightedEnsemble.fromArrays(np.zeros((3, 4, 3)), np.zeros(2), np.zeros(3), 300)
    with pytest.raises(openmm.OpenMMException, match="shape"):
        WeightedEnsemble.fromArrays(np.zeros((3, 4)), np.zeros(3), np.zeros(3), 300)
    with pytest.raises(TypeError):
        WeightedEnsemble.fromArrays(np.zeros((3, 4, 3)), np.zeros(3), np.zeros(3), 300 * unit.nanometer)


def test_units_of_arrays():
    zeros = np.zeros(2)
    with pytest.raises(openmm.OpenMMException, match="kilojoule/mole"):
        WeightedEnsemble.fromArrays(np.zeros((2, 1, 3)), zeros, zeros * unit.kilojoule_per_mole, 300)


def test_dcd_of_nothing(ensemble, tmp_path):
    with pytest.raises(openmm.OpenMMException, match="cannot be empty"):
        ensemble.slice(0, 0).save(tmp_path / "empty.dcd")


def test_empty_ensembles_are_checked_too(sampler, system, flow):
    other = FlowSampler(system, flow, 350, "Reference").sample(5)
    with pytest.raises(openmm.OpenMMException, match="temperatures"):
        WeightedEnsemble.merge([sampler.sample(0), other])
    assert len(WeightedEnsemble.merge([sampler.sample(0), sampler.sample(5)])) == 5


def test_numpy_integers_and_shapes(ensemble):
    assert len(ensemble.slice(np.int64(2), np.int64(7))) == 5
    with pytest.raises(openmm.OpenMMException, match="log q"):
        WeightedEnsemble.fromArrays(ensemble.positions[:4], np.zeros((2, 2)), np.zeros(4), 300)


def test_no_trajectory_of_nothing(tmp_path, ensemble):
    empty = WeightedEnsemble.fromArrays(ensemble.positions[:3], ensemble.log_q[:3], np.full(3, np.inf), 300)
    with pytest.raises(openmm.OpenMMException, match="positive weight"):
        empty.save(tmp_path / "empty.dcd")
    one = WeightedEnsemble.fromArrays(ensemble.positions[:2], np.zeros(2), [1.0, np.inf], 300)
    value, error = one.expectation([5.0, 7.0])
    assert value == 5.0 and np.isnan(error)
