"""Training by the processes that torchrun starts. torchrun itself needs all of Torch, so these tests set what it sets."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import shared_training
import yaml
from openmm import OpenMMException
from safetensors.numpy import load

import openmmflow
from openmmflow.training import ProcessGroup

# The weights move by 0.01 and more. Gradients of two processes are added up in another order, in double precision but for one.
TOLERANCES = {
    "energy": 1e-9,
    "energy of few proposals": 1e-9,
    "energy in single precision": 1e-5,
    # Kept samples are in single precision, to which round-off in the weights may take them differently.
    "annealed importance": 1e-6,
    "mass transport with forces": 1e-6,
    "bootstrap": 1e-6,
    "data": 1e-9,
    "data with forces": 1e-9,
    "data of an augmented flow": 1e-9,
}
PROGRAM = Path(__file__).with_name("shared_training.py")
# SOAP magnifies round-off, as it does that of another number of threads.
TOGETHER = (*TOLERANCES, "energy with SOAP", "stopped")


def start(command, timeout=60, second=()):
    """Return two processes in the environment that torchrun makes, and some variables for the second one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    environment |= {"OPENMMFLOW_PROCESS_TIMEOUT": timeout, "PYTHONPATH": os.pathsep.join(sys.path)}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=os.environ
            | {name: str(value) for name, value in (environment | {"RANK": rank}).items()}
            | dict(second if rank else ()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def finish(processes):
    """Return (exit code, stdout, stderr) of each process."""
    results = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *result) for process, result in zip(processes, results, strict=True)]


def weights(flow):
    return np.concatenate([values.ravel() for _, values in sorted(load(flow.toBytes()).items())])


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What two processes made of the runs that end in both."""
    shared = tmp_path_factory.mktemp("shared")
    for code, _, errors in finish(start([PROGRAM, shared, *TOGETHER, "other seeds", "too few samples"])):
        assert code == 0, errors
    return shared


def flows(folder, name):
    return [openmmflow.Flow.load(folder / f"{name}.{rank}") for rank in range(2)]


@pytest.mark.parametrize("name", TOGETHER)
def test_both_processes_have_the_same_flow(shared, name):
    first, second = flows(shared, name)
    assert first.toBytes() == second.toBytes()


def test_processors_of_other_kinds_have_the_same_flow(tmp_path):
    # Torch then rounds otherwise, which SOAP magnifies.
    second = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    for code, _, errors in finish(start([PROGRAM, tmp_path, "energy with SOAP"], second=second)):
        assert code == 0, errors
    first, second = flows(tmp_path, "energy with SOAP")
    assert first.toBytes() == second.toBytes()


def test_processes_share_the_cores(shared):
    threads = json.loads(flows(shared, "energy with SOAP")[0].metadata["training"])["threads"]
    assert threads == max(1, len(os.sched_getaffinity(0)) // 2)


@pytest.mark.parametrize("name", TOLERANCES)
def test_two_processes_train_as_one(shared, name):
    first = flows(shared, name)[0]
    alone = shared_training.RUNS[name](shared)
    np.testing.assert_allclose(weights(first), weights(alone), rtol=0, atol=TOLERANCES[name])
    found, expected = (json.loads(flow.metadata["training"]) for flow in (first, alone))
    assert (found["processes"], expected["processes"]) == (2, 1)
    # Proposals of estimates are in single precision.
    tolerance = max(1e-5, 10 * TOLERANCES[name])
    for column in ("step", "energy_evaluations", "objective", "effective_sample_fraction", "pareto_k"):
        values, expected_values = (np.array(run["history"][column], float) for run in (found, expected))
        np.testing.assert_allclose(values, expected_values, rtol=0, atol=tolerance)


def test_processes_stop_together_and_go_on(shared):
    training = json.loads(flows(shared, "stopped")[0].metadata["training"])
    assert (training["ended"], training["steps"]) == ("callback", 20)
    checkpoint = (shared / "checkpoint").read_bytes()
    for code, _, errors in finish(start([PROGRAM, shared, "resumed"])):
        assert code == 0, errors
    assert {flow.hash for flow in flows(shared, "resumed")} == {flows(shared, "energy")[0].hash}
    (shared / "checkpoint").write_bytes(checkpoint)
    alone = shared_training.resumed(shared)
    np.testing.assert_allclose(
        weights(alone), weights(flows(shared, "energy")[0]), rtol=0, atol=TOLERANCES["energy"]
    )


def test_processes_must_agree(shared):
    assert "another seed" in (shared / "other seeds.1.error").read_text()
    assert "another has failed" in (shared / "other seeds.0.error").read_text()
    for rank in range(2):
        assert "2 processes" in (shared / f"too few samples.{rank}.error").read_text()


def test_a_process_that_dies_ends_the_others(tmp_path):
    first, second = finish(start([PROGRAM, tmp_path, "dies"]))
    assert (first[0], second[0]) == (0, 9)
    message = (tmp_path / "dies.0.error").read_text()
    assert "another has failed" in message and message.count("\n") == 0


def test_a_process_that_hangs_ends_the_others(tmp_path):
    first, second = start([PROGRAM, tmp_path, "hangs"], timeout=2)
    try:
        assert finish([first])[0][0] == 0
    finally:
        second.kill()
        second.communicate()
    assert "silent for 2 s" in (tmp_path / "hangs.0.error").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"RANK": "2"}, 'RANK is "2", where a whole number from 0 to 1'),
        ({"RANK": "one"}, 'RANK is "one"'),
        ({"RANK": None}, "RANK is not set; start the processes with torchrun"),
        ({"WORLD_SIZE": "0"}, 'WORLD_SIZE is "0"'),
        ({"MASTER_ADDR": None}, "MASTER_ADDR is not set"),
        ({"MASTER_PORT": "70000"}, 'MASTER_PORT is "70000"'),
        ({"OPENMMFLOW_PROCESS_TIMEOUT": "-1"}, "OPENMMFLOW_PROCESS_TIMEOUT is"),
        ({}, "Process 1 cannot reach the other 1 at 127.0.0.1:9 "),
    ],
)
def test_environments_that_make_no_sense(monkeypatch, change, message):
    environment = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    for name, value in (environment | {"OPENMMFLOW_PROCESS_TIMEOUT": "1"} | change).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(OpenMMException, match=re.escape(message)) as error:
        ProcessGroup()
    assert "\n" not in str(error.value)


def test_one_process_needs_no_other(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    group = ProcessGroup()
    assert (group.rank, group.size, group.share(lambda: 3)) == (0, 1, 3)


@pytest.fixture
def command(config):
    return ["-m", "openmmflow", "train", "--no-report", "--config", config]


def test_command(run, config, command, tmp_path):
    settings = yaml.safe_load(config.read_text()) | {"refinement": {"proposals": 3000}}
    settings["training"] |= {"precision": "double", "warmup_steps": 5, "optimizer": "adam"}
    config.write_text(yaml.safe_dump(settings))
    arguments = ("--refine", "1", "--samples", "2560")
    first, second = finish(start([*command, *arguments]))
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "Stage 2" in first[1] and second[1] == ""
    together = openmmflow.Flow.load(tmp_path / "trained.safetensors")
    assert not list(tmp_path.glob("*.stage-*"))
    assert run("--config", config, *arguments).exit_code == 0
    alone = openmmflow.Flow.load(tmp_path / "trained.safetensors")
    # The second stage learns from samples that are in single precision.
    np.testing.assert_allclose(weights(together), weights(alone), rtol=0, atol=1e-4)
    stages = json.loads(together.metadata["training"])
    assert [stage["processes"] for stage in stages] == [2, 2]


def test_command_is_interrupted_by_a_signal_to_one(config, command, tmp_path):
    settings = yaml.safe_load(config.read_text())
    del settings["data"]
    settings["exploration"] = {"energies": 4800}
    settings["training"] |= {"checkpoint_interval": 0, "max_samples": 10**8}
    config.write_text(yaml.safe_dump(settings))
    processes = start(command)
    while not list(tmp_path.glob("*.checkpoint")):
        assert processes[0].poll() is None
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGTERM)
    results = finish(processes)
    assert [result[0] for result in results] == [130, 130], results
    assert "run the same command again" in results[0][2]
    assert list(tmp_path.glob("*.checkpoint"))
