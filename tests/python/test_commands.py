"""The command line, in this process and as a process."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import types

import numpy as np
import openmm
import peroxide
import pytest
from click.testing import CliRunner
from processes import wait_until_written

import openmmflow
from openmmflow import plugins
from openmmflow.commands import COMMANDS, ensembles, main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def start(*arguments, **options):
    command = [sys.executable, "-m", "openmmflow", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(COMMANDS))])
def test_help(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output and "Options" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_version():
    assert run("--version").output.strip() == f"openmm-flow, version {openmmflow.__version__}"


def test_sample(files, sampler):
    output = files / "e.safetensors"
    result = run(
        "sample", files / "flow.safetensors", files / "system.xml", "-T", 300, "-n", 500, "-o", output,
        "--seed", 3, "--first", 10, "--platform", "Reference",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Pareto k" in result.output and str(output) in result.output
    expected = sampler.sample(500, seed=3, first=10)
    np.testing.assert_array_equal(openmmflow.WeightedEnsemble.load(output).log_weights, expected.log_weights)


@pytest.mark.parametrize("options", [[], ["--precision", "double"], ["--threads", "1", "--platform", "CPU"]])
def test_platform_options(files, options):
    result = run(
        "sample", files / "flow.safetensors", files / "system.xml", "-T", 300, "-n", 10,
        "-o", files / "e.safetensors", *options,
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_reweight(files, ensemble):
    np.savez(files / "drawn.npz", positions=ensemble.positions)
    with pytest.warns(UserWarning, match="weights"):
        ensemble.save(files / "drawn.dcd")
    arguments = files / "flow.safetensors", files / "system.xml"
    for drawn in ("drawn.npz", "drawn.dcd"):
        output = files / "e.safetensors"
        result = run(
            "reweight", *arguments, files / drawn, "-T", 300, "-o", output,
            "--topology", files / "topology.pdb", "--platform", "Reference",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        loaded = openmmflow.WeightedEnsemble.load(output)
        # DCD is single precision: 1e-7 nm moves a bond by 1e-4 of its spread.
        np.testing.assert_allclose(loaded.log_weights, ensemble.log_weights, atol=0.02)


def test_info():
    output = run("info").output
    for text in (
        openmmflow.__version__,
        openmm.Platform.getOpenMMVersion(),
        "CPU",
        "evaluates flows",
        "failed to load",
    ):
        assert text in output


def test_info_tells_the_reason_of_a_failure_once(monkeypatch, tmp_path):
    library = tmp_path / "plugins" / "libOpenMMFlowBroken.so"
    library.parent.mkdir()
    library.write_text("no library")
    with pytest.raises(openmm.OpenMMException) as failure:
        openmm.Platform.loadPluginLibrary(str(library))
    # As if OpenMM had tried it on import, and it was the one that all depends on.
    monkeypatch.setattr(openmm.Platform, "getPluginLoadFailures", staticmethod(lambda: (str(failure.value),)))
    monkeypatch.setattr(plugins, "_own_failures", [])
    monkeypatch.setattr(plugins, "getLibraryFolder", lambda: str(tmp_path))
    monkeypatch.setattr(plugins, "KERNEL", "NoKernel")
    with pytest.warns(UserWarning, match="failed to load") as caught:
        plugins.load_plugins()
    for text in (str(caught[0].message), run("info").output):
        assert text.count(str(library)) == 1 and text.count("too short") == 1, text
    # Those that only openmm-flow tried are told as well.
    monkeypatch.setattr(openmm.Platform, "getPluginLoadFailures", staticmethod(lambda: ()))
    assert run("info").output.count(str(library)) == 1


def test_info_of_files(files, flow, ensemble):
    assert flow.hash in run("info", files / "flow.safetensors").output
    ensemble.save(files / "e.safetensors")
    output = run("info", files / "e.safetensors").output
    assert "Pareto k" in output and "seed 1" in output.lower()
    result = run("info", files / "system.xml")
    assert result.exit_code == 1 and "neither" in result.output


def test_errors_are_one_sentence(files):
    (files / "text.xml").write_text("hello")
    (files / "state.xml").write_text(openmm.XmlSerializer.serialize(openmm.VerletIntegrator(0.001)))
    flow, system = files / "flow.safetensors", files / "system.xml"
    for arguments, code in [
        (["sample", system, system, "-T", 300], 1),
        (["sample", flow, files / "text.xml", "-T", 300], 1),
        (["sample", flow, files / "state.xml", "-T", 300], 1),
        (["sample", flow, system, "-T", 300, "--platform", "Nowhere"], 1),
        (["sample", flow, system, "-T", 300, "-o", files / "nowhere" / "e.safetensors"], 1),
        (["reweight", flow, system, files / "text.xml", "-T", 300], 1),
        (["report", flow, "--topology", files / "topology.pdb", "-o", files / "report"], 1),
        (["sample", flow, system], 2),
        (["sample", flow, system, "-T", -3], 2),
        (["sample", flow, files / "none.xml", "-T", 300], 2),
        (["dance"], 2),
    ]:
        process = start(*arguments, cwd=files)
        output, error = process.communicate()
        assert process.returncode == code, (arguments, error)
        assert "Error: " in error and "Traceback" not in output + error, (arguments, error)
        assert len(error.split("Error: ")[1].splitlines()) <= 2, (arguments, error)


def test_torch_is_not_imported():
    code = (
        "import sys; from click.testing import CliRunner; from openmmflow.commands import main\n"
        "for c in ([], ['info'], ['sample', '--help'], ['report', '--help']): CliRunner().invoke(main, c)\n"
        "sys.exit(any(name.split('.')[0] in ('torch', 'openmmflow.training') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interruption_keeps_what_was_done(files, number):
    output = files / "e.safetensors"
    process = start(
        "sample", files / "flow.safetensors", files / "system.xml", "-T", 300, "-n", 5 * 10**6, "-o", output,
        "--platform", "Reference",
    )  # fmt: skip
    # It has begun once a file, temporary or not, grows beside the inputs.
    known = {"flow.safetensors", "system.xml", "topology.pdb"}
    wait_until_written(process, lambda: [path for path in files.iterdir() if path.name not in known])
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error and "Stopped" in error
    ensemble = openmmflow.WeightedEnsemble.load(output)
    done = len(ensemble)
    assert f"{done} samples" in error
    assert f"--first {done} --count {5 * 10**6 - done}" in error and "openmm-flow merge" in error
    assert abs(ensemble.log_partition_function[0] - peroxide.log_partition_function()) < 0.5
    assert {path.name for path in files.iterdir()} == known | {"e.safetensors"}
    assert os.path.getsize(output) > 0


def test_inputs_are_not_overwritten(files):
    flow, system = files / "flow.safetensors", files / "system.xml"
    for target in (flow, system):
        before = target.read_bytes()
        result = run("sample", flow, system, "-T", 300, "-n", 10, "-o", target)
        assert result.exit_code == 1 and "also an input" in result.output
        assert target.read_bytes() == before


def test_a_disk_without_room_is_told_before_any_work(files, monkeypatch, sampler):
    output = files / "e.safetensors"
    sampler.sample(1000).save(output)
    assert 0 < output.stat().st_size - ensembles.file_size(1000, 4) < 2000
    output.unlink()
    usage = types.SimpleNamespace(free=ensembles.file_size(1000, 4))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    arguments = ["sample", files / "flow.safetensors", files / "system.xml", "-T", 300, "-o", output]
    assert run(*arguments, "-n", 1000).exit_code == 0
    output.unlink()

    def no_work(*arguments, **keywords):
        raise AssertionError("the disk has no room")

    monkeypatch.setattr(openmmflow.FlowSampler, "sampleToFile", no_work)
    result = run(*arguments, "-n", 10**7)
    assert result.exit_code == 1 and not output.exists(), result.output
    assert "1.12GB" in result.output and "112kB" in result.output and len(result.output.splitlines()) == 1


def test_what_files_say_does_not_reach_the_terminal(files, flow, ensemble):
    escape = "\x1b]0;owned\x07\x1b[2J\u202e"
    flow.withMetadata("title", escape).save(files / "odd.safetensors")
    odd = pickle.loads(pickle.dumps(ensemble))
    for key in ("flow_temperature", "title", escape):
        odd.setMetadata(key, escape)
    odd.save(files / "odd-ensemble.safetensors")
    odd.setMetadata("flow", "another" + escape)
    odd.save(files / "other.safetensors")
    outputs = [
        run("info", files / "odd.safetensors").output,
        run("info", files / "odd-ensemble.safetensors").output,
        run(
            "merge", files / "odd-ensemble.safetensors", files / "other.safetensors", "-o", files / "o"
        ).output,
    ]
    for output in outputs:
        assert "owned" in output and r"\x1b" in output
        assert not any(c in output for c in "\x1b\x07\u202e"), output


def test_reweight_keeps_the_weights(files):
    result = run(
        "reweight",
        files / "flow.safetensors",
        files / "system.xml",
        files / "topology.pdb",
        "-T",
        300,
        "-o",
        files / "a.dcd",
    )
    assert result.exit_code == 1 and "lose the weights" in result.output
