"""`openmm-flow anneal`, and what other commands make of its ensembles."""

import os
import shutil
import signal
import subprocess
import sys
import types

import numpy as np
import peroxide
import pytest
from click.testing import CliRunner
from processes import wait_until_written

import openmmflow
from openmmflow.commands import ensembles, main

# A target that is much narrower than the flow.
COLD = "-T", 100, "--platform", "CPU", "--threads", 1
PILOT = "--conditional-ess", 0.95, "--leapfrog-steps", 8, "--pilot-size", 200


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def arguments(files, output, *more):
    return ["anneal", files / "flow.safetensors", files / "system.xml", *COLD, "-o", files / output, *more]


@pytest.fixture
def annealed(files):
    """The file of an ensemble of 100 samples, in islands of 10."""
    result = run(*arguments(files, "a.safetensors", *PILOT, "--island-size", 10, "-n", 100))
    assert result.exit_code == 0, result.output
    return files / "a.safetensors"


def test_the_ensemble_is_that_of_the_library(files, system, flow):
    result = run(
        *arguments(files, "e.safetensors", *PILOT, "--moves", 2, "--pilot-seed", 5),
        "-n", 300, "--seed", 3, "--first", 10, "--precision", "double", "--verify-energies", 0.01,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Pareto k" in result.output and f"written: {files / 'e.safetensors'}" in result.output
    assert "of an island" not in result.output
    sampler = openmmflow.FlowSampler(system, flow, 100, "CPU", {"Precision": "double"})
    pilot = {"conditional_ess": 0.95, "leapfrog_steps": 8, "pilot_size": 200, "pilot_seed": 5}
    expected = sampler.anneal(300, seed=3, first=10, moves_per_beta=2, **pilot)
    ensemble = openmmflow.WeightedEnsemble.load(files / "e.safetensors")
    np.testing.assert_array_equal(ensemble.log_weights, expected.log_weights)
    np.testing.assert_array_equal(ensemble.positions, expected.positions)
    assert ensemble.metadata["annealing"] == expected.metadata["annealing"]
    assert ensemble.metadata["verified_energies"] == "0.01"
    assert ensemble.sample_ranges == [(3, 10, 300)]


def test_machines_share_a_schedule(files, annealed):
    first = openmmflow.WeightedEnsemble.load(annealed)
    rest = arguments(files, "b.safetensors", "--schedule", annealed, "--first", 100, "-n", 45)
    result = run(*rest)
    assert result.exit_code == 0, result.output
    second = openmmflow.WeightedEnsemble.load(files / "b.safetensors")
    # Whole islands, of the size in the file.
    assert second.block_size == 10 and second.sample_ranges == [(0, 100, 50)]
    assert second.metadata["annealing"] == first.metadata["annealing"]
    result = run("merge", annealed, files / "b.safetensors", "-o", files / "c.safetensors")
    assert result.exit_code == 0, result.output
    assert "15 of 10 samples" in result.output and "Samples of an island resemble" in result.output
    at_once = arguments(files, "d.safetensors", "--schedule", annealed, "-n", 150)
    assert run(*at_once).exit_code == 0
    merged, whole = (openmmflow.WeightedEnsemble.load(files / f"{name}.safetensors") for name in "cd")
    np.testing.assert_array_equal(merged.log_weights, whole.log_weights)
    assert merged.log_partition_function == whole.log_partition_function
    # Other random numbers found another schedule.
    other = "--island-size", 10, "-n", 50, "--seed", 1, "--pilot-seed", 1
    assert run(*arguments(files, "e.safetensors", *PILOT, *other)).exit_code == 0
    result = run("merge", annealed, files / "e.safetensors", "-o", files / "f.safetensors")
    assert result.exit_code == 1 and "different schedules" in result.output


def test_report(files, annealed):
    result = run("report", annealed, "--topology", files / "topology.pdb", "-o", files / "report")
    assert result.exit_code == 0, result.output
    page = (files / "report" / "report.html").read_text()
    assert "samples of an island resemble each other" in page and "betas" not in page
    assert "10 of 10 samples" in run("info", annealed).output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_keeps_the_samples_that_have_arrived(files, annealed, number):
    output = files / "e.safetensors"
    count = 10**7
    command = arguments(files, output.name, "--schedule", annealed, "--first", 100, "-n", count)
    process = subprocess.Popen(
        [sys.executable, "-m", "openmmflow", *map(str, command)], stderr=subprocess.PIPE, text=True
    )
    wait_until_written(process, lambda: files.glob("e.safetensors.tmp*"))
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error and "Stopped" in error
    ensemble = openmmflow.WeightedEnsemble.load(output)
    done = len(ensemble)
    assert 0 < done < count and ensemble.sample_ranges == [(0, 100, done)]
    assert f"{done} samples" in error and "openmm-flow merge" in error
    assert f"--first {100 + done} --count {count - done} --schedule {output}" in error
    assert not list(files.glob("*.tmp*"))
    result = run(*arguments(files, "f.safetensors", "--schedule", output, "--first", 100 + done, "-n", 10))
    assert result.exit_code == 0, result.output
    assert run("merge", output, files / "f.safetensors", "-o", files / "g.safetensors").exit_code == 0


@pytest.mark.parametrize(
    ("method", "said"), [("planAnnealing", "Interrupted"), ("annealToFile", "nothing was written")]
)
def test_interruption_before_samples_arrive_keeps_the_older_file(files, annealed, monkeypatch, method, said):
    original = getattr(openmmflow.FlowSampler, method)

    def interrupted(*arguments, **keywords):
        os.kill(os.getpid(), signal.SIGINT)
        return original(*arguments, **keywords)

    monkeypatch.setattr(openmmflow.FlowSampler, method, interrupted)
    before = annealed.read_bytes()
    result = run(*arguments(files, annealed.name, *PILOT))
    assert result.exit_code == 130 and said in result.output, result.output
    assert annealed.read_bytes() == before and not list(files.glob("*.tmp*"))


def test_bad_input_is_told_before_any_work(files, annealed, sampler, monkeypatch):
    sampler.sample(10).save(files / "plain.safetensors")

    def no_work(*arguments, **keywords):
        raise AssertionError("there is something to refuse")

    monkeypatch.setattr(openmmflow.FlowSampler, "planAnnealing", no_work)
    monkeypatch.setattr(openmmflow.FlowSampler, "annealToFile", no_work)
    before = annealed.read_bytes()
    for more, code, said in [
        (["--schedule", annealed, "--moves", 2, "--pilot-seed", 1], 2, "use --moves, --pilot-seed"),
        (["--schedule", annealed, "-o", annealed], 1, "also an input"),
        (["--schedule", files / "plain.safetensors"], 1, "was not annealed"),
        (["--schedule", files / "flow.safetensors"], 1, "not that of an ensemble"),
        (["--schedule", annealed, "--first", 5], 2, "begins at a multiple"),
        (["--island-size", 4, "--first", 2], 2, "begins at a multiple"),
        (["--conditional-ess", 1], 2, "--conditional-ess"),
        (["-o", files / "nowhere" / "e.safetensors"], 1, "no folder"),
        (["-o", files], 2, "is a directory"),
        (["-o", files / "e.dcd"], 1, "lose the weights"),
    ]:
        result = run(*arguments(files, "e.safetensors", *more))
        assert result.exit_code == code and said in " ".join(result.output.split()), (more, result.output)
    assert annealed.read_bytes() == before
    usage = types.SimpleNamespace(free=ensembles.file_size(1000, 4))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    result = run(*arguments(files, "e.safetensors", "-n", 10**7))
    assert result.exit_code == 1 and "of disk space" in result.output
    assert not (files / "e.safetensors").exists()


def test_partition_function_is_exact(files):
    result = run(*arguments(files, "e.safetensors", *PILOT, "-T", 300, "-n", 2000))
    assert result.exit_code == 0, result.output
    value, error = openmmflow.WeightedEnsemble.load(files / "e.safetensors").log_partition_function
    assert error < 0.05
    assert value == pytest.approx(peroxide.log_partition_function(), abs=4 * error)
