"""Sampling and reweighting on a Dask cluster: two local processes."""

import subprocess
import sys

# Its plugin for pytest imports it at the end else, where threads of Dask make Python 3.11 fail to compile it.
import hypothesis  # noqa: F401
import numpy as np
import openmm
import peroxide
import pytest
from click.testing import CliRunner
from distributed import LocalCluster

import openmmflow
from openmmflow import cluster
from openmmflow.commands import main


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler with two workers that are processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as running:
        yield running.scheduler_address


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(cluster, "BLOCK", 300)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def is_same(first, second):
    return (
        np.array_equal(first.positions, second.positions)
        and np.array_equal(first.log_weights, second.log_weights)
        and np.array_equal(first.log_q, second.log_q)
        and first.sample_ranges == second.sample_ranges
        and first.metadata == second.metadata
    )


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
def test_samples_are_those_of_one_process(files, scheduler, small_blocks, platform):
    common = ("-T", 300, "--platform", platform, *(("--threads", 1) if platform == "CPU" else ()))
    options = (*common, "-n", 2000, "--first", 50, "--seed", 3)
    flow, system = files / "flow.safetensors", files / "system.xml"
    for name, more in (("one", ()), ("many", ("--scheduler", scheduler))):
        result = run("sample", flow, system, *options, "-o", files / name, *more)
        assert result.exit_code == 0, result.output
    one, many = (openmmflow.WeightedEnsemble.load(files / name) for name in ("one", "many"))
    assert is_same(one, many) and many.sample_ranges == [(3, 50, 2000)]
    np.savez(files / "drawn.npz", positions=one.positions)
    for name, more in (("again", ()), ("together", ("--scheduler", scheduler))):
        result = run(
            "reweight",
            flow,
            system,
            files / "drawn.npz",
            *common,
            "-o",
            files / name,
            *more,
        )
        assert result.exit_code == 0, result.output
    again, together = (openmmflow.WeightedEnsemble.load(files / name) for name in ("again", "together"))
    assert is_same(again, together)


def test_augmented_flows_draw_the_same(scheduler, small_blocks, tmp_path):
    flow = openmmflow.createEquivariantCouplingFlow(
        types=[0, 1, 1, 0], layers=1, blocks=1, hidden=8, features=8
    )
    system = peroxide.make_system()
    sampler = openmmflow.FlowSampler(system, flow, 300, "Reference")
    work = cluster.Work(flow, openmm.XmlSerializer.serialize(system), 300.0, "Reference", (), 0.0)
    with cluster.connect(scheduler) as client:
        cluster.sample(client, work, tmp_path / "e", 700, seed=1)
    assert is_same(openmmflow.WeightedEnsemble.load(tmp_path / "e"), sampler.sample(700, seed=1))


def make_work(files):
    system = (files / "system.xml").read_text()
    return cluster.Work(openmmflow.Flow.load(files / "flow.safetensors"), system, 300.0, "Reference", (), 0.0)


def test_stopping_keeps_what_is_complete(files, scheduler, small_blocks):
    work = make_work(files)
    with cluster.connect(scheduler) as client:
        part = cluster.sample(client, work, files / "e", 10**6, progress=lambda done, total: done < 1500)
    assert 0 < len(part) < 10**5 and len(part) % 300 == 0
    whole = work.make_sampler().sample(len(part))
    assert is_same(openmmflow.WeightedEnsemble.load(files / "e"), whole)
    assert not list(files.glob("*.tmp*"))


def test_nothing_is_lost_with_the_workers(files, small_blocks, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setattr(cluster, "RESULT_PATIENCE", 1.0)
    work = make_work(files)
    with LocalCluster(n_workers=0, dashboard_address=None) as running:
        address = running.scheduler_address
        worker = subprocess.Popen(
            [sys.executable, "-m", "dask", "worker", address, "--no-nanny", "--nthreads", "1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def lose(done, total):
            if done >= 600:
                worker.kill()
            return True

        try:
            with cluster.connect(address) as client:
                client.wait_for_workers(1, timeout=60)
                with pytest.warns(UserWarning, match="The Dask cluster failed .* no workers"):
                    part = cluster.sample(client, work, files / "e", 10**7, progress=lose)
                assert 600 <= len(part) < 10**6
                with pytest.raises(openmm.OpenMMException, match="no workers"):
                    cluster.reweight(client, work, peroxide.make_positions(10))
        finally:
            worker.kill()
            worker.wait()
    assert len(openmmflow.WeightedEnsemble.load(files / "e")) == len(part)


def test_what_is_missing_is_said(files, scheduler):
    arguments = ("sample", files / "flow.safetensors", files / "system.xml", "-T", 300, "-o", files / "e")
    result = run(*arguments, "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 1 and "no Dask scheduler at tcp://127.0.0.1:1" in result.output
    # An error of a worker is that of the command.
    result = run(*arguments, "--scheduler", scheduler, "--platform", "Nonsense")
    assert result.exit_code == 1 and "Nonsense" in result.output, result.output
    assert not (files / "e").exists()
