"""Reports of ensembles that hold next to nothing, and reference data that do not fit."""

import json
import re
import warnings

import numpy as np
import openmm
import pytest
from click.testing import CliRunner
from conftest import DIPEPTIDE
from test_report import page_of

import openmmflow
from openmmflow.commands import main
from openmmflow.commands.trajectories import load_positions
from openmmflow.report import write_report

COUNT = 50
REFERENCE = DIPEPTIDE / "reference.json"


@pytest.fixture(scope="module")
def proposals(dipeptide):
    """Positions of alanine dipeptide and their log q."""
    _, topology, positions = dipeptide
    flow = openmmflow.createInternalFlow(topology, positions, couplings=1, hidden=4, blocks=1)
    return openmmflow.FlowContext(flow, "Reference").sample(COUNT)


def ensemble_of(proposals, potentials, temperature=300):
    positions, log_q = proposals
    count = len(potentials)
    return openmmflow.WeightedEnsemble.fromArrays(positions[:count], log_q[:count], potentials, temperature)


def but_one(value, one=0.0):
    potentials = np.full(COUNT, value)
    potentials[7] = one
    return potentials


@pytest.mark.parametrize(
    "potentials",
    [
        but_one(np.inf),
        but_one(1e4),
        np.zeros(COUNT),
        np.zeros(1),
        np.zeros(2),
        np.array([0.0, np.inf]),
        np.where(np.arange(COUNT) % 2, 1.7e308, -1e307),
        np.where(np.arange(COUNT) % 2, 1.7e308, 1e307),
    ],
    ids=["one weight", "one large weight", "one energy", "one", "two", "one of two", "extreme", "huge"],
)
def test_what_can_be_drawn_is(proposals, dipeptide, potentials, tmp_path):
    states = [
        {"name": "C7ax", "phi": [0, 130]},
        {"name": "alphaR", "psi": [-130, 10]},
        {"name": "C7eq"},
        {"name": "C5"},
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(ensemble_of(proposals, potentials), dipeptide[1], tmp_path, REFERENCE, states)
    page = page_of(tmp_path)
    assert not re.search(r">[^<]*\b(nan|inf)\b", page)
    for name in ("ramachandran-plot", "torsions"):
        assert (tmp_path / f"{name}.png").exists()


@pytest.mark.parametrize("count", [1, COUNT])
def test_weights_that_are_all_zero(proposals, dipeptide, count, tmp_path):
    ensemble = ensemble_of(proposals, np.full(count, np.inf))
    (tmp_path / "weights.png").write_bytes(b"of an earlier report")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.warns(UserWarning, match="only the proposals are shown") as caught:
            write_report(
                ensemble,
                dipeptide[1],
                tmp_path,
                REFERENCE,
                [{"name": n} for n in ("C5", "C7eq", "C7ax", "alphaR")],
            )
    assert len(caught) == 1
    page = page_of(tmp_path)
    assert "only the proposals are shown" in page
    assert page.count("Not drawn") == 2 and "undetermined" in page and "no sample" in page
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == ["ramachandran-plot", "torsions"]


def test_a_state_that_only_the_reference_knows_is_marked(proposals, dipeptide, tmp_path):
    states = [{"name": "C7ax", "phi": [500, 600]}, {"name": "C5"}]
    with pytest.warns(UserWarning, match="alphaR"):
        write_report(ensemble_of(proposals, np.zeros(COUNT)), dipeptide[1], tmp_path, REFERENCE, states)
    assert 'bad">missing' in page_of(tmp_path)


def test_reference_at_another_temperature(proposals, dipeptide, tmp_path):
    for temperature in (299, 400):
        ensemble = ensemble_of(proposals, np.zeros(COUNT), temperature)
        with pytest.raises(openmm.OpenMMException, match=f"at 300 K and the ensemble is at {temperature} K"):
            write_report(ensemble, dipeptide[1], tmp_path, REFERENCE)
    summary = json.loads(REFERENCE.read_text())
    del summary["temperature_K"]
    (tmp_path / "unknown.json").write_text(json.dumps(summary))
    with pytest.warns(UserWarning):
        write_report(ensemble, dipeptide[1], tmp_path, tmp_path / "unknown.json")


def test_states_without_a_counterpart_are_told(proposals, dipeptide, tmp_path):
    ensemble_of(proposals, np.zeros(COUNT)).save(tmp_path / "e.safetensors")
    arguments = [
        "report", tmp_path / "e.safetensors", "--topology", DIPEPTIDE / "topology.pdb",
        "--reference", REFERENCE, "-o", tmp_path / "out",
    ]  # fmt: skip
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    for text in (result.stderr, page_of(tmp_path / "out")):
        assert "C7eq, C5, alphaR, C7ax in reference.json are not compared" in text and "--states" in text
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("Warning: ")
    result = CliRunner().invoke(main, [str(a) for a in (*arguments, "--states", DIPEPTIDE / "states.yaml")])
    assert result.exit_code == 0 and result.stderr == ""
    assert "not compared" not in page_of(tmp_path / "out")


def test_torsions_without_a_counterpart_are_told(ensemble, topology, tmp_path):
    with pytest.warns(UserWarning) as caught:
        write_report(ensemble, topology, tmp_path, REFERENCE)
    torsions, states = (str(warning.message) for warning in caught)
    assert torsions.startswith("The torsions phi, psi in") and states.startswith("The free energies of C7eq")
    assert torsions in page_of(tmp_path) and states in page_of(tmp_path)


@pytest.mark.parametrize(
    "energies",
    [np.full(5, "x"), np.array([None] * 5), np.zeros(4), np.full(5, np.nan)],
    ids=lambda a: str(a.dtype),
)
def test_energies_of_a_reference(proposals, dipeptide, energies, tmp_path):
    path = tmp_path / "reference.npz"
    np.savez(path, positions=proposals[0][:5], energies=energies)
    with pytest.raises(openmm.OpenMMException, match='"energies" in .*reference.npz'):
        write_report(
            ensemble_of(proposals, np.zeros(COUNT)), dipeptide[1], tmp_path, path, None, load_positions
        )


def test_metadata_are_escaped(ensemble, topology, tmp_path):
    odd = ensemble.slice(0, len(ensemble))
    odd.setMetadata("title", "<script>alert(1)</script>\x1b[2J\x00")
    write_report(odd, topology, tmp_path)
    page = page_of(tmp_path)
    assert "&lt;script&gt;" in page and "<script" not in page
    assert r"\x1b[2J\x00" in page and not {"\x1b", "\x00"} & set(page)
