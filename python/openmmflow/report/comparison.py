"""Several flows for one System side by side: how good each is, and what it took to train."""

import warnings
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
from openmmflow.report.states import default_states
from openmmflow.report.torsions import find_torsions, measure
from openmmflow.report.training_history import describe_stages, read_history
from openmmflow.topologies import require_atoms_of

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

    @property
    def weights(self):
        """Relative to the largest one: all zero if there is no positive one."""
        return relative_weights(self.ensemble.log_weights)


def propose(sampler, count, seed, torsions, progress=None):
    """Draw samples from a FlowSampler, and keep their weights and torsions.

    progress(done) is called after each block of samples.
    """
    ensemble, angles = None, {torsion.name: [] for torsion in torsions}
    for first in range(0, count, BLOCK):
        part = sampler.sample(min(BLOCK, count - first), seed, first)
        rest = part._withoutPositions()
        if ensemble is None:
            ensemble = rest
        else:
            ensemble._append(rest)
        for torsion in torsions:
            angles[torsion.name].append(measure(part.positions, torsion))
        if progress is not None:
            progress(first + len(part))
    return Proposals(ensemble, {name: np.concatenate(values) for name, values in angles.items()})


def clipped_effective_fraction(ensemble):
    """Return the effective sample fraction when the largest weights are clipped, as papers report it beside others."""
    count = len(ensemble)
    clipped = int(np.ceil(CLIPPED * count))
    log_weights = np.array(ensemble.log_weights)
    log_weights = np.minimum(log_weights, np.partition(log_weights, -clipped)[-clipped])
    return openmmflow.WeightedEnsemble._fromLogWeights(
        ensemble.getNumParticles(),
        ensemble.temperature,
        np.zeros(0),
        log_weights,
        np.array(ensemble.reduced_potentials),
        1,
    ).effective_sample_fraction


def evidence_lower_bound(log_weights):
    """Return the logarithm of the fraction of weights that are positive plus the average logarithm of these, which is
    not above log Z, and its error."""
    finite = log_weights[np.isfinite(log_weights)]
    if len(finite) == 0:
        return np.nan, np.nan
    return finite.mean() + np.log(len(finite) / len(log_weights)), finite.std() / np.sqrt(len(finite))


def evidence_upper_bound(log_weights):
    """Return the average log weight of frames of the target, which is not below log Z, and its error.

    Frames are correlated: the error is that of the averages of 20 consecutive blocks.
    """
    blocks = np.array([block.mean() for block in np.array_split(log_weights, 20) if len(block) > 0])
    if len(blocks) == 0:
        return np.nan, np.nan
    return log_weights.mean(), blocks.std(ddof=1) / np.sqrt(len(blocks)) if len(blocks) > 1 else np.nan


def write_comparison(
    system,
    flows,
    temperature,
    topology,
    folder,
    count,
    seed=0,
    reference=None,
    states=None,
    load_positions=None,
    platform=None,
    properties=None,
    progress=None,
):
    """Draw from several flows, and write `comparison.html`, self-contained, and its figures as PNG files into a folder.

    Parameters
    ----------
    system : openmm.System
    flows : dict of str to Flow
        by the name to show
    temperature : float
        in K
    topology : openmm.app.Topology
    folder : path
    count, seed : int
        how many proposals of each flow, and their seed
    reference, states, load_positions
        as for openmmflow.report.write_report
    platform, properties
        as for FlowSampler
    progress : callable, optional
        progress(name, done) is called as proposals arrive

    Returns
    -------
    Path
        of the page
    list of dict
        the rows of its table, each with `name`, `note` and `values`, one text for each flow

    What the page cannot show is said in it and as a warning.
    """
    for flow in flows.values():
        require_atoms_of(topology, flow)
    properties = properties or {}
    samplers = {
        name: openmmflow.FlowSampler(system, flow, temperature, platform, properties)
        for name, flow in flows.items()
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pairs, torsions = find_torsions(topology)
    if states is None:
        states = default_states(pairs)
    if not torsions:
        states = []
    cautions = []
    if reference is not None:
        reference = read_reference(
            reference, load_positions, torsions, states, topology.getNumAtoms(), temperature
        )
        cautions = reference.unmatched({torsion.name: None for torsion in torsions}, states)
    for caution in cautions:
        warnings.warn(caution, stacklevel=2)
    proposals = {
        name: propose(
            sampler,
            count,
            seed,
            torsions,
            None if progress is None else lambda done, name=name: progress(name, done),
        )
        for name, sampler in samplers.items()
    }
    energies = None
    if reference is not None and reference.positions is not None:
        energies = openmmflow.BatchedPotential(system, platform, properties).energies(reference.positions)
    origin = _common_origin(proposals, states, reference)
    columns = [
        {
            **_describe_weights(one.ensemble),
            **_describe_bound(flows[name], energies, reference, temperature, platform, properties),
            **_compare_torsions(one, reference),
            **_describe_states(one, states, reference, origin),
            **describe_stages(flows[name]),
        }
        for name, one in proposals.items()
    ]
    notes = {row: note for column in columns for row, (_, note) in column.items()}
    rows = [
        {"name": row, "note": note, "values": [column.get(row, ("",))[0] for column in columns]}
        for row, note in notes.items()
    ]
    drawn = [*_figures(proposals, pairs, reference), _training_figure(flows)]
    page = {
        "title": ("A flow" if len(flows) == 1 else f"{len(flows)} flows")
        + f", {count:,} proposals each, at {temperature:g} K",
        "cautions": cautions,
        "names": [printable(name) for name in flows],
        "rows": rows,
        "reference": reference.name if reference else None,
        "figures": [save_figure(folder, *figure) for figure in drawn],
        "provenance": f"openmm-flow {openmmflow.__version__}; seed {seed}; "
        + "; ".join(f"{printable(name)}: flow {flow.hash}" for name, flow in flows.items()),
    }
    return write_page(folder, "comparison.html", page), rows


def _describe_weights(ensemble):
    """Return {row: (text, note)} on the weights of proposals."""
    rows = {}
    sizes = [10**power for power in range(4, 19) if 10**power < len(ensemble)]
    for size in [*sizes, len(ensemble)]:
        part = ensemble.slice(0, size)
        rows[f"Effective of {size:,}"] = (
            f"{part.effective_sample_fraction:.2%}, k {tables.pareto_k(part.pareto_k)}",
            "Kish, and Pareto k; no weight is clipped",
        )
    rows["With clipped weights"] = (
        f"{clipped_effective_fraction(ensemble):.2%}",
        f"the largest {CLIPPED:.2%} of them, for comparison with papers that clip",
    )
    rows["log Z"] = tables.estimate(*ensemble.log_partition_function, digits=4), "average weight"
    rows["ELBO"] = (
        tables.estimate(*evidence_lower_bound(ensemble.log_weights), digits=4),
        "average log weight of the proposals, which is below log Z",
    )
    return rows


def _describe_bound(flow, energies, reference, temperature, platform, properties):
    """Return the same on the frames of the reference, whose energies in kJ/mol are given if it has frames."""
    # Frames do not hold the augmented particles that the weight of a joint density depends on.
    if energies is None or flow.num_augmented_particles > 0:
        return {}
    log_q = openmmflow.FlowContext(flow, platform, properties).logDensity(reference.positions)
    inside, finite = np.isfinite(log_q), np.isfinite(energies)
    known = inside & finite
    text = tables.estimate(
        *evidence_upper_bound(
            -energies[known] / (openmmflow.report.KT_PER_KELVIN * temperature) - log_q[known]
        ),
        digits=4,
    )
    if not inside.all():
        text += f"; {np.count_nonzero(~inside):,} frames off the support: no bound"
    if not finite.all():
        text += f"; {np.count_nonzero(~finite):,} frames without a finite energy"
    return {"EUBO": (text, f"average log weight of the frames of {reference.name}, which is above log Z")}


def _compare_torsions(proposals, reference):
    weights = proposals.weights
    if reference is None or not weights.any():
        return {}
    rows = {}
    if reference.ramachandran is not None and {"phi", "psi"} <= proposals.torsions.keys():
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


def _common_origin(proposals, states, reference):
    """Return the state that all flows have most of, if there are states."""
    if not states:
        return None
    found = [tables.populations(one.ensemble, states, one.torsions) for one in proposals.values()]
    return tables.find_origin(np.min(found, axis=0), states, reference)


def _describe_states(proposals, states, reference, origin):
    if not states:
        return {}
    rows = {}
    for row in tables.free_energies(proposals.ensemble, states, proposals.torsions, reference, origin):
        expected = f"; reference {row['reference']}" if row["reference"] else ""
        rows[f"F of {row['name']} in kT"] = row["value"], f"relative to {states[origin]['name']}{expected}"
    return rows


def _figures(proposals, pairs, reference):
    """Yield the title, the figure and the caption of what there is to draw."""
    for phi, psi in pairs:
        panels = {
            figures.label(name): torsion_histogram(
                one.torsions[phi.name], one.torsions[psi.name], weights=one.weights
            )
            for name, one in proposals.items()
        }
        panels = {name: histogram for name, histogram in panels.items() if histogram.any()}
        if len(pairs) == 1 and reference is not None and reference.ramachandran is not None:
            panels[figures.label(f"reference: {reference.name}")] = reference.ramachandran
        yield (
            "Ramachandran plot" if len(pairs) == 1 else f"Ramachandran plot {phi.name.removeprefix('phi ')}",
            figures.ramachandran(panels, phi.name, psi.name) if panels else None,
            f"Free energy of the backbone torsions, reweighted; white above {figures.MAX_KT} kT."
            if panels
            else "Not drawn: no proposal has a positive weight.",
        )
    curves = {figures.label(name): one.ensemble.log_weights for name, one in proposals.items()}
    curves = {name: values[np.abs(values) < figures.LARGEST] for name, values in curves.items()}
    curves = {name: values for name, values in curves.items() if len(values) > 0}
    yield (
        "Weights",
        figures.log_weights(curves) if curves else None,
        "The narrower, the more of the proposals are effective; the first bar holds all to its left."
        if curves
        else "Not drawn: no proposal has a positive weight.",
    )


def _training_figure(flows):
    histories = {figures.label(name): read_history(flow) for name, flow in flows.items()}
    histories = {name: history for name, history in histories.items() if history is not None}
    return (
        "Training",
        figures.histories(histories) if histories else None,
        "Effective sample fraction of a few thousand proposals as training went on, as the flows' files have it."
        if histories
        else "Not drawn: the flows' files hold no effective sample fractions of training.",
    )
