"""The settings of `openmm-flow train` are checked before any data are read."""

import json
import os

import pytest
import yaml
from openmm import OpenMMException

import openmmflow
from openmmflow.commands.training_settings import check_settings, read_settings


@pytest.fixture
def change(config):
    """Replaces top-level settings in the configuration file, by text."""

    def change(*lines):
        names = [line.split(":")[0] for line in lines]
        kept = [line for line in config.read_text().splitlines() if line.split(":")[0] not in names]
        config.write_text("\n".join([*kept, *lines]))
        return config

    return change


@pytest.mark.parametrize(
    "text, message",
    [
        ("data: missing.npz", "missing.npz"),
        ("data: 3", "data must be a text"),
        ("system: [system.xml]", "system must be a text"),
        ("topology: missing.pdb", "missing.pdb"),
        ("trainin: {}", "no setting trainin"),
        ("temperature: warm", "temperature must be a number, and 'warm' is not"),
        ("temperature: [300]", "temperature must be a number"),
        ("temperature: yes", "temperature must be a number"),
        ("temperature: .inf", "temperature must be a number"),
        ("temperature: -3", "must be positive"),
        ("output: missing/flow.safetensors", "There is no folder"),
        ("output: .", "is a folder"),
        ("training: {batchsize: 3}", "no setting batchsize"),
        ("training: {batch_size: many}", "training.batch_size must be a number, and 'many' is not"),
        ("training: {batch_size: 128.9}", "training.batch_size must be a whole number"),
        ("training: {batch_size: 1e12}", "out of range"),
        ("training: {seed: -1}", "out of range"),
        ("training: {batch_size: 0}", "batch size must be positive"),
        ("training: {precision: 3}", "training.precision must be a text"),
        ("training: {precision: half}", "single"),
        ("training: [batch_size]", "table"),
        ("flow: {width: 3}", "no setting width"),
        ("flow: {couplings: many}", "flow.couplings must be a number"),
        ("flow: {couplings: 1.5}", "flow.couplings must be a whole number"),
        ("flow: {hidden: 1e10}", "flow.hidden must lie in"),
        ("flow: {couplings: 0}", "coupling"),
        ("flow: {activation: 3}", "flow.activation must be a text"),
        ("flow: {activation: tanh}", "tanh"),
        ("flow: 3", "table"),
        ("flow: {family: cubist}", "no family of flows cubist"),
        ("flow: {family: equivariant-coupling, couplings: 3}", "no setting couplings"),
        (
            "flow: {family: equivariant-coupling, types: molecules}",
            "flow.types must be one of elements, same, atoms",
        ),
        ("flow: {family: equivariant-coupling, scaling: 1}", "flow.scaling must be true or false"),
        ("flow: {family: equivariant-coupling, layers: 0}", "layers"),
        ("flow: {family: equivariant-coupling, transform: cubic}", "cubic"),
        ("flow: {family: equivariant-coupling, spline_range: wide}", "flow.spline_range must be a number"),
        ("refinement: {round: 3}", "no setting round"),
        ("refinement: {rounds: two}", "refinement.rounds must be a number"),
        ("refinement: {rounds: -1}", "refinement.rounds must lie in"),
        ("refinement: {proposals: 0}", "refinement.proposals must lie in"),
        ("refinement: {training: {patince: 3}}", "no setting patince"),
        ("refinement: {training: {patience: -3}}", "patience must not be negative"),
        ("refinement: {training: 3}", "table"),
        ("stages: {objective: bootstrap}", "stages must be a list of tables"),
        ("stages: []", "stages must be a list of tables"),
        ("stages: [bootstrap]", "stages[1] must be a table"),
        ("stages: [{}, {objectiv: bootstrap}]", "stages[2] has no setting objectiv"),
        ("stages: [{}, {batch_size: many}]", "stages[2].batch_size must be a number"),
        ("stages: [{objective: energy}]", "The objective must be"),
        ("stages: [{}, {trust_region: 0}]", "trust region must be positive"),
        ("a: [", "not a YAML file"),
    ],
)
def test_configurations_that_make_no_sense(run, change, monkeypatch, text, message):
    from openmmflow.commands import training_stages

    def read_data(*arguments):
        raise AssertionError("data were read")

    monkeypatch.setattr(training_stages, "load_training_data", read_data)
    result = run("--config", change(text))
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1 and message in result.output, result.output
    assert len(result.output.splitlines()) == 1 and result.output.endswith(".\n"), result.output


def test_a_folder_that_is_not_writable(config, monkeypatch):
    # The permissions of a folder do not bind root, who may be running this.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OpenMMException, match="not writable"):
        check_settings(read_settings(config))


def test_numbers_as_people_write_them(change):
    path = change(
        "training: {batch_size: 64.0, max_samples: 1e4, learning_rate: 1e-3, max_epochs: 3}",
        "refinement: {proposals: 1e5, training: {patience: 2e0}}",
        "temperature: '300'",
    )
    assert yaml.safe_load(path.read_text())["training"]["max_samples"] == "1e4"
    settings = check_settings(read_settings(path))
    assert (settings.temperature, settings.proposals, settings.rounds) == (300, 100000, 0)
    assert (settings.training.batchSize, settings.training.maxSamples) == (64, 10000)
    assert (settings.training.learningRate, settings.training.maxEpochs) == (1e-3, 3)
    assert settings.refined_training.patience == 2 and settings.refined_training.batchSize == 64


def test_empty_tables(run, change):
    result = run("--config", change("training:", "flow:", "refinement:"), "--seed", 3, "--samples", 1000)
    assert result.exit_code == 0, result.output
    result = run("--config", change("temperature:"))
    assert result.exit_code == 2 and "temperature is missing" in result.output


def test_stages_of_data(run, change, folder):
    path = change(
        "stages: [{max_samples: 2000}, {max_samples: 1000, learning_rate: 1e-4}]",
        "refinement: {proposals: 2000}",
    )
    result = run("--config", path, "--refine", 1, "--seed", 2)
    assert result.exit_code == 0, result.output
    stages = json.loads(openmmflow.Flow.load(folder / "trained.safetensors").metadata["training"])
    assert [stage["options"]["max_samples"] for stage in stages] == [2000, 1000, 60000]
    assert [stage["options"]["learning_rate"] for stage in stages] == [3e-3, 1e-4, 3e-3]
    assert stages[0]["held_out_blocks"] == stages[1]["held_out_blocks"]
    assert "own_samples" in stages[2] and "own_samples" not in stages[1]
