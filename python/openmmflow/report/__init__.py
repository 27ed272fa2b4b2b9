"""A weighted ensemble as one page: how good it is, pictures, and how it compares with reference data."""

import base64
import io
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import numpy as np
from openmm import OpenMMException, unit

import openmmflow
from openmmflow.report import figures
from openmmflow.report.histograms import torsion_histogram, total_variation
from openmmflow.report.reference import read_reference
from openmmflow.report.states import RAMACHANDRAN_STATES, assign
from openmmflow.report.torsions import MAX_TORSIONS, find_ramachandran, find_rotors, measure
from openmmflow.topologies import require_atoms_of

# Vehtari et al. 2024: above this, averages converge too slowly to be of use.
PARETO_LIMIT = 0.7
KT_PER_KELVIN = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)


def write_report(ensemble, topology, folder, reference=None, states=None, load_positions=None, title=None):
    """Write `report.html`, self-contained, and the figures as PNG files into a folder.

    Parameters
    ----------
    ensemble : WeightedEnsemble
        with positions
    topology : openmm.app.Topology
    folder : path
    reference : path, optional
        reference data: see openmmflow.report.reference.read_reference
    states : list of dict, optional
        see openmmflow.report.states.load_states; by default the Ramachandran regions of a single residue
    load_positions : callable, optional
        reads the frames of a reference trajectory: load_positions(path) returns (count, N, 3) in nm

    Returns
    -------
    Path
        of the page
    """
    require_atoms_of(topology, ensemble)
    if not np.isfinite(ensemble.log_weights).any():
        raise OpenMMException("There is nothing to report: the ensemble has no sample of positive weight.")
    if "resampled" in ensemble.metadata:
        raise OpenMMException(
            "A resampled ensemble has lost what tells how good it is: report the weighted one that it came from."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pairs = find_ramachandran(topology)[: MAX_TORSIONS // 2]
    torsions = [torsion for pair in pairs for torsion in pair] or find_rotors(topology)
    if states is None:
        states = RAMACHANDRAN_STATES if len(pairs) == 1 else []
    if reference is not None:
        reference = read_reference(reference, load_positions, torsions, states, ensemble.getNumParticles())

    angles = {torsion.name: measure(ensemble.positions, torsion) for torsion in torsions}
    weights = np.exp(ensemble.log_weights - np.max(ensemble.log_weights))
    histograms = {
        name: {
            "proposals": torsion_histogram(values),
            "reweighted": torsion_histogram(values, weights=weights),
        }
        for name, values in angles.items()
    }
    page = {
        "title": title or f"{len(ensemble):,} samples at {ensemble.temperature:g} K",
        "diagnostics": _diagnostics(ensemble, reference),
        "reference": reference.name if reference else None,
        "comparison": _comparison(histograms, reference),
        "states": [],
        "provenance": _provenance(ensemble),
    }
    if states and angles:
        page["states"], page["origin"] = _states(ensemble, states, angles, reference)
    page["figures"] = list(_figures(ensemble, pairs, angles, histograms, weights, reference, folder))
    environment = jinja2.Environment(loader=jinja2.PackageLoader("openmmflow", "report"), autoescape=True)
    path = folder / "report.html"
    temporary = folder / "report.html.part"
    temporary.write_text(environment.get_template("report.html").render(page), encoding="utf-8")
    temporary.replace(path)
    return path


def _diagnostics(ensemble, reference):
    energies = ensemble.reduced_potentials * (KT_PER_KELVIN * ensemble.temperature)
    log_z, log_z_error = ensemble.log_partition_function
    expected = reference.mean_energy if reference else ""
    energy, energy_error = ensemble.expectation(energies)
    rows = [
        ("Samples", f"{len(ensemble):,}", "", False),
        (
            "Effective samples",
            f"{ensemble.effective_sample_size:,.0f} ({ensemble.effective_sample_fraction:.1%})",
            "Kish: (sum of weights)\u00b2 / sum of squares",
            False,
        ),
        (
            "Pareto k",
            f"{ensemble.pareto_k:.2f}",
            f"tail of the weights; above {PARETO_LIMIT} averages are not reliable",
            not ensemble.pareto_k <= PARETO_LIMIT,
        ),
        (
            "log Z",
            f"{log_z:.4f} \u00b1 {log_z_error:.4f}",
            "average weight; only differences at equal N mean anything",
            False,
        ),
        ("Acceptance", f"{ensemble.acceptance:.1%}", "of a Metropolis move with this flow", False),
        (
            "Potential energy",
            f"{energy:.3f} \u00b1 {energy_error:.3f} kJ/mol",
            "average in the target" + (f"; reference {expected}" if expected else ""),
            False,
        ),
        (
            "Off the support",
            f"{ensemble.getNumOffSupport():,}",
            "proposals with an impossible bond, angle or torsion: weight 0",
            False,
        ),
        (
            "Energy not finite",
            f"{ensemble.getNumNonFinite():,}",
            "proposals with overlapping atoms: weight 0",
            False,
        ),
    ]
    return [dict(zip(("name", "value", "note", "bad"), row, strict=True)) for row in rows]


def _comparison(histograms, reference):
    if reference is None:
        return []
    return [
        {
            "name": name,
            "proposal": total_variation(curves["proposals"], reference.torsions[name]),
            "reweighted": total_variation(curves["reweighted"], reference.torsions[name]),
        }
        for name, curves in histograms.items()
        if name in reference.torsions
    ]


def _states(ensemble, states, angles, reference):
    assigned = assign(states, angles)
    populations = [ensemble.expectation((assigned == i).astype(float))[0] for i in range(len(states))]
    known = reference.states if reference else {}
    shared = [
        i for i, state in enumerate(states) if state["name"] in known and np.isfinite(known[state["name"]][0])
    ]
    # The best known state is the origin, of those that both know.
    origin = max(shared or range(len(states)), key=lambda i: populations[i])
    zero, zero_error = known.get(states[origin]["name"], (0.0, 0.0))
    rows = []
    for index, state in enumerate(states):
        row = {"name": state["name"], "reference": "", "deviation": "", "bad": False}
        if index == origin:
            rows.append(row | {"value": "0", "reference": "0" if state["name"] in known else ""})
            continue
        value, error = ensemble.free_energy_difference(assigned == origin, assigned == index)
        row["value"] = f"{value:.3f} \u00b1 {error:.3f}"
        if state["name"] in known:
            expected, expected_error = known[state["name"]]
            expected, expected_error = expected - zero, np.hypot(expected_error, zero_error)
            deviation = (value - expected) / np.hypot(error, expected_error)
            row["reference"] = f"{expected:.3f} \u00b1 {expected_error:.3f}"
            row["deviation"] = f"{deviation:+.1f}"
            row["bad"] = not abs(deviation) <= 3
        rows.append(row)
    return rows, states[origin]["name"]


def _figures(ensemble, pairs, angles, histograms, weights, reference, folder):
    for phi, psi in pairs:
        panels = {
            "proposals": torsion_histogram(angles[phi.name], angles[psi.name]),
            "reweighted": torsion_histogram(angles[phi.name], angles[psi.name], weights=weights),
        }
        if reference is not None and len(pairs) == 1:
            panels["reference"] = reference.ramachandran
        yield _figure(
            folder,
            f"Ramachandran plot {phi.name.removeprefix('phi ')}" if len(pairs) > 1 else "Ramachandran plot",
            figures.ramachandran(panels, phi.name, psi.name),
            f"Free energy of the backbone torsions; white above {figures.MAX_KT} kT and where there is no sample.",
        )
    if histograms:
        panels = {name: dict(curves) for name, curves in histograms.items()}
        for name in panels:
            if reference is not None and name in reference.torsions:
                panels[name]["reference"] = reference.torsions[name]
        yield _figure(folder, "Torsions", figures.torsions(panels), "Probability densities, per degree.")
    energies = ensemble.reduced_potentials * (KT_PER_KELVIN * ensemble.temperature)
    yield _figure(
        folder,
        "Potential energy",
        figures.energies(energies, weights, reference.energies if reference else None),
        "Up to the 98th percentile of the proposals.",
    )
    yield _figure(
        folder,
        "Weights",
        figures.weights(ensemble.log_weights),
        "A long tail to the right means that few samples decide every average; the first bar holds all to its left.",
    )


def _figure(folder, title, figure, caption):
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    plt.close(figure)
    data = buffer.getvalue()
    (folder / f"{title.lower().replace(' ', '-')}.png").write_bytes(data)
    return {"title": title, "caption": caption, "data": base64.b64encode(data).decode()}


def _provenance(ensemble):
    parts = [f"{key} {value}" for key, value in sorted(ensemble.metadata.items())]
    parts += [
        f"seed {seed}: samples {first} to {first + count - 1}"
        for seed, first, count in ensemble.sample_ranges
    ]
    return f"openmm-flow {openmmflow.__version__}. " + "; ".join(parts) + "."
