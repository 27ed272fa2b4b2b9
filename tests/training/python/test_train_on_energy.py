"""`openmm-flow train` without data."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmm
import peroxide
import pytest
import yaml

import openmmflow
from openmmflow.training import FlowTrainer, FlowTrainerOptions

SOURCE = Path(__file__).resolve().parents[3]


@pytest.fixture
def energy_config(config):
    """A configuration file without data."""
    settings = yaml.safe_load(config.read_text())
    del settings["data"]
    settings["training"] |= {"target_samples": 2000, "validation_interval": 100}
    config.write_text(yaml.safe_dump(settings))
    return config


def test_learns_from_the_energy_alone(run, energy_config, folder, expect_target):
    (folder / "data.npz").unlink()
    # As a killed run leaves it, and what is none of ours.
    (folder / "trained.safetensors.stage-1.checkpoint.tmp-1-0").touch()
    notes = folder / "trained.safetensors.stage-notes"
    notes.touch()
    result = run("--config", energy_config, "--report")
    assert result.exit_code == 0, result.output
    page = (folder / "trained-report" / "comparison.html").read_text()
    assert "Effective of 2,000" in page and (folder / "trained-report" / "training.png").exists()
    assert "energy alone" in result.output
    flow = expect_target(0.8)
    explored, stage = json.loads(flow.metadata["training"])
    # In 75 exchanges of 3 temperatures, 16 ladders and 50 steps.
    assert explored["exploration"]["energies"] == explored["dynamics_energy_evaluations"] == 75 * 3 * 16 * 50
    assert explored["exploration"]["frames"] == 16 * 68 and explored["exploration"]["max_temperature"] == 900
    assert explored["objective"] == "maximum likelihood" and explored["path_gradients"] is True
    assert explored["steps"] == 12000 // 128
    # At each frame as often as it is used, and those of the estimate at the end.
    assert explored["energy_evaluations"] == explored["steps"] * 128 + 2000
    assert "energy alone" in stage["objective"] and stage["annealing_fraction"] == 0
    steps = 60000 // 128
    # Validations at the beginning, every 100 steps, and at the end.
    assert stage["energy_evaluations"] == steps * 128 + (2 + steps // 100) * 2000
    history = stage["history"]
    assert history["step"] == [0, 100, 200, 300, 400, steps]
    assert history["energy_evaluations"][0] == 2000
    assert history["energy_evaluations"][-1] == stage["energy_evaluations"]
    assert history["effective_sample_fraction"][-1] == stage["effective_sample_fraction"]
    assert flow.metadata["temperature"] == "300 K"
    assert list(folder.glob("*.stage-*")) == [notes]


def test_learns_while_the_temperature_falls(run, energy_config, expect_target):
    settings = yaml.safe_load(energy_config.read_text()) | {"exploration": {"energies": 0}}
    energy_config.write_text(yaml.safe_dump(settings))
    result = run("--config", energy_config)
    assert result.exit_code == 0, result.output
    flow = expect_target(0.8)
    [stage] = json.loads(flow.metadata["training"])
    assert stage["initial_temperature"] == 1200 and stage["annealing_fraction"] == 0.4
    assert stage["dynamics_energy_evaluations"] == 64 * 2000


def test_an_interrupted_run_continues(run, energy_config, folder, monkeypatch):
    settings = yaml.safe_load(energy_config.read_text())
    settings["training"]["validation_interval"] = 10
    energy_config.write_text(yaml.safe_dump(settings))
    arguments = ("--config", energy_config, "--samples", 6400)
    assert run(*arguments).exit_code == 0
    expected = openmmflow.Flow.load(folder / "trained.safetensors").hash
    original = FlowTrainer.trainOnEnergy

    def interrupted(self, progress, checkpoint):
        def stop(report):
            assert report.step < report.totalSteps
            raise KeyboardInterrupt

        return original(self, stop, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(FlowTrainer, "trainOnEnergy", interrupted)
        result = run(*arguments)
    assert result.exit_code == 130 and "run the same command again" in result.output
    assert list(folder.glob("*.checkpoint"))

    def no_dynamics(*arguments):
        raise AssertionError("frames and the scales of coordinates are found once")

    monkeypatch.setattr("openmmflow.commands.training_stages.explore", no_dynamics)
    monkeypatch.setattr("openmmflow.commands.training_stages.run_local_dynamics", no_dynamics)
    assert run(*arguments).exit_code == 0
    assert openmmflow.Flow.load(folder / "trained.safetensors").hash == expected


def expect_killed_runs_to_end_alike(run, config, folder, kills):
    assert run("--config", config).exit_code == 0
    expected = openmmflow.Flow.load(folder / "trained.safetensors").hash
    (folder / "trained.safetensors").unlink()
    program = Path(__file__).with_name("killed_runs.py")
    command = [sys.executable, str(program), str(kills), "--no-report", "--config", str(config)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert openmmflow.Flow.load(folder / "trained.safetensors").hash == expected


def test_runs_that_are_killed_end_with_the_same_weights(run, energy_config, folder):
    settings = yaml.safe_load(energy_config.read_text())
    settings["training"] |= {"max_samples": 400_000, "checkpoint_interval": 0, "optimizer": "soap"}
    energy_config.write_text(yaml.safe_dump(settings))
    expect_killed_runs_to_end_alike(run, energy_config, folder, 20)
    # Being killed while it writes leaves a temporary file.
    left = {path.name for path in folder.iterdir() if ".tmp-" not in path.name}
    assert left == {"system.xml", "topology.pdb", "data.npz", "train.yaml", "trained.safetensors"}


STAGES = """
stages:
- {objective: path-gradient, annealing_fraction: 1, max_samples: 20000}
- {objective: annealed-importance, pretraining_fraction: 0, initial_temperature: 300, buffer_size: 2000, stage_steps: 60,
   max_samples: 20000, path_gradients: true}
- {objective: mass-transport, pretraining_fraction: 0, buffer_size: 2000, stage_steps: 50, max_samples: 20000,
   path_gradient_share: 0.2}
- {objective: bootstrap, pretraining_fraction: 0, buffer_size: 1000, annealing_densities: 2, leapfrog_steps: 2,
   max_samples: 10000}
"""


@pytest.fixture
def staged_config(energy_config):
    """The same with four stages, one of each objective."""
    energy_config.write_text(energy_config.read_text() + STAGES)
    return energy_config


def test_stages_follow_each_other(run, staged_config, folder):
    result = run("--config", staged_config, "--seed", 3)
    assert result.exit_code == 0, result.output
    flow = openmmflow.Flow.load(folder / "trained.safetensors")
    stages = json.loads(flow.metadata["training"])
    assert [stage["options"]["max_samples"] for stage in stages] == [20000, 20000, 20000, 10000]
    for stage, words in zip(
        stages, ("Kullback", "annealed importance", "mass transport", "bootstrap"), strict=True
    ):
        assert words in stage["objective"] and stage["options"]["seed"] == 3
        assert stage["options"]["learning_rate"] == 3e-3, "of the table that all stages share"
    assert stages[1]["path_gradients"] is True and stages[2]["path_gradient_share"] == 0.2
    assert len({stage["initial_flow"] for stage in stages}) == 4
    assert [("dynamics_energy_evaluations" in stage) for stage in stages] == [True, False, False, False]
    # Each goes on from the flow that the one before gave.
    reached = [stage["effective_sample_fraction"] for stage in stages]
    begun = [stage["history"]["effective_sample_fraction"][0] for stage in stages]
    assert begun[1:] == pytest.approx(reached[:-1], abs=0.03) and min(reached[1:]) > 0.9
    ensemble = openmmflow.FlowSampler(peroxide.make_system(), flow, 300, "Reference").sample(4000, seed=5)
    log_z, error = ensemble.log_partition_function
    assert abs(log_z - peroxide.log_partition_function()) < 4 * error
    assert not list(folder.glob("*.stage-*"))


def test_stages_that_are_killed_end_with_the_same_weights(run, staged_config, folder):
    settings = yaml.safe_load(staged_config.read_text())
    for table in (settings["training"], *settings["stages"]):
        table |= {"max_samples": 12_000, "checkpoint_interval": 0, "target_samples": 500}
    staged_config.write_text(yaml.safe_dump(settings))
    expect_killed_runs_to_end_alike(run, staged_config, folder, 8)


def test_a_stage_that_is_complete_is_not_trained_again(run, staged_config, folder, monkeypatch):
    assert run("--config", staged_config, "--samples", 1280).exit_code == 0
    expected = openmmflow.Flow.load(folder / "trained.safetensors").hash
    original, objectives = FlowTrainer.trainOnEnergy, []

    def interrupted(self, progress, checkpoint):
        objectives.append(self.getOptions().objective)
        if len(objectives) == 3:
            raise KeyboardInterrupt
        return original(self, progress, checkpoint)

    monkeypatch.setattr(FlowTrainer, "trainOnEnergy", interrupted)
    assert run("--config", staged_config, "--samples", 1280).exit_code == 130
    assert run("--config", staged_config, "--samples", 1280).exit_code == 0
    assert objectives == [
        "path-gradient",
        "annealed-importance",
        "mass-transport",
        "mass-transport",
        "bootstrap",
    ]
    assert openmmflow.Flow.load(folder / "trained.safetensors").hash == expected


def test_from_python():
    system = peroxide.make_system()
    flow = openmmflow.createInternalFlow(
        peroxide.make_topology(), peroxide.make_positions(1)[0], couplings=2, hidden=16, blocks=1
    )
    options = FlowTrainerOptions(
        batchSize=64, maxSamples=640, targetSamples=100, threads=1, initialTemperature=500
    )
    trainer = FlowTrainer(flow, options)
    with pytest.raises(openmm.OpenMMException, match="setTarget"):
        trainer.trainOnEnergy()
    trainer.setTarget(system, 300)
    reports = []
    trained = trainer.trainOnEnergy(reports.append)
    assert reports[-1].step == 10 and reports[-1].temperature == pytest.approx(300)
    assert reports[-1].energyEvaluations == 640 + 2 * 100
    assert np.isfinite(reports[-1].trainingNLL) and trained.hash != flow.hash


def test_script_of_the_readme(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)
    setup = "".join(
        line + "\n" for line in blocks[0].splitlines() if "sampler" not in line and "ensemble" not in line
    )
    [training] = [block for block in blocks if "trainOnEnergy" in block]
    (tmp_path / "examples").symlink_to(SOURCE / "examples")
    script = setup + training.replace("2_000_000", "2_000") + "print(trained.hash)"
    result = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "flow.checkpoint").exists() and len(result.stdout.strip()) > 10


@pytest.mark.parametrize("minutes", [0.05, 1e-6])
def test_a_time_budget_covers_the_exploration(run, energy_config, folder, minutes):
    result = run("--config", energy_config, "--time-budget", minutes, "--samples", 10**7)
    assert result.exit_code == 0, result.output
    explored, stage = json.loads(openmmflow.Flow.load(folder / "trained.safetensors").metadata["training"])
    assert explored["exploration"]["energies"] < 10**6, "ended by its share of the time"
    assert explored["ended"] == stage["ended"] == "time budget"
    spent = explored["exploration"]["seconds"] + explored["seconds"]
    assert stage["time_budget"] == pytest.approx(max(60 * minutes - spent, 0.6 * minutes), abs=0.01)


def test_a_run_goes_on_with_another_time_budget(run, energy_config, folder, monkeypatch):
    settings = yaml.safe_load(energy_config.read_text())
    settings["training"]["validation_interval"] = 10
    energy_config.write_text(yaml.safe_dump(settings))
    original = FlowTrainer.train

    def interrupted(self, positions, weights, blocks, progress, checkpoint, held_out):
        def stop(report):
            raise KeyboardInterrupt

        return original(self, positions, weights, blocks, stop, checkpoint, held_out)

    with monkeypatch.context() as patch:
        patch.setattr(FlowTrainer, "train", interrupted)
        assert run("--config", energy_config).exit_code == 130
    assert [path.name for path in folder.glob("*.stage-1.checkpoint")]

    def again(*arguments):
        raise AssertionError("the exploration is complete")

    monkeypatch.setattr("openmmflow.commands.training_stages.explore", again)
    # What the stage has taken is more than this already: it ends.
    result = run("--config", energy_config, "--time-budget", 1e-6)
    assert result.exit_code == 0, result.output
    explored, stage = json.loads(openmmflow.Flow.load(folder / "trained.safetensors").metadata["training"])
    assert explored["ended"] == stage["ended"] == "time budget"


def test_seeds_explore_on_their_own(run, energy_config, folder):
    hashes = set()
    for seed in (1, 2):
        assert run("--config", energy_config, "--samples", 1280, "--seed", seed).exit_code == 0
        explored, _ = json.loads(openmmflow.Flow.load(folder / "trained.safetensors").metadata["training"])
        hashes.add(explored["data_hash"])
    assert len(hashes) == 2


def test_explorations_that_go_wrong_are_explained(run, energy_config, monkeypatch):
    from openmmflow.commands import exploration, training_stages

    settings = yaml.safe_load(energy_config.read_text())
    energy_config.write_text(yaml.safe_dump(settings | {"exploration": {"max_temperature": 1e30}}))
    result = run("--config", energy_config)
    assert result.exit_code == 1 and "breaks down" in result.output
    assert "exploration.max_temperature" in result.output
    energy_config.write_text(yaml.safe_dump(settings))

    def lost(*arguments):
        positions, blocks, energies = exploration.explore(*arguments)
        return np.full_like(positions, np.inf), blocks, energies

    monkeypatch.setattr(training_stages, "explore", lost)
    result = run("--config", energy_config, "--samples", 1280)
    assert result.exit_code == 1 and "exploration.max_temperature" in result.output


def test_what_makes_no_sense_is_explained(run, energy_config, folder):
    result = run("--config", energy_config, "--target-ess", 0.5, "--data", folder / "data.npz")
    assert result.exit_code == 2 and "--target-ess" in result.output
    text = energy_config.read_text()
    for exploration, words in (
        ({"temperature": 900}, "max_temperature"),
        ({"max_temperature": 200}, "must not be below"),
        ({"energies": -1}, "exploration.energies"),
        ({"energies": 0, "samples": 0}, "exploration.samples"),
    ):
        energy_config.write_text(yaml.safe_dump(yaml.safe_load(text) | {"exploration": exploration}))
        result = run("--config", energy_config)
        assert result.exit_code == 1 and words in result.output
    result = run("--config", energy_config, "--data", folder / "data.npz")
    assert result.exit_code == 1 and "exploration" in result.output
    asked = yaml.safe_load(text) | {"exploration": {"samples": 1000}}
    for name, value in (("annealing_fraction", 0.3), ("objective", "bootstrap")):
        changed = asked | {"training": asked["training"] | {name: value}}
        energy_config.write_text(yaml.safe_dump(changed))
        result = run("--config", energy_config)
        assert result.exit_code == 1 and name in result.output
    energy_config.write_text(yaml.safe_dump(asked | {"stages": [{"max_samples": 1000}]}))
    result = run("--config", energy_config)
    assert result.exit_code == 1 and "stages" in result.output
    settings = yaml.safe_load(text)
    settings["flow"] = {"family": "equivariant-coupling"}
    energy_config.write_text(yaml.safe_dump(settings))
    result = run("--config", energy_config)
    assert result.exit_code == 1 and "--data" in result.output
    energy_config.write_text(text)
    lines = (folder / "topology.pdb").read_text().splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if line.startswith(("ATOM", "HETATM")))
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    (folder / "topology.pdb").write_text("".join(lines))
    result = run("--config", energy_config)
    assert result.exit_code == 1 and "order" in result.output
