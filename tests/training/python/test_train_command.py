"""`openmm-flow train`, from files to a flow."""

import json
import sys

import numpy as np
import yaml

import openmmflow


def test_learns_and_refines(run, config, folder, expect_target):
    result = run("--config", config, "--refine", 1)
    assert result.exit_code == 0, result.output
    flow = expect_target(0.9)
    stages = json.loads(flow.metadata["training"])
    assert len(stages) == 2
    assert stages[1]["validation_frames"] + stages[1]["training_frames"] > 6000
    # Data held out of the first stage stay so, beside every tenth of 50 blocks of own samples.
    first, second = (stage["held_out_blocks"] for stage in stages)
    assert [block for block in second if block < 20] == first and len(first) == 2
    assert [block for block in second if block >= 20] == [20, 30, 40, 50, 60]
    assert flow.metadata["temperature"] == "300 K"
    assert not list(folder.glob("*.checkpoint"))


def test_command_line_alone(run, folder):
    result = run(
        folder / "system.xml", folder / "topology.pdb", "-T", 300, "--data", folder / "data.npz",
        "-o", folder / "flow.safetensors", "--samples", 2000, "--threads", 1, "--seed", 3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert openmmflow.Flow.load(folder / "flow.safetensors").num_particles == 4


def test_an_equivariant_flow(run, config, folder):
    settings = yaml.safe_load(config.read_text())
    settings["flow"] = {
        "family": "equivariant-coupling",
        "bonds": True,
        "layers": 3,
        "blocks": 1,
        "hidden": 16,
        "head_hidden": 16,
        "features": 12,
        "augmented_scale": 0.02,
        "base_scale": 0.05,
        "spline_range": 0.5,
        "length_unit": 0.1,
    }
    settings["training"] |= {"max_samples": 20000, "batch_size": 64, "max_gradient_norm": 1e6}
    settings["training"] |= {"gradient_clip_factor": 2, "frame_loss_weight": 1}
    config.write_text(yaml.safe_dump(settings))
    result = run("--config", config)
    assert result.exit_code == 0, result.output
    flow = openmmflow.Flow.load(folder / "trained.safetensors")
    assert (flow.family, flow.num_particles, flow.num_augmented_particles) == ("equivariant-coupling", 4, 4)
    [stage] = json.loads(flow.metadata["training"])
    assert stage["options"]["frame_loss_weight"] == 1
    untrained = openmmflow.createEquivariantCouplingFlow(
        types=[0, 1, 1, 0], bonds=[(0, 1), (1, 2), (2, 3)], augmented_scale=0.02, base_scale=0.05, layers=1
    )
    positions = np.load(folder / "data.npz")["positions"][:500]
    first, learned = (
        openmmflow.FlowContext(f, "CPU").logDensity(positions, draws=5).mean() for f in (untrained, flow)
    )
    assert learned > first + 2
    assert -learned < stage["validation_nll"] + 1


def test_an_interrupted_run_continues(run, config, folder, monkeypatch):
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


def test_what_is_missing_is_named(run, folder):
    result = run(folder / "system.xml", folder / "topology.pdb", "-T", 300, "--refine", 1)
    assert result.exit_code == 2 and "--data" in result.output
    result = run(folder / "system.xml", folder / "topology.pdb", "--data", folder / "data.npz")
    assert result.exit_code == 2 and "temperature" in result.output


def test_data_of_another_molecule(run, folder):
    np.savez(folder / "data.npz", positions=np.random.default_rng(0).normal(size=(10, 5, 3)))
    result = run(folder / "system.xml", folder / "topology.pdb", "-T", 300, "--data", folder / "data.npz")
    assert result.exit_code == 1 and "(count, 4, 3)" in result.output


def test_a_budget_ends_a_stage_for_good(run, config, folder, monkeypatch):
    from openmmflow.training import FlowTrainer

    original = FlowTrainer.train
    trained = []

    def killed_in_the_second_stage(self, positions, *arguments):
        trained.append(len(positions))
        if len(trained) == 2:
            raise MemoryError
        return original(self, positions, *arguments)

    config.write_text(config.read_text() + "refinement: {proposals: 3000}\n")
    arguments = ("--config", config, "--refine", 1, "--samples", 10**7, "--time-budget", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(FlowTrainer, "train", killed_in_the_second_stage)
        assert isinstance(run(*arguments).exception, MemoryError)
    first = openmmflow.Flow.load(folder / "trained.safetensors.stage-1.flow")
    assert not (folder / "trained.safetensors.stage-1.checkpoint").exists()

    def no_samples(*arguments, **keywords):
        raise AssertionError("own samples are drawn once")

    with monkeypatch.context() as patch:
        patch.setattr(openmmflow.FlowSampler, "sample", no_samples)
        result = run(*arguments)
    assert result.exit_code == 0, result.output
    stages = json.loads(openmmflow.Flow.load(folder / "trained.safetensors").metadata["training"])
    assert stages[:1] == json.loads(first.metadata["training"])
    assert stages[1]["training_frames"] + stages[1]["validation_frames"] == trained[1]
    assert not list(folder.glob("*.stage-*"))
    assert [stage["ended"] for stage in stages] == ["time budget"] * 2
    assert stages[0]["data_files"] == [str(folder / "data.npz")] and stages[0]["flow_seed"] == 0
    own = stages[1]["own_samples"]
    assert own["proposals"] == 3000 and own["kept"] + 6000 == trained[1] and own["seed"] > 2**32
    assert stages[1]["target_proposals"] == 500 and stages[1]["pareto_k"] < 1


def test_files_of_another_run_are_refused(run, config, folder, monkeypatch):
    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    config.write_text(config.read_text() + "refinement: {proposals: 3000}\n")
    arguments = ("--config", config, "--refine", 1, "--samples", 1280)
    with monkeypatch.context() as patch:
        patch.setattr(openmmflow.FlowSampler, "sample", interrupted)
        result = run(*arguments)
    assert result.exit_code == 130 and "run the same command again" in result.output
    result = run(*arguments, "--seed", 5)
    assert result.exit_code == 1 and "other data or settings" in result.output
    # More threads, or another device, are no other settings, and the command line overrules the configuration.
    text = config.read_text()
    config.write_text(text.replace("{proposals: 3000}", "{proposals: 3000, training: {device: cuda:99}}"))
    assert "cuda:99" in config.read_text() and "CUDA" in run(*arguments).output
    assert run(*arguments, "--threads", 2, "--device", "torch-cpu").exit_code == 0


def test_without_the_training_package(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "openmmflow_training", None)
    monkeypatch.delitem(sys.modules, "openmmflow.training", raising=False)
    result = run(folder / "system.xml", folder / "topology.pdb", "-T", 300, "--data", folder / "data.npz")
    assert result.exit_code == 1 and "pip install openmm-flow-training" in result.output
    assert isinstance(result.exception, SystemExit) and len(result.output.splitlines()) == 1
