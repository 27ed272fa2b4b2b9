"""Sampling and reweighting on a Dask cluster: two local processes."""

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


def test_augmented_flows_draw_the_same(scheduler, small_blocks):
    flow = openmmflow.createEquivariantCouplingFlow(
        types=[0, 1, 1, 0], layers=1, blocks=1, hidden=8, features=8
    )
    system = peroxide.make_system()
    sampler = openmmflow.FlowSampler(system, flow, 300, "Reference")
    work = cluster.Work(flow, openmm.XmlSerializer.serialize(system), 300.0, "Reference", (), 0.0)
    with cluster.connect(scheduler) as client:
        assert is_same(cluster.sample(client, work, 700, seed=1), sampler.sample(700, seed=1))


def test_stopping_keeps_what_is_complete(files, scheduler, small_blocks):
    system = (files / "system.xml").read_text()
    work = cluster.Work(openmmflow.Flow.load(files / "flow.safetensors"), system, 300.0, "Reference", (), 0.0)
    with cluster.connect(scheduler) as client:
        part = cluster.sample(client, work, 10**6, progress=lambda done, total: done < 1500)
    count = 0 if part is None else len(part)
    assert count < 10**5 and count % 300 == 0
    if part is not None:
        whole = work.make_sampler().sample(count)
        np.testing.assert_array_equal(part.positions, whole.positions)


def test_what_is_missing_is_said(files, scheduler):
    arguments = ("sample", files / "flow.safetensors", files / "system.xml", "-T", 300, "-o", files / "e")
    result = run(*arguments, "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 1 and "no Dask scheduler at tcp://127.0.0.1:1" in result.output
    # An error of a worker is that of the command.
    result = run(*arguments, "--scheduler", scheduler, "--platform", "Nonsense")
    assert result.exit_code == 1 and "Nonsense" in result.output, result.output
    assert not (files / "e").exists()
