"""The report and what it computes."""

import json
import re

import mdtraj
import numpy as np
import openmm
import pytest
from click.testing import CliRunner
from openmm import app, unit
from PIL import Image

import openmmflow
from openmmflow.commands import main
from openmmflow.commands.trajectories import load_positions
from openmmflow.report import write_report
from openmmflow.report.histograms import torsion_histogram, total_variation
from openmmflow.report.states import RAMACHANDRAN_STATES, assign, frame_free_energies, load_states
from openmmflow.report.torsions import find_ramachandran, find_rotors, measure


@pytest.fixture(scope="module")
def dihedrals(dipeptide):
    """An ensemble of alanine dipeptide from an untrained flow, whose weights are made up."""
    _, topology, positions = dipeptide
    flow = openmmflow.createInternalFlow(topology, positions, couplings=1, hidden=4, blocks=1)
    proposals, log_q = openmmflow.FlowContext(flow, "Reference").sample(3000)
    u = -log_q + np.random.default_rng(0).normal(size=len(log_q))
    return openmmflow.WeightedEnsemble.fromArrays(proposals, log_q, u, 300)


def test_torsions_are_those_of_mdtraj(dipeptide, dihedrals):
    topology = dipeptide[1]
    trajectory = mdtraj.Trajectory(dihedrals.positions, mdtraj.Topology.from_openmm(topology))
    ((phi, psi),) = find_ramachandran(topology)
    for torsion, (atoms, angles) in (
        (phi, mdtraj.compute_phi(trajectory)),
        (psi, mdtraj.compute_psi(trajectory)),
    ):
        assert torsion.atoms == tuple(atoms[0])
        difference = measure(dihedrals.positions, torsion) - np.degrees(angles[:, 0])
        np.testing.assert_allclose((difference + 180) % 360 - 180, 0, atol=0.05)


def test_rotors():
    topology = app.Topology()
    residue = topology.addResidue("MOL", topology.addChain())
    # Methylcyclopropane with an ethyl group in place of the methyl one: C1 C2 C3 ring, C1-C4-C5-C6.
    atoms = [topology.addAtom(f"C{i}", app.element.carbon, residue) for i in range(1, 7)]
    hydrogen = topology.addAtom("H", app.element.hydrogen, residue)
    for first, second in [(0, 1), (1, 2), (2, 0), (0, 3), (3, 4), (4, 5)]:
        topology.addBond(atoms[first], atoms[second])
    topology.addBond(atoms[5], hydrogen)
    assert [torsion.name for torsion in find_rotors(topology)] == ["C2-C1-C4-C5", "C1-C4-C5-C6"]
    assert find_ramachandran(topology) == []


def test_several_residues_have_names(tmp_path):
    topology = app.Topology()
    chain = topology.addChain()
    previous = None
    for name in ("ACE", "ALA", "GLY", "NME"):
        residue = topology.addResidue(name, chain)
        atoms = {a: topology.addAtom(a, app.Element.getBySymbol(a[0]), residue) for a in ("N", "CA", "C")}
        if previous:
            topology.addBond(previous, atoms["N"])
        previous = atoms["C"]
    names = [torsion.name for pair in find_ramachandran(topology) for torsion in pair]
    assert names == ["phi ALA2", "psi ALA2", "phi GLY3", "psi GLY3"]


def test_total_variation():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(-180, 180, 10**5), rng.uniform(-180, 0, 10**5)
    assert total_variation(torsion_histogram(first), torsion_histogram(first)) == 0
    assert total_variation(torsion_histogram(first), torsion_histogram(second)) == pytest.approx(
        0.5, abs=0.01
    )
    weights = (first < 0).astype(float)
    assert total_variation(torsion_histogram(first, weights=weights), torsion_histogram(second)) < 0.02


def test_states():
    torsions = {"phi": np.array([60, -60, -60, 170, np.nan]), "psi": np.array([0, -40, 150, 0, 0])}
    np.testing.assert_array_equal(assign(RAMACHANDRAN_STATES, torsions)[:4], [0, 1, 2, 1])
    with pytest.raises(openmm.OpenMMException, match="omega"):
        assign([{"name": "cis", "omega": [-90, 90]}], torsions)


def test_states_file(tmp_path):
    path = tmp_path / "states.yaml"
    path.write_text("- {name: right, phi: [0, 180]}\n- {name: left}\n")
    assert load_states(path) == [{"name": "right", "phi": [0, 180]}, {"name": "left"}]
    for wrong in ("name: x", "- 3", "[", "- {phi: [0, 1]}", "- {name: x, phi: 3}", "- {name: x, phi: [1]}"):
        path.write_text(wrong)
        with pytest.raises(openmm.OpenMMException, match=r"states\.yaml"):
            load_states(path)


def test_limits_of_states_are_numbers(tmp_path):
    """YAML reads 1e2 as text."""
    path = tmp_path / "states.yaml"
    path.write_text("- {name: a, phi: [1e2, 130]}")
    assert load_states(path) == [{"name": "a", "phi": [100, 130]}]
    path.write_text("- {name: a, phi: [.nan, 130]}")
    with pytest.raises(openmm.OpenMMException, match="not a finite number"):
        load_states(path)


def test_state_that_only_one_block_has_seen():
    assigned = np.zeros(20000, int)
    assigned[-50:] = 1
    value, error = frame_free_energies(assigned, 2, 0)
    assert value[1] == pytest.approx(np.log(19950 / 50))
    assert error[1] == pytest.approx(1, rel=0.1)


def test_error_of_frame_free_energies():
    """It is the spread of repeated experiments."""
    rng = np.random.default_rng(1)
    results = [frame_free_energies(rng.choice(2, 2000, p=[0.8, 0.2]), 2, 0) for _ in range(200)]
    values, errors = np.array([[value[1], error[1]] for value, error in results]).T
    assert values.mean() == pytest.approx(np.log(4), abs=3 * values.std() / np.sqrt(200))
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def page_of(folder):
    page = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page), "the page is not self-contained"
    images = sorted(folder.glob("*.png"))
    assert page.count("<img") == len(images)
    for path in images:
        with Image.open(path) as image:
            # Something is drawn: more than a background and a frame.
            assert image.width > 300 and len(image.convert("RGB").getcolors(10**6)) > 10
    return page


def test_page(dihedrals, dipeptide, tmp_path):
    path = write_report(dihedrals, dipeptide[1], tmp_path)
    assert path == tmp_path / "report.html"
    page = page_of(tmp_path)
    assert f"{dihedrals.effective_sample_size:,.0f}" in page and f"{dihedrals.pareto_k:.2f}" in page
    assert "neither can see a mode" in page and "--reference" in page
    assert (tmp_path / "ramachandran-plot.png").exists()


def test_page_with_frames_as_reference(dihedrals, dipeptide, tmp_path):
    resampled = dihedrals.resample(2000)
    np.savez(tmp_path / "reference.npz", positions=resampled.positions, energies=resampled.reduced_potentials)
    write_report(
        dihedrals,
        dipeptide[1],
        tmp_path,
        tmp_path / "reference.npz",
        load_positions=lambda path: np.load(path)["positions"],
    )
    page = page_of(tmp_path)
    variations = [float(v) for v in re.findall(r'number">(0\.\d{3})</td></tr>', page)]
    # Resampled from the same ensemble: what is left is noise, sqrt(36 bins / 2000 frames) and less.
    assert len(variations) == 2 and max(variations) < 0.12
    deviations = [float(v) for v in re.findall(r'number">([+-]\d+\.\d)</td>', page)]
    assert deviations and max(map(abs, deviations)) < 4


def test_page_with_summary_as_reference(dihedrals, dipeptide, tmp_path):
    phi, psi = (measure(dihedrals.positions, torsion) for torsion in find_ramachandran(dipeptide[1])[0])
    counts = np.histogram2d(phi, psi, 36, [(-180, 180)] * 2)[0]
    summary = {
        "ramachandran_counts_phi_psi": counts.tolist(),
        "states": {
            "beta": {"free_energy_kT": 0.0, "standard_error_kT": 0.0},
            "alpha": {"free_energy_kT": 50.0, "standard_error_kT": 0.01},
        },
    }
    (tmp_path / "reference.json").write_text(json.dumps(summary))
    write_report(dihedrals, dipeptide[1], tmp_path, tmp_path / "reference.json")
    page = page_of(tmp_path)
    # The proposals are the reference here; and a free energy that far off is marked.
    assert '<td class="number">0.000</td>' in page
    assert 'number bad">-' in page or 'number bad">+' in page
    (tmp_path / "reference.json").write_text('{"states": {}}')
    with pytest.raises(openmm.OpenMMException, match=r"reference\.json"):
        write_report(dihedrals, dipeptide[1], tmp_path, tmp_path / "reference.json")


def test_molecule_without_backbone(files, ensemble):
    """Hydrogen peroxide has no torsion between heavy atoms: the page goes without."""
    ensemble.save(files / "e.safetensors")
    arguments = ["report", files / "e.safetensors", "--topology", files / "topology.pdb", "-o", files / "out"]
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    page = page_of(files / "out")
    assert "Ramachandran" not in page and "Potential energy" in page


def test_topology_of_another_molecule(dihedrals, topology, tmp_path):
    with pytest.raises(openmm.OpenMMException, match="22"):
        write_report(dihedrals, topology, tmp_path)


def test_energies_in_page_are_those_of_the_ensemble(dihedrals, dipeptide, tmp_path):
    write_report(dihedrals, dipeptide[1], tmp_path)
    kt = (unit.MOLAR_GAS_CONSTANT_R * 300 * unit.kelvin).value_in_unit(unit.kilojoule_per_mole)
    mean, _ = dihedrals.expectation(dihedrals.reduced_potentials * kt)
    assert f"{mean:.3f} \u00b1" in (tmp_path / "report.html").read_text()


def test_nothing_to_report(dihedrals, dipeptide, tmp_path):
    with pytest.raises(openmm.OpenMMException, match="nothing to report"):
        write_report(dihedrals.slice(0, 0), dipeptide[1], tmp_path)
    with pytest.raises(openmm.OpenMMException, match="resampled"):
        write_report(dihedrals.resample(10), dipeptide[1], tmp_path)
    np.savez(tmp_path / "other.npz", positions=np.zeros((5, 10, 3)))
    with pytest.raises(openmm.OpenMMException, match="where \\(count, 22, 3\\) is needed"):
        write_report(dihedrals, dipeptide[1], tmp_path, tmp_path / "other.npz", None, load_positions)
