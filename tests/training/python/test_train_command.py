"""`openmm-flow train`, from files to a flow."""

import json

import numpy as np
import peroxide
import pytest
from click.testing import CliRunner

import openmmflow
from openmmflow.commands import main

CONFIGURATION = """
system: system.xml
topology: topology.pdb
temperature: 300
data: data.npz
output: trained.safetensors
flow: {couplings: 4, hidden: 24, blocks: 1}
training: {batch_size: 128, max_samples: 60000, learning_rate: 3.0e-3, threads: 1, target_samples: 500}
"""


def run(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


@pytest.fixture
def config(folder):
    path = folder / "train.yaml"
    path.write_text(CONFIGURATION)
    return path


def test_learns_and_refines(config, folder):
    result = run("--config", config, "--refine", 1)
    assert result.exit_code == 0, result.output
    flow = openmmflow.Flow.load(folder / "trained.safetensors")
    ensemble = openmmflow.FlowSampler(peroxide.make_system(), flow, 300, "Reference").sample(4000, seed=5)
    assert ensemble.effective_sample_fraction > 0.9
    log_z, error = ensemble.log_partition_function
    assert abs(log_z - peroxide.log_partition_function()) < 4 * error
    stages = json.loads(flow.metadata["training"])
    assert len(stages) == 2
    assert stages[1]["validation_frames"] + stages[1]["training_frames"] > 6000
    # Data held out of the first stage stay so, beside every tenth of 50 blocks of own samples.
    first, second = (stage["held_out_blocks"] for stage in stages)
    assert [block for block in second if block < 20] == first and len(first) == 2
    assert [block for block in second if block >= 20] == [20, 30, 40, 50, 60]
    assert flow.metadata["temperature"] == "300 K"
    assert not list(folder.glob("*.checkpoint"))


def test_command_line_alone(folder):
    result = run(
        folder / "system.xml", folder / "topology.pdb", "-T", 300, "--data", folder / "data.npz",
        "-o", folder / "flow.safetensors", "--samples", 2000, "--threads", 1, "--seed", 3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert openmmflow.Flow.load(folder / "flow.safetensors").num_particles == 4


def test_an_interrupted_run_continues(config, folder, monkeypatch):
    assert run("--config", config, "--samples", 6400).exit_code == 0
    expected = openmmflow.Flow.load(folder / "trained.safetensors").hash

    from openmmflow import training

    original = training.FlowTrainer.train

    def interrupted(self, *arguments, **keywords):
        def progress(report):
            raise KeyboardInterrupt

        return original(self, *arguments[:3], progress, *arguments[4:])

    with monkeypatch.context() as patch:
        patch.setattr(training.FlowTrainer, "train", interrupted)
        result = run("--config", config, "--samples", 6400)
    assert result.exit_code == 130 and "run the same command again" in result.output
    assert list(folder.glob("*.checkpoint"))
    assert run("--config", config, "--samples", 6400).exit_code == 0
    assert openmmflow.Flow.load(folder / "trained.safetensors").hash == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("data: missing.npz", "missing.npz"),
        ("trainin: {}", "no setting trainin"),
        ("training: {batchsize: 3}", "no setting batchsize"),
        ("training: {batch_size: many}", "cannot be 'many'"),
        ("flow: {width: 3}", "no setting width"),
        ("flow: 3", "table"),
        ("refinement: {round: 3}", "no setting round"),
        ("a: [", "not a YAML file"),
    ],
)
def test_configurations_that_make_no_sense(config, text, message):
    name = text.split(":")[0]
    lines = [line for line in CONFIGURATION.splitlines() if not line.startswith(name + ":")]
    config.write_text("\n".join([*lines, text]))
    result = run("--config", config)
    assert result.exit_code == 1 and message in result.output, result.output
    assert "Traceback" not in result.output


def test_what_is_missing_is_named(folder):
    result = run(folder / "system.xml", folder / "topology.pdb", "-T", 300)
    assert result.exit_code == 2 and "--data" in result.output
    result = run(folder / "system.xml", folder / "topology.pdb", "--data", folder / "data.npz")
    assert result.exit_code == 2 and "temperature" in result.output


def test_data_of_another_molecule(folder):
    np.savez(folder / "data.npz", positions=np.random.default_rng(0).normal(size=(10, 5, 3)))
    result = run(folder / "system.xml", folder / "topology.pdb", "-T", 300, "--data", folder / "data.npz")
    assert result.exit_code == 1 and "(count, 4, 3)" in result.output
