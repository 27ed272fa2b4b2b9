"""A weighted ensemble as one page: how good it is, pictures, and how it compares with reference data."""

import warnings
from pathlib import Path

import numpy as np
from openmm import OpenMMException, unit

import openmmflow
from openmmflow.printable import printable
from openmmflow.report import figures, tables
from openmmflow.report.histograms import relative_weights, torsion_histogram
from openmmflow.report.pages import save_figure, write_page
from openmmflow.report.reference import read_reference
from openmmflow.report.states import default_states
from openmmflow.report.torsions import find_torsions, measure
from openmmflow.topologies import require_atoms_of

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

    What the page cannot show is said in it and as a warning.
    """
    require_atoms_of(topology, ensemble)
    if len(ensemble) == 0:
        raise OpenMMException("There is nothing to report: the ensemble has no sample.")
    if "resampled" in ensemble.metadata:
        raise OpenMMException(
            "A resampled ensemble has lost what tells how good it is: report the weighted one that it came from."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pairs, torsions = find_torsions(topology)
    if states is None:
        states = default_states(pairs)
    if reference is not None:
        reference = read_reference(
            reference, load_positions, torsions, states, ensemble.getNumParticles(), ensemble.temperature
        )

    angles = {torsion.name: measure(ensemble.positions, torsion) for torsion in torsions}
    weights = relative_weights(ensemble.log_weights)
    histograms = {name: _curves(weights, values) for name, values in angles.items()}
    cautions = [] if weights.any() else ["No sample has a positive weight: only the proposals are shown."]
    cautions += reference.unmatched(histograms, states) if reference else []
    for caution in cautions:
        warnings.warn(caution, stacklevel=2)
    with np.errstate(over="ignore"):
        energies = ensemble.reduced_potentials * (KT_PER_KELVIN * ensemble.temperature)
    page = {
        "title": title or f"{len(ensemble):,} samples at {ensemble.temperature:g} K",
        "cautions": cautions,
        "diagnostics": tables.diagnostics(ensemble, energies, reference),
        "reference": reference.name if reference else None,
        "comparison": tables.comparison(histograms, reference),
        "states": [],
        "provenance": printable(_provenance(ensemble)),
    }
    if states and angles:
        origin = tables.find_origin(tables.populations(ensemble, states, angles), states, reference)
        page["states"] = tables.free_energies(ensemble, states, angles, reference, origin)
        page["origin"] = states[origin]["name"]
    drawn = _figures(ensemble, energies, pairs, angles, histograms, weights, reference)
    page["figures"] = [save_figure(folder, *figure) for figure in drawn]
    return write_page(folder, "report.html", page)


def _curves(weights, *angles):
    """Return the histograms of proposals and reweighted ensemble, but for those that would be empty."""
    curves = {
        "proposals": torsion_histogram(*angles),
        "reweighted": torsion_histogram(*angles, weights=weights),
    }
    return {label: histogram for label, histogram in curves.items() if histogram.any()}


def _figures(ensemble, energies, pairs, angles, histograms, weights, reference):
    """Yield the title, the figure and the caption of what there is to draw; the figure is None if nothing is."""
    for phi, psi in pairs:
        panels = _curves(weights, angles[phi.name], angles[psi.name])
        if reference is not None and len(pairs) == 1 and reference.ramachandran is not None:
            panels["reference"] = reference.ramachandran
        yield (
            f"Ramachandran plot {phi.name.removeprefix('phi ')}" if len(pairs) > 1 else "Ramachandran plot",
            figures.ramachandran(panels, phi.name, psi.name) if panels else None,
            f"Free energy of the backbone torsions; white above {figures.MAX_KT} kT and where there is no sample."
            if panels
            else "Not drawn: no proposal has these torsions.",
        )
    panels = {name: dict(curves) for name, curves in histograms.items()}
    for name in panels:
        if reference is not None and name in reference.torsions:
            panels[name]["reference"] = reference.torsions[name]
    panels = {name: curves for name, curves in panels.items() if curves}
    if panels:
        yield "Torsions", figures.torsions(panels), "Probability densities, per degree."
    finite = np.abs(energies) < figures.LARGEST
    yield (
        "Potential energy",
        figures.energies(energies[finite], weights[finite], reference.energies if reference else None)
        if finite.any()
        else None,
        "Up to the 98th percentile of the proposals."
        if finite.any()
        else "Not drawn: no proposal has a finite energy.",
    )
    positive = np.abs(ensemble.log_weights) < figures.LARGEST
    yield (
        "Weights",
        figures.weights(ensemble.log_weights[positive], len(ensemble)) if positive.any() else None,
        "A long tail to the right means that few samples decide every average; the first bar holds all to its left."
        if positive.any()
        else "Not drawn: no proposal has a positive weight.",
    )


def _provenance(ensemble):
    parts = [f"openmm-flow {openmmflow.__version__}"]
    # A schedule is hundreds of numbers, which the ensemble's file holds.
    parts += [f"{key} {value}" for key, value in sorted(ensemble.metadata.items()) if key != "annealing"]
    parts += [
        f"seed {seed}: samples {first} to {first + count - 1}"
        for seed, first, count in ensemble.sample_ranges
    ]
    return "; ".join(parts) + "."
