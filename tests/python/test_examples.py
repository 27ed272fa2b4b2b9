"""What the examples ship agrees with itself, and the README's script works as pasted."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import DIPEPTIDE, SOURCE

import openmmflow
from openmmflow.report.reference import read_reference
from openmmflow.report.states import assign, load_states
from openmmflow.report.torsions import find_ramachandran, measure


@pytest.fixture(scope="module")
def states():
    """The module examples/alanine-dipeptide/states.py."""
    specification = importlib.util.spec_from_file_location("states", DIPEPTIDE.parent / "states.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_states_file_is_states_py(states, dipeptide):
    _, topology, positions = dipeptide
    flow = openmmflow.createInternalFlow(topology, positions, couplings=1, hidden=4, blocks=1)
    proposals, _ = openmmflow.FlowContext(flow).sample(5000)
    torsions = {torsion.name: measure(proposals, torsion) for torsion in find_ramachandran(topology)[0]}
    regions = load_states(DIPEPTIDE / "states.yaml")
    found = np.array([region["name"] for region in regions])[assign(regions, torsions)]
    expected = np.array(states.STATES)[states.assign(proposals)]
    np.testing.assert_array_equal(found, expected)
    assert set(found) == set(states.STATES)


def test_summary_is_a_reference():
    summary = json.loads((DIPEPTIDE / "reference.json").read_text())
    reference = read_reference(DIPEPTIDE / "reference.json", None, [], [], 22, 300)
    assert reference.states.keys() == summary["states"].keys()
    # C7ax is the state with phi in [0, 130): thirteen of the 36 bins.
    population = reference.torsions["phi"][18:31].sum()
    assert population == pytest.approx(summary["states"]["C7ax"]["population"], rel=1e-3)


def test_first_script_of_the_readme(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)
    assert len(script.strip().splitlines()) <= 10
    (tmp_path / "examples").symlink_to(SOURCE / "examples")
    result = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Pareto k" in result.stdout and (tmp_path / "aldp.dcd").stat().st_size > 1000 * 22 * 3 * 4
