"""The trained equivariant flows of the examples: what is exact for random parameters holds for trained ones too."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmm
import pytest

import openmmflow

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPERATURE = 120.27236
# The logarithm of the partition function of DW4, by numerical integration: examples/dw4/exact.py.
LOG_Z_DW4 = 29.667232
DOUBLE, SINGLE = {"Precision": "double"}, {"Precision": "single"}


@pytest.fixture(params=["dw4", "lj13"])
def name(request):
    return request.param


@pytest.fixture
def flow(name):
    return openmmflow.Flow.load(EXAMPLES / name / "flow-small.safetensors")


@pytest.fixture
def joint(flow):
    """Joint configurations that the flow has drawn, (count, N + A, 3)."""
    positions, log_q = openmmflow.FlowContext(flow, "CPU", DOUBLE).sampleJoint(3000, seed=3)
    assert np.isfinite(log_q).all()
    return positions


def test_single_precision(flow, joint):
    exact, rounded = (
        openmmflow.FlowContext(flow, "CPU", precision).jointLogDensity(joint)
        for precision in (DOUBLE, SINGLE)
    )
    errors = np.abs(exact - rounded)
    assert np.median(errors) < 1e-4
    assert np.quantile(errors, 0.999) < 5e-3


def test_samples_have_the_density_that_comes_with_them(flow):
    for precision, bound in ((DOUBLE, 1e-8), (SINGLE, 5e-3)):
        context = openmmflow.FlowContext(flow, "CPU", precision)
        positions, log_q = context.sampleJoint(1000, seed=4)
        errors = np.abs(context.jointLogDensity(positions) - log_q)
        assert np.quantile(errors, 0.999) < bound
        assert np.median(errors) < bound / 50


def test_platforms_agree(flow, joint):
    exact, other = (openmmflow.FlowContext(flow, platform, DOUBLE) for platform in ("Reference", "CPU"))
    joint = joint[:40]
    expected = exact.jointLogDensity(joint)
    np.testing.assert_allclose(other.jointLogDensity(joint), expected, rtol=0, atol=1e-9)
    gradient = exact.jointLogDensityGradient(joint)
    atol = 1e-8 * np.abs(gradient).max()
    np.testing.assert_allclose(other.jointLogDensityGradient(joint), gradient, rtol=0, atol=atol)


def test_invariance(flow, joint):
    context = openmmflow.FlowContext(flow, "CPU", DOUBLE)
    joint = joint[:300]
    expected = context.jointLogDensity(joint)
    planar = json.loads(flow.configuration)["dimensions"] == 2
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    if planar:
        rotation = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]])
    order = np.random.default_rng(2).permutation(flow.num_particles)
    order = np.concatenate([order, flow.num_particles + order])
    rotation *= np.sign(np.linalg.det(rotation))
    for changed in (joint @ rotation, joint + [1.0, -2.0, 0.5], joint[:, order]):
        np.testing.assert_allclose(context.jointLogDensity(changed), expected, rtol=0, atol=1e-10)


def test_gradient(flow, joint):
    context = openmmflow.FlowContext(flow, "CPU", DOUBLE)
    joint = joint[:20]
    gradient = context.jointLogDensityGradient(joint)
    direction = np.random.default_rng(5).normal(size=joint.shape)
    step = 1e-6
    difference = context.jointLogDensity(joint + step * direction) - context.jointLogDensity(
        joint - step * direction
    )
    errors = (
        np.abs(difference / (2 * step) - (gradient * direction).sum(axis=(1, 2))) / np.abs(gradient).max()
    )
    # Log q has kinks at the knots of splines, and bends sharply next to frames that are almost undefined.
    assert np.median(errors) < 1e-6
    assert np.quantile(errors, 0.8) < 1e-4


def test_the_density_is_normalised():
    """E_q[exp(-U/kT)/q] is Z, of which DW4 has a value that no flow has a part in."""
    folder = EXAMPLES / "dw4"
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    flow = openmmflow.Flow.load(folder / "flow-small.safetensors")
    ensemble = openmmflow.FlowSampler(system, flow, TEMPERATURE).sample(20000, seed=6)
    log_z, error = ensemble.log_partition_function
    assert error < 0.03
    assert abs(log_z - LOG_Z_DW4) < 4 * error


@pytest.mark.parametrize("example", ["dw4", "lj13", "alanine-dipeptide"])
def test_example_in_a_simulation(example):
    """As a Force, in trajectories too short to forget where they began, the flow keeps its ensemble."""
    script = str(EXAMPLES / "particles" / "mix.py")
    options = ["--steps", "400", "--flow-steps", "2", "--trajectories", "20", "--proposals", "500"]
    run = subprocess.run(
        [sys.executable, script, example, *options], capture_output=True, text=True, check=True
    )
    assert "dynamics and moves: mean energy" in run.stdout
    (simulated, error), (sampled, other) = re.findall(r"(\S+) \+- (\S+) nm\^2", run.stdout)
    assert abs(float(simulated) - float(sampled)) < 5 * np.hypot(float(error), float(other))
