"""What the examples ship agrees with itself, and the README's script works as pasted."""

import json
import re
import subprocess
import sys

import numpy as np
import openmm
import pytest
from conftest import DIPEPTIDE, SOURCE

import openmmflow
from openmmflow.report.reference import read_reference
from openmmflow.report.states import assign, load_states
from openmmflow.report.torsions import find_ramachandran, measure

ENVIRONMENTS = "vacuum", "obc1"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_states_file_is_states_py(states, dipeptide, environment):
    _, topology, positions = dipeptide
    flow = openmmflow.createInternalFlow(topology, positions, couplings=1, hidden=4, blocks=1)
    proposals, _ = openmmflow.FlowContext(flow).sample(5000)
    torsions = {torsion.name: measure(proposals, torsion) for torsion in find_ramachandran(topology)[0]}
    regions = load_states(DIPEPTIDE.parent / environment / "states.yaml")
    found = np.array([region["name"] for region in regions])[assign(regions, torsions)]
    expected = np.array(states.STATES)[states.assign(proposals)]
    np.testing.assert_array_equal(found, expected)
    assert set(found) == set(states.STATES)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_summary_is_a_reference(environment):
    path = DIPEPTIDE.parent / environment / "reference.json"
    summary = json.loads(path.read_text())
    reference = read_reference(path, None, [], [], 22, 300)
    assert reference.states.keys() == summary["states"].keys()
    # C7ax is the state with phi in [0, 130): thirteen of the 36 bins.
    population = reference.torsions["phi"][18:31].sum()
    assert population == pytest.approx(summary["states"]["C7ax"]["population"], rel=1e-3)


def test_scripts_of_the_readme(tmp_path):
    # What trains is run where the package for training is.
    first, simulation, _, coupling = re.findall(
        r"```python\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL
    )
    assert len(first.strip().splitlines()) <= 10
    add_force, add_reporter = simulation.strip().splitlines()
    script = f"""{first}
{add_force}
integrator = openmm.LangevinMiddleIntegrator(300, 1, 0.001)
simulation = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform("Reference"))
simulation.context.setPositions(ensemble.resample(1).positions[0])
{add_reporter}
simulation.step(5000)
{coupling}
"""
    (tmp_path / "examples").symlink_to(SOURCE / "examples")
    result = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert len((tmp_path / "moves.csv").read_text().splitlines()) == 2
    assert "Pareto k" in result.stdout and (tmp_path / "aldp.dcd").stat().st_size > 1000 * 22 * 3 * 4


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_energies_are_batched(monkeypatch, environment):
    monkeypatch.syspath_prepend(DIPEPTIDE.parent)
    import restrained

    shipped = openmm.XmlSerializer.deserialize(restrained.read_system(environment)[0])
    for system in shipped, restrained.make_system(environment, 4):
        assert openmmflow.BatchedPotential(system).getImplementation() == "batched"


def script(name, *arguments):
    """Run a script of the example; return its output, and the error message if it failed."""
    command = [sys.executable, DIPEPTIDE.parent / name, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout, result.stderr if result.returncode != 0 else None


def frames(path):
    with np.load(path) as file:
        return {name: file[name] for name in file}


@pytest.mark.parametrize("engine, platform", [("batched", "CPU"), ("openmm", "Reference")])
def test_reference_goes_on_where_it_was(tmp_path, engine, platform):
    options = (
        "--ladders",
        2,
        "--equilibration",
        3,
        "--interval",
        6,
        "--steps-per-proposal",
        3,
        "--engine",
        engine,
        "--platform",
        platform,
    )
    for name, numbers in (("once", [12]), ("twice", [6, 12])):
        for number in numbers:
            _, error = script(
                "reference.py", "vacuum", *options, "--frames", number, "--output", tmp_path / name
            )
            assert error is None, error
    once, twice = frames(tmp_path / "once"), frames(tmp_path / "twice")
    assert once["positions"].shape == (12, 22, 3) and once["ladders"].tolist() == [0] * 6 + [1] * 6
    for name in once:
        np.testing.assert_array_equal(once[name], twice[name])
    _, error = script("reference.py", "vacuum", *options, "--seed", 2, "--output", tmp_path / "once")
    assert "has other settings" in error
    output, error = script("compare.py", tmp_path / "once", tmp_path / "twice", "--blocks", 4)
    assert f"12 frames of vacuum, engine {engine}" in output
    assert "energy" in output and "run longer" in error  # nobody has seen C7ax
