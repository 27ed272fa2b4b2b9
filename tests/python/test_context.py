"""FlowContext: shapes, types, units, and that sampling and densities agree."""

import os
import threading

import numpy as np
import openmm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openmm import unit

import openmmflow


def test_sample(context):
    positions, log_q = context.sample(100, seed=3)
    assert positions.shape == (100, 4, 3) and positions.dtype == np.float64 and positions.flags.writeable
    assert log_q.shape == (100,) and log_q.dtype == np.float64
    np.testing.assert_allclose(positions.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(context.logDensity(positions), log_q, atol=1e-6)


def test_platforms_agree(flow):
    reference, cpu = (openmmflow.FlowContext(flow, name) for name in ("Reference", "CPU"))
    np.testing.assert_allclose(cpu.sample(50)[0], reference.sample(50)[0], atol=1e-4)
    assert cpu.getPlatform().getName() == "CPU"
    assert isinstance(cpu.getPlatform(), openmm.Platform)
    assert "Precision" in cpu.getProperties()


def test_fastest_platform(flow):
    assert openmmflow.FlowContext(flow).getPlatform().getName() in ("CPU", "CUDA", "OpenCL", "HIP")
    platform = openmm.Platform.getPlatform("Reference")
    assert openmmflow.FlowContext(flow, platform=platform).getPlatform().getName() == "Reference"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 6), st.integers(0, 6))
def test_samples_depend_on_index_alone(flow, seed, first, head, tail):
    context = openmmflow.FlowContext(flow, "Reference")
    whole, log_q = context.sample(head + tail, seed=seed, first=first)
    a, b = context.sample(head, seed, first), context.sample(tail, seed=seed, first=first + head)
    np.testing.assert_allclose(np.concatenate([a[0], b[0]]), whole, atol=1e-9)
    np.testing.assert_allclose(np.concatenate([a[1], b[1]]), log_q, atol=1e-9)


def test_blocks_are_invisible(flow, monkeypatch):
    context = openmmflow.FlowContext(flow, "Reference")
    whole = context.sample(20, seed=1)
    densities = context.logDensityGradient(whole[0])
    monkeypatch.setattr("openmmflow.blocks.BLOCK", 7)
    parts = context.sample(20, seed=1)
    np.testing.assert_array_equal(parts[0], whole[0])
    np.testing.assert_array_equal(parts[1], whole[1])
    np.testing.assert_array_equal(context.logDensityGradient(parts[0]), densities)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([np.float32, np.float64, np.longdouble]),
    st.sampled_from(["contiguous", "fortran", "strided", "reversed", "list", "byteswapped"]),
    st.sampled_from([None, unit.nanometer, unit.angstrom, unit.bohr, unit.meter]),
    st.integers(0, 9),
)
def test_any_array_is_the_same_positions(flow, dtype, layout, length, count):
    context = openmmflow.FlowContext(flow, "Reference")
    positions, expected = context.sample(count, seed=5)
    scale = 1 if length is None else unit.nanometer.conversion_factor_to(length)
    given_positions = (positions * scale).astype(dtype)
    if layout == "fortran":
        given_positions = np.asfortranarray(given_positions)
    elif layout == "strided":
        given_positions = np.repeat(given_positions, 2, axis=2)[:, :, ::2]
    elif layout == "reversed":
        given_positions = given_positions[::-1].copy()[::-1]
    elif layout == "list":
        given_positions = given_positions.tolist() if count else given_positions
    elif layout == "byteswapped":
        given_positions = given_positions.astype(given_positions.dtype.newbyteorder())
    if length is not None:
        given_positions = unit.Quantity(given_positions, length)
    found = context.logDensity(given_positions)
    assert found.shape == (count,)
    # Single precision moves bonds by 1e-8 nm of their 1e-3 nm spread.
    np.testing.assert_allclose(found, expected, atol=0.05 if dtype == np.float32 else 1e-6)


@pytest.mark.parametrize(
    "shape", [(4, 3), (12,), (2, 3, 4), (2, 5, 3), (2, 4, 2), (1, 2, 4, 3), (3, 8, 3), ()]
)
def test_wrong_shapes(context, shape):
    for call in (context.logDensity, context.logDensityGradient):
        with pytest.raises(openmm.OpenMMException, match=r"shape .*\(count, 4, 3\)"):
            call(np.zeros(shape))


def test_one_configuration_gets_a_hint(context):
    with pytest.raises(openmm.OpenMMException, match="newaxis"):
        context.logDensity(np.zeros((4, 3)))


@pytest.mark.parametrize(
    "positions",
    ["text", [[["a"] * 3] * 4], np.zeros((1, 4, 3), dtype=complex), None, [[[0, 0, 0], [0, 0]]], object()],
)
def test_not_numbers(context, positions):
    with pytest.raises(openmm.OpenMMException, match="Positions"):
        context.logDensity(positions)


def test_wrong_unit(context):
    with pytest.raises(openmm.OpenMMException, match="nanometer"):
        context.logDensity(unit.Quantity(np.zeros((1, 4, 3)), unit.kelvin))


def test_positions_are_not_changed(context):
    positions, _ = context.sample(5)
    kept = positions.copy()
    positions.flags.writeable = False
    context.logDensityGradient(positions + 0)
    context.logDensity(positions)
    np.testing.assert_array_equal(positions, kept)


def test_gradient_is_that_of_the_density(flow):
    context = openmmflow.FlowContext(flow, "Reference")
    positions, _ = context.sample(4, seed=2)
    gradient = context.logDensityGradient(positions, draws=1, seed=0)
    assert gradient.shape == positions.shape
    step = 1e-7
    for atom in range(4):
        for axis in range(3):
            up, down = positions.copy(), positions.copy()
            up[:, atom, axis] += step
            down[:, atom, axis] -= step
            numerical = (context.logDensity(up) - context.logDensity(down)) / (2 * step)
            np.testing.assert_allclose(gradient[:, atom, axis], numerical, rtol=1e-4, atol=1e-2)


def test_non_finite_positions(context):
    positions, _ = context.sample(3)
    positions[1, 2, 0] = np.nan
    log_q = context.logDensity(positions)
    assert np.isfinite(log_q[[0, 2]]).all() and np.isnan(log_q[1])


def test_empty(context):
    positions, log_q = context.sample(0)
    assert positions.shape == (0, 4, 3) and log_q.shape == (0,)
    assert context.logDensity(positions).shape == (0,)
    assert context.logDensityGradient(positions).shape == (0, 4, 3)


def test_counts(context):
    assert len(context.sample(np.int32(2), seed=np.uint64(7))[0]) == 2
    for wrong in (-1, 2.5, "3", None):
        with pytest.raises((TypeError, openmm.OpenMMException)):
            context.sample(wrong)
    for seed in (-1, 2**64):
        with pytest.raises((OverflowError, openmm.OpenMMException)):
            context.sample(1, seed=seed)


def test_unknown_platform_and_property(flow):
    with pytest.raises(openmm.OpenMMException, match="Nowhere"):
        openmmflow.FlowContext(flow, "Nowhere")
    with pytest.raises(openmm.OpenMMException):
        openmmflow.FlowContext(flow, "CPU", {"Precision": "wrong"})
    with pytest.raises(openmm.OpenMMException):
        openmmflow.FlowContext(flow, "CPU", {"NoSuchProperty": "1"})
    for wrong in (3, object(), flow):
        with pytest.raises(TypeError):
            openmmflow.FlowContext(flow, wrong)
    with pytest.raises(TypeError):
        openmmflow.FlowContext(flow, "CPU", "Precision")
    with pytest.raises(TypeError):
        openmmflow.FlowContext(None)


def test_properties(flow):
    assert (
        openmmflow.FlowContext(flow, properties={"Precision": "double"}).getProperties()["Precision"]
        == "double"
    )
    assert openmmflow.FlowContext(flow, "CPU", {"Threads": 1}).getProperties()["Threads"] == "1"


def test_other_threads_run_meanwhile(flow):
    """A call leaves the interpreter free, and calls of two threads on one context do not mix."""
    context = openmmflow.FlowContext(flow, "Reference")
    expected = context.sample(3000, seed=4)[0]
    results, ticks, done = {}, 0, threading.Event()

    def work(name):
        results[name] = context.sample(3000, seed=4)[0]

    def finish():
        for thread in workers:
            thread.join()
        done.set()

    workers = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in workers:
        thread.start()
    threading.Thread(target=finish).start()
    while not done.wait(0.0005):
        ticks += 1
    for positions in results.values():
        np.testing.assert_array_equal(positions, expected)
    assert ticks > 2


def test_a_context_made_before_a_fork_says_so(flow, sampler):
    context = openmmflow.FlowContext(flow, "CPU", {"Threads": "2"})
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        for call in (lambda: context.sample(10), lambda: sampler.sample(10)):
            try:
                call()
            except openmm.OpenMMException as error:
                os.write(writer, f"{error}\n".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        messages = pipe.read().splitlines()
    os.waitpid(child, 0)
    assert len(messages) == 2 and all("before the process was forked" in message for message in messages)
    assert len(context.sample(10)[1]) == 10
