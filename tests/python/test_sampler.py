"""FlowSampler against exact results of a separable molecule."""

import sys

import numpy as np
import openmm
import peroxide
import pytest
from openmm import unit

import openmmflow


def test_partition_function_is_exact(sampler):
    ensemble = sampler.sample(20000, seed=11)
    assert ensemble.effective_sample_fraction > 0.3
    assert ensemble.pareto_k < 0.7
    value, error = ensemble.log_partition_function
    assert error < 0.02
    assert value == pytest.approx(peroxide.log_partition_function(), abs=4 * error)


def test_ensemble_is_what_it_says(sampler, ensemble, system, flow):
    np.testing.assert_allclose(
        openmmflow.FlowContext(flow, "Reference").logDensity(ensemble.positions), ensemble.log_q, atol=1e-6
    )
    energies = openmmflow.BatchedPotential(system, "Reference").energies(ensemble.positions)
    np.testing.assert_allclose(energies / peroxide.KT, ensemble.reduced_potentials, rtol=1e-9)
    np.testing.assert_allclose(ensemble.log_weights, -ensemble.reduced_potentials - ensemble.log_q)
    assert ensemble.temperature == sampler.getTemperature() == peroxide.TEMPERATURE
    assert ensemble.metadata["flow"] == flow.hash
    assert ensemble.metadata["system"] == openmmflow.FlowBuilder.hashSystem(system)
    positions, log_q = sampler.propose(2000, seed=1)
    np.testing.assert_array_equal(positions, ensemble.positions)
    np.testing.assert_array_equal(log_q, ensemble.log_q)


@pytest.mark.parametrize("temperature", [300, 300.0, np.float32(300), 300 * unit.kelvin])
def test_temperature(system, flow, temperature):
    assert openmmflow.FlowSampler(system, flow, temperature).getTemperature() == 300


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf])
def test_impossible_temperature(system, flow, temperature):
    with pytest.raises(openmm.OpenMMException):
        openmmflow.FlowSampler(system, flow, temperature)


@pytest.mark.parametrize("temperature", ["300", None, 300 * unit.nanometer])
def test_no_temperature(system, flow, temperature):
    with pytest.raises(TypeError):
        openmmflow.FlowSampler(system, flow, temperature)


def test_keywords(system, flow):
    platform = openmm.Platform.getPlatform("CPU")
    sampler = openmmflow.FlowSampler(
        system=system, flow=flow, temperature=300, platform=platform, properties={"Precision": "double"}
    )
    assert "CPU" in sampler.getDescription()
    assert sampler.getFlow().hash == flow.hash


def test_unsuitable_system(flow, dipeptide):
    with pytest.raises(openmm.OpenMMException, match="22"):
        openmmflow.FlowSampler(dipeptide[0], flow, 300)
    constrained = peroxide.make_system()
    constrained.addConstraint(0, 1, 0.1)
    with pytest.raises(openmm.OpenMMException, match="constraint"):
        openmmflow.FlowSampler(constrained, flow, 300)


def test_reweight(sampler, ensemble, monkeypatch):
    again = sampler.reweight(ensemble.positions)
    np.testing.assert_allclose(again.log_weights, ensemble.log_weights, atol=1e-6)
    monkeypatch.setattr("openmmflow.openmmflow.BLOCK", 300)
    calls = []
    in_blocks = sampler.reweight(ensemble.positions * unit.nanometer, lambda *call: calls.append(call))
    np.testing.assert_array_equal(in_blocks.log_weights, again.log_weights)
    assert calls[0] == (300, 2000) and calls[-1] == (2000, 2000)
    assert len(sampler.reweight(np.zeros((0, 4, 3)))) == 0


def test_reweight_refuses_what_the_flow_cannot_draw(dipeptide):
    system, topology, positions = dipeptide
    flow = openmmflow.createInternalFlow(topology, positions, couplings=2, hidden=8, blocks=1)
    mirrored = positions.value_in_unit(unit.nanometer)[np.newaxis] * [-1, 1, 1]
    with pytest.raises(openmm.OpenMMException, match="support"):
        openmmflow.FlowSampler(system, flow, 300).reweight(mirrored)


def test_progress(sampler):
    calls = []
    sampler.sample(3000, progress=lambda *call: calls.append(call))
    assert calls[-1] == (3000, 3000)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_stopping(sampler, tmp_path):
    count = 10**7
    part = sampler.sample(count, progress=lambda done, total: False)
    assert 0 < len(part) < count
    path = tmp_path / "part.safetensors"
    written = sampler.sampleToFile(path, count, progress=lambda done, total: False)
    loaded = openmmflow.WeightedEnsemble.load(path)
    np.testing.assert_array_equal(loaded.log_weights, written.log_weights)
    assert loaded.sample_ranges == [(0, 0, len(loaded))]


def test_errors_in_progress_are_raised(sampler, tmp_path):
    def fail(done, total):
        raise RuntimeError("out of paper")

    for call in (sampler.sample, lambda *a, **k: sampler.sampleToFile(tmp_path / "e.safetensors", *a, **k)):
        with pytest.raises(RuntimeError, match="out of paper"):
            call(10**6, progress=fail)
    assert len(openmmflow.WeightedEnsemble.load(tmp_path / "e.safetensors")) > 0
    # The sampler works on, and no reference was lost.
    before = sys.getrefcount(fail)
    with pytest.raises(RuntimeError):
        sampler.sample(10, progress=fail)
    assert len(sampler.sample(10)) == 10
    assert sys.getrefcount(fail) <= before + 1


def test_file_holds_the_ensemble(sampler, tmp_path):
    path = tmp_path / "e.safetensors"
    summary = sampler.sampleToFile(path, 5000, seed=2)
    expected = sampler.sample(5000, seed=2)
    loaded = openmmflow.WeightedEnsemble.load(path)
    np.testing.assert_allclose(loaded.positions, expected.positions, atol=1e-6)
    np.testing.assert_array_equal(loaded.log_weights, expected.log_weights)
    assert not summary.hasPositions() and loaded.hasPositions()
    assert summary.log_partition_function == expected.log_partition_function
    with pytest.raises(openmm.OpenMMException, match="file"):
        _ = summary.positions


def test_the_callback_may_call_the_sampler(sampler):
    ensemble = sampler.sample(10, progress=lambda done, total: len(sampler.propose(1)[1]) == 1)
    assert len(ensemble) == 10


def test_sample_indices_out_of_range(sampler, tmp_path):
    for arguments in ({"seed": -1}, {"seed": 2**64}, {"first": 2**64 - 9}, {"first": -1}):
        with pytest.raises(openmm.OpenMMException, match=r"2\^64-"):
            sampler.propose(10, **arguments)
    assert len(sampler.propose(10, first=2**64 - 11)[1]) == 10
    with pytest.raises(openmm.OpenMMException, match="no DCD file"):
        sampler.sampleToFile(tmp_path / "out.dcd", 10)


def test_reweight_names_the_frame_and_ignores_the_centre(sampler):
    positions = sampler.sample(20, seed=2).positions
    drawn = sampler.reweight(positions)
    moved = sampler.reweight(positions + [1.0, -2.0, 3.0])
    np.testing.assert_allclose(moved.log_weights, drawn.log_weights, atol=1e-6)
    np.testing.assert_allclose(moved.positions, drawn.positions, atol=1e-9)
    many = np.repeat(positions[:1], 8200, axis=0)
    many[8197] = 0
    with pytest.raises(openmm.OpenMMException, match="Frame 8197 "):
        sampler.reweight(many)


def test_lists_of_quantities_keep_their_unit(sampler):
    positions = sampler.sample(4, seed=2).positions
    frames = [unit.Quantity(frame * 10, unit.angstrom) for frame in positions]
    np.testing.assert_allclose(
        sampler.reweight(frames).log_weights, sampler.reweight(positions).log_weights, atol=1e-6
    )


def test_progress_stops_at_anything_false(sampler):
    for answer, expected in ((np.False_, 4096), (0, 4096), (None, 5000), (True, 5000)):
        assert len(sampler.sample(5000, progress=lambda done, total, answer=answer: answer)) == expected


def test_failing_force_is_an_error(topology, flow):
    system = openmm.System()
    for _ in range(4):
        system.addParticle(1.0)

    def fail(state):
        raise IndexError("a fault of the user's")

    system.addForce(openmm.PythonForce(fail))
    with pytest.raises(openmm.OpenMMException):
        openmmflow.FlowSampler(system, flow, 300, "Reference").sample(10)


def test_energies_are_verified(system, flow):
    sampler = openmmflow.FlowSampler(system, flow, peroxide.TEMPERATURE)
    sampler.setEnergyVerification(0.25)
    ensemble = sampler.sample(1000)
    assert ensemble.metadata["verified_energies"] == "0.25"
    assert ensemble.metadata["energies"].startswith("batched")
    sampler.setEnergyVerification(0)
    assert "verified_energies" not in sampler.sample(10).metadata
    with pytest.raises(openmm.OpenMMException, match="between 0 and 1, not 2"):
        sampler.setEnergyVerification(2)
    contexts = openmmflow.FlowSampler(
        system, flow, peroxide.TEMPERATURE, None, {"Implementation": "contexts"}
    )
    truth = contexts.sample(1000)
    assert truth.metadata["energies"].startswith("contexts")
    finite = np.isfinite(truth.log_weights)
    np.testing.assert_allclose(ensemble.log_weights[finite], truth.log_weights[finite], atol=1e-3, rtol=1e-4)
