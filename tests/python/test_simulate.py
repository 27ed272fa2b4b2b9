"""`openmm-flow simulate`: the command that makes a reference ensemble."""

import signal
import subprocess
import sys
import time

import mdtraj
import numpy as np
import openmm
import peroxide
import pytest
import yaml
from click.testing import CliRunner

from openmmflow.commands import main
from openmmflow.commands.trajectories import load_positions

COMMON = "-T", 300, "--platform", "Reference", "--hydrogen-mass", 1, "--time-step", 1


def arguments(files, *more):
    return [str(word) for word in ("simulate", files / "system.xml", files / "topology.pdb", *COMMON, *more)]


def run(files, *more):
    return CliRunner().invoke(main, arguments(files, *more))


def mean_energy():
    """Return the average energy of hydrogen peroxide by quadrature."""

    def average(low, high, volume, energy):
        x = np.linspace(low, high, 100001)
        weight = volume(x) * np.exp(-energy(x) / peroxide.KT)
        return np.sum(weight * energy(x)) / np.sum(weight)

    total = 0
    for length, k in peroxide.BONDS.values():
        total += average(0, 2 * length, np.square, lambda x: 0.5 * k * (x - length) ** 2)  # noqa: B023
    for angle, k in peroxide.ANGLES.values():
        total += average(0, np.pi, np.sin, lambda x: 0.5 * k * (x - angle) ** 2)  # noqa: B023
    n, phase, k = peroxide.TORSION
    return total + average(-np.pi, np.pi, np.ones_like, lambda x: k * (1 + np.cos(n * x - phase)))


def trajectory(path, files):
    return load_positions(path, files / "topology.pdb")


@pytest.mark.parametrize("method", ["langevin", "hmc"])
def test_the_ensemble_is_right(files, method):
    output = files / "reference.h5"
    options = "--method", method, "--equilibration", 100, "--ladders", 20, "-n", 4000, "-o", output
    result = run(files, *options, "--max-temperature", 600, "--interval", 40 if method == "langevin" else 2)
    assert result.exit_code == 0, result.output
    assert f"written: {output}" in result.output and "round trips" in result.output
    statistics = yaml.safe_load((files / "reference.yaml").read_text())
    assert statistics["frames"] == 4000 and statistics["complete"]
    energy = statistics["potential_energy_kJ_mol"][0]
    assert energy["temperature_K"] == 300
    assert abs(energy["mean"] - mean_energy()) < 4 * energy["standard_error"]
    assert energy["standard_error"] < 0.04 * energy["mean"]
    assert all(0.1 < rate < 0.9 for rate in statistics["exchange_acceptance"])
    assert statistics["round_trips"] > 20
    assert statistics["settings"]["method"] == method
    if method == "hmc":
        assert 0.6 < statistics["hmc"]["acceptance"] < 0.95
        assert len(statistics["pilot"]["step_sizes_fs"]) == len(statistics["pilot"]["acceptances"]) == 200
    with mdtraj.formats.HDF5TrajectoryFile(str(output)) as file:
        frames = file.read()
    assert frames.coordinates.shape == (4000, 4, 3)
    assert frames.potentialEnergy.mean() == pytest.approx(energy["mean"], abs=1e-3)
    # Nothing but the results is left behind.
    assert {path.name for path in files.iterdir()} == {
        "flow.safetensors", "system.xml", "topology.pdb", "reference.h5", "reference.yaml"
    }  # fmt: skip


def test_one_temperature_and_dcd(files):
    options = "--max-temperature", 300, "--ladders", 3, "--equilibration", 5, "--interval", 5, "-n", 25
    result = run(files, *options, "-o", files / "a.dcd")
    assert result.exit_code == 0, result.output
    assert "round trips" not in result.output
    statistics = yaml.safe_load((files / "a.yaml").read_text())
    # Rounded up to the same number from each ladder.
    assert statistics["frames"] == 27 and statistics["exchange_acceptance"] == []
    assert statistics["settings"]["temperatures"] == [300]
    assert len(trajectory(files / "a.dcd", files)) == 27


def test_frames_are_ordered_ladder_after_ladder(files):
    """The first ladder of many is the only one of few: random numbers are its own."""
    options = "--max-temperature", 400, "--equilibration", 3, "--interval", 5
    for ladders in (1, 3):
        result = run(
            files, *options, "--ladders", ladders, "-n", 10 * ladders, "-o", files / f"{ladders}.dcd"
        )
        assert result.exit_code == 0, result.output
    few, many = (trajectory(files / f"{ladders}.dcd", files) for ladders in (1, 3))
    np.testing.assert_array_equal(many[:10], few)
    assert not np.array_equal(many[10:20], few)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_was(files, number):
    options = [
        "--equilibration",
        5,
        "--interval",
        50,
        "--ladders",
        2,
        "--num-temperatures",
        3,
        "--threads",
        1,
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "openmmflow", *arguments(files, *options, "-n", 10**8, "-o", files / "a.dcd")],
        stderr=subprocess.PIPE,
        text=True,
    )
    frames = files / "a.dcd.frames"
    while not frames.exists() or frames.stat().st_size == 0:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error and "goes on from there" in error
    statistics = yaml.safe_load((files / "a.yaml").read_text())
    stopped = statistics["frames"]
    assert not statistics["complete"] and stopped > 0
    first = trajectory(files / "a.dcd", files)
    assert len(first) == stopped

    wanted = stopped + 40
    result = run(files, *options, "-n", wanted, "-o", files / "a.dcd")
    assert result.exit_code == 0, result.output
    result = run(files, *options, "-n", wanted, "-o", files / "b.dcd")
    assert result.exit_code == 0, result.output
    whole, at_once = (trajectory(files / f"{name}.dcd", files) for name in "ab")
    np.testing.assert_array_equal(whole, at_once)
    np.testing.assert_array_equal(whole[: stopped // 2], first[: stopped // 2])
    statistics = [yaml.safe_load((files / f"{name}.yaml").read_text()) for name in "ab"]
    for each in statistics:
        del each["seconds"]
    assert statistics[0] == statistics[1]


@pytest.mark.parametrize("precision", ["single", "double"])
def test_precision(files, precision):
    options = "--ladders", 1, "--equilibration", 1, "-n", 3, "--platform", "CPU", "--threads", 1
    result = run(files, *options, "--precision", precision, "-o", files / "a.dcd")
    assert result.exit_code == 0, result.output
    description = f"batched: CPU, {precision}, 1"
    assert f"energies: {description}" in result.output
    assert yaml.safe_load((files / "a.yaml").read_text())["energies_from"] == description


def test_other_settings_are_refused(files):
    output = files / "a.dcd"
    assert run(files, "--equilibration", 2, "--ladders", 1, "-n", 4, "-o", output).exit_code == 0
    (files / "a.dcd.checkpoint").write_bytes(b"nonsense")
    result = run(files, "--ladders", 1, "-n", 4, "-o", output)
    assert result.exit_code == 1 and "is damaged" in result.output


def test_a_checkpoint_knows_its_settings(files, monkeypatch):
    monkeypatch.setattr("openmmflow.commands.simulation_files.SimulationFiles.delete", lambda self: None)
    output = files / "a.dcd"
    options = "--equilibration", 2, "--ladders", 1, "-n", 4, "-o", output
    assert run(files, *options).exit_code == 0
    result = run(files, *options, "--seed", 1, "--interval", 3)
    assert result.exit_code == 1 and "differs in interval, seed" in result.output
    (files / "a.dcd.frames").write_bytes(b"")
    result = run(files, *options)
    assert result.exit_code == 1 and "lacks frames" in result.output


def test_other_files_are_kept(files):
    quick = "-n", 1, "--ladders", 1, "--equilibration", 0, "--platform", "Reference"
    (files / "config.yaml").write_text("precious: true")
    result = CliRunner().invoke(main, list(map(str, arguments(files, *quick, "-o", files / "config.dcd"))))
    assert result.exit_code == 1 and "would be overwritten" in result.output
    assert (files / "config.yaml").read_text() == "precious: true" and not list(files.glob("config.dcd*"))
    (files / "b.dcd.checkpoint").write_bytes(b"")
    result = CliRunner().invoke(main, list(map(str, arguments(files, *quick, "-o", files / "b.dcd"))))
    assert result.exit_code == 1 and "is damaged" in result.output


def test_errors_are_one_sentence(files):
    constrained = peroxide.make_system()
    constrained.addConstraint(0, 1, 0.097)
    (files / "constrained.xml").write_text(openmm.XmlSerializer.serialize(constrained))
    small = openmm.System()
    small.addParticle(1)
    (files / "small.xml").write_text(openmm.XmlSerializer.serialize(small))
    system, pdb = files / "system.xml", files / "topology.pdb"
    quick = "-n", 1, "--ladders", 1, "--equilibration", 0, "--platform", "Reference", "-o", files / "a.dcd"
    for words, said in [
        ((system, pdb, "-T", 300, "-o", files / "a.xtc"), "should end in .dcd or .h5"),
        ((system, pdb, "-T", 300, *quick[:-1], files / "none" / "a.dcd"), "There is no folder"),
        ((files / "constrained.xml", pdb, "-T", 300, *quick), "constraints"),
        ((files / "small.xml", pdb, "-T", 300, *quick), "must be of the same molecule"),
        ((system, pdb, "-T", 300, "--max-temperature", 200, *quick), "A ladder needs"),
        ((system, pdb, "-T", 300, "--time-step", 100, "-n", 100, *quick[2:]), "blew up in step"),
        ((system, system, "-T", 300, *quick), "is not a PDB"),
    ]:
        result = CliRunner().invoke(main, ["simulate", *map(str, words)])
        assert result.exit_code == 1, (words, result.output)
        assert said in result.output and "Error: " in result.output, (words, result.output)
        assert len(result.output.split("Error: ")[1].splitlines()) == 1
        assert not list(files.glob("a.*"))
