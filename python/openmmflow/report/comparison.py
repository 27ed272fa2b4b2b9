"""Several flows for one System side by side: how good each is, and what it took to train."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import openmmflow
from openmmflow.printable import printable
from openmmflow.report import figures, tables
from openmmflow.report.histograms import (
    histogram_variances,
    relative_weights,
    torsion_histogram,
    total_variation,
    total_variation_noise,
)
from openmmflow.report.pages import save_figure, write_page
from openmmflow.report.reference import read_reference
from openmmflow.report.states import RAMACHANDRAN_STATES
from openmmflow.report.torsions import MAX_TORSIONS, find_ramachandran, find_rotors, measure

BLOCK = 50_000
# The share of the largest weights that papers clip to the smallest of them (Midgley et al. 2023, arXiv 2208.01893).
CLIPPED = 1e-4


@dataclass
class Proposals:
    """What is kept of the proposals of a flow."""

    ensemble: "openmmflow.WeightedEnsemble"
    """Without positions."""
    torsions: dict[str, np.ndarray]
    """In degrees, (count,)."""


def propose(sampler, count, seed, torsions, progress=None):
    """Draw samples from a FlowSampler, and keep their weights and torsions.

    progress(done) is called after each block of samples.
    """
    log_q, reduced, angles = [], [], {torsion.name: [] for torsion in torsions}
    for first in range(0, count, BLOCK):
        part = sampler.sample(min(BLOCK, count - first), seed, first)
        log_q.append(np.array(part.log_q))
        reduced.append(np.array(part.reduced_potentials))
        for torsion in torsions:
            angles[torsion.name].append(measure(part.positions, torsion))
        if progress is not None:
            progress(first + len(part))
    ensemble = openmmflow.WeightedEnsemble(
        part.getNumParticles(), part.temperature, np.zeros(0), np.concatenate(log_q), np.concatenate(reduced)
    )
    return Proposals(ensemble, {name: np.concatenate(values) for name, values in angles.items()})


def clipped_effective_fraction(log_weights):
    """Return the effective sample fraction when the largest weights are clipped, as papers report it beside others."""
    weights = relative_weights(log_weights)
    clipped = int(np.ceil(CLIPPED * len(weights)))
    weights = np.minimum(weights, np.partition(weights, -clipped)[-clipped])
    return weights.sum() ** 2 / (weights**2).sum() / len(weights) if weights.any() else 0.0


def evidence_upper_bound(sampler, positions):
    """Return the average log weight of reference frames, which is not below log Z, its error, and how many frames
    have no finite one.

    Frames are correlated: the error is that of the averages of 20 consecutive blocks.
    """
    log_weights = np.concatenate(
        [sampler.reweight(positions[i : i + BLOCK]).log_weights for i in range(0, len(positions), BLOCK)]
    )
    finite = log_weights[np.isfinite(log_weights)]
    blocks = np.array([block.mean() for block in np.array_split(finite, 20) if len(block) > 0])
    if len(blocks) == 0:
        return np.nan, np.nan, len(log_weights)
    error = blocks.std(ddof=1) / np.sqrt(len(blocks)) if len(blocks) > 1 else np.nan
    return finite.mean(), error, len(log_weights) - len(finite)


def write_comparison(
    samplers, topology, folder, count, seed=0, reference=None, states=None, load_positions=None, progress=None
):
    """Draw from several flows, and write `comparison.html`, self-contained, and its figures as PNG files into a folder.

    Parameters
    ----------
    samplers : dict of str to FlowSampler
        by the name to show; all of one System and temperature
    topology : openmm.app.Topology
    folder : path
    count, seed : int
        how many proposals of each flow, and their seed
    reference, states, load_positions
        as for openmmflow.report.write_report
    progress : callable, optional
        progress(name, done) is called as proposals arrive

    Returns
    -------
    Path
        of the page
    list of dict
        the rows of its table, each with `name`, `note` and `values`, one text for each flow
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pairs = find_ramachandran(topology)[: MAX_TORSIONS // 2]
    torsions = [torsion for pair in pairs for torsion in pair] or find_rotors(topology)
    if states is None:
        states = RAMACHANDRAN_STATES if len(pairs) == 1 else []
    sampler = next(iter(samplers.values()))
    if reference is not None:
        reference = read_reference(
            reference,
            load_positions,
            torsions,
            states,
            sampler.getFlow().num_particles,
            sampler.getTemperature(),
        )
    proposals, columns = {}, []
    for name, one in samplers.items():
        report = None if progress is None else lambda done, name=name: progress(name, done)
        proposals[name] = propose(one, count, seed, torsions, report)
        columns.append(_describe(proposals[name], one, reference, states))
    notes = {row: note for column in columns for row, (_, note) in column.items()}
    rows = [
        {"name": row, "note": note, "values": [column.get(row, ("",))[0] for column in columns]}
        for row, note in notes.items()
    ]
    histories = {name: _history(one.getFlow()) for name, one in samplers.items()}
    drawn = [*_figures(proposals, pairs, reference), _training_figure(histories)]
    page = {
        "title": ("A flow" if len(samplers) == 1 else f"{len(samplers)} flows")
        + f", {count:,} proposals each, at {sampler.getTemperature():g} K",
        "names": [printable(name) for name in samplers],
        "rows": rows,
        "reference": reference.name if reference else None,
        "figures": [save_figure(folder, *figure) for figure in drawn],
        "provenance": f"openmm-flow {openmmflow.__version__}; seed {seed}; "
        + "; ".join(f"{printable(name)}: flow {one.getFlow().hash}" for name, one in samplers.items()),
    }
    return write_page(folder, "comparison.html", page), rows


def _figures(proposals, pairs, reference):
    """Yield the title, the figure and the caption of what there is to draw."""
    weights = {name: relative_weights(one.ensemble.log_weights) for name, one in proposals.items()}
    for phi, psi in pairs:
        panels = {
            name: torsion_histogram(one.torsions[phi.name], one.torsions[psi.name], weights=weights[name])
            for name, one in proposals.items()
        }
        if len(pairs) == 1 and reference is not None and reference.ramachandran is not None:
            panels["reference"] = reference.ramachandran
        panels = {name: histogram for name, histogram in panels.items() if histogram.any()}
        yield (
            "Ramachandran plot" if len(pairs) == 1 else f"Ramachandran plot {phi.name.removeprefix('phi ')}",
            figures.ramachandran(panels, phi.name, psi.name) if panels else None,
            f"Free energy of the backbone torsions, reweighted; white above {figures.MAX_KT} kT.",
        )
    curves = {name: one.ensemble.log_weights for name, one in proposals.items()}
    curves = {name: values[np.abs(values) < figures.LARGEST] for name, values in curves.items()}
    curves = {name: values for name, values in curves.items() if len(values) > 0}
    yield (
        "Weights",
        figures.log_weights(curves) if curves else None,
        "The narrower, the more of the proposals are effective; the first bar holds all to its left.",
    )


def _history(flow):
    """Return energies, seconds and effective sample fractions of the validations of a flow's training, or None.

    Of stages that follow each other, the energies and seconds add up.
    """
    energies, seconds, fractions = [], [], []
    spent = time = 0
    for stage in json.loads(flow.metadata.get("training", "[]")):
        history = stage.get("history")
        if history is None:
            continue
        spent += stage.get("dynamics_energy_evaluations", 0)
        energies += [spent + value for value in history["energy_evaluations"]]
        seconds += [time + value for value in history["seconds"]]
        fractions += [np.nan if value is None else value for value in history["effective_sample_fraction"]]
        spent, time = energies[-1], seconds[-1]
    return tuple(map(np.array, (energies, seconds, fractions))) if np.isfinite(fractions).any() else None


def _training_figure(histories):
    curves = {name: history for name, history in histories.items() if history is not None}
    return (
        "Training",
        figures.histories(curves) if curves else None,
        "Effective sample fraction of a few thousand proposals at each validation, as the flows' files have it.",
    )


def _describe(proposals, sampler, reference, states):
    """Return {row: (text, note)} of one flow."""
    ensemble = proposals.ensemble
    rows = {}
    sizes = [10**power for power in range(4, 19) if 10**power < len(ensemble)]
    for size in [*sizes, len(ensemble)]:
        part = ensemble.slice(0, size)
        rows[f"Effective of {size:,}"] = (
            f"{part.effective_sample_fraction:.2%}, k {tables.pareto_k(part.pareto_k)}",
            "Kish, and Pareto k; no weight is clipped",
        )
    rows["With clipped weights"] = (
        f"{clipped_effective_fraction(ensemble.log_weights):.2%}",
        f"the largest {CLIPPED:.2%} of them, for comparison with papers that clip",
    )
    finite = ensemble.log_weights[np.isfinite(ensemble.log_weights)]
    rows["log Z"] = tables.estimate(*ensemble.log_partition_function, digits=4), "average weight"
    rows["ELBO"] = (
        tables.estimate(finite.mean(), finite.std() / np.sqrt(len(finite)), digits=4),
        "average log weight of the proposals, which is below log Z",
    )
    # Frames do not hold the augmented particles that the weight of a joint density depends on.
    joint = sampler.getFlow().num_augmented_particles > 0
    if reference is not None and reference.positions is not None and not joint:
        value, error, lost = evidence_upper_bound(sampler, reference.positions)
        rows["EUBO"] = (
            tables.estimate(value, error, digits=4) + (f"; {lost:,} frames off the support" if lost else ""),
            f"average log weight of the frames of {reference.name}, which is above log Z",
        )
    rows |= _compare_torsions(proposals, reference)
    if states and proposals.torsions:
        energies, origin = tables.free_energies(ensemble, states, proposals.torsions, reference)
        for row in energies:
            expected = f"; reference {row['reference']}" if row["reference"] else ""
            rows[f"F of {row['name']} in kT"] = row["value"], f"relative to {origin}{expected}"
    for number, stage in enumerate(json.loads(sampler.getFlow().metadata.get("training", "[]")), 1):
        rows[f"Training {number}"] = _describe_stage(stage), "as the flow's file has it"
    return rows


def _compare_torsions(proposals, reference):
    if reference is None:
        return {}
    weights = relative_weights(proposals.ensemble.log_weights)
    if not weights.any():
        return {}
    rows = {}
    if reference.ramachandran is not None:
        angles = proposals.torsions["phi"], proposals.torsions["psi"]
        distance = total_variation(torsion_histogram(*angles, weights=weights), reference.ramachandran)
        noise = total_variation_noise(
            histogram_variances(*angles, weights=weights), reference.ramachandran_variances
        )
        rows["Ramachandran"] = (
            f"{distance:.4f} (noise {noise:.4f})",
            "total variation to the reference, reweighted, and what it is between samples of one distribution",
        )
    for name in (name for name in proposals.torsions if name in reference.torsions):
        distance = total_variation(
            torsion_histogram(proposals.torsions[name], weights=weights), reference.torsions[name]
        )
        rows[f"Torsion {name}"] = f"{distance:.4f}", "total variation to the reference, reweighted"
    return rows


def _describe_stage(stage):
    energies = stage.get("energy_evaluations", 0) + stage.get("dynamics_energy_evaluations", 0)
    return (
        f"{stage['objective']}: {stage['steps']:,} steps, {energies:,} energies, {stage['seconds'] / 60:.0f} minutes "
        f"on {stage.get('machine', 'an unknown machine')}, threads: {stage.get('threads', 'unknown')}"
    )
