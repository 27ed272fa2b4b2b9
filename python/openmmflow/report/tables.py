"""The tables of a report: diagnostics, and comparisons with reference data."""

import numpy as np

from openmmflow.report.histograms import total_variation
from openmmflow.report.states import assign

# Vehtari et al. 2024: above this, averages converge too slowly to be of use.
PARETO_LIMIT = 0.7
UNKNOWN = "undetermined"


def diagnostics(ensemble, energies, reference):
    """Return the rows on an ensemble's quality; energies are in kJ/mol, (count,)."""
    expected = reference.mean_energy if reference else ""
    in_islands = "; too hopeful, as samples of an island resemble each other"
    rows = [
        ("Samples", f"{len(ensemble):,}", "", False),
        (
            "Effective samples",
            f"{ensemble.effective_sample_size:,.0f} ({ensemble.effective_sample_fraction:.1%})",
            "Kish: (sum of weights)\u00b2 / sum of squares" + (in_islands if ensemble.block_size > 1 else ""),
            False,
        ),
        (
            "Pareto k",
            pareto_k(ensemble.pareto_k),
            f"tail of the weights; above {PARETO_LIMIT} averages are not reliable",
            not ensemble.pareto_k <= PARETO_LIMIT,
        ),
        (
            "log Z",
            estimate(*ensemble.log_partition_function, digits=4),
            "average weight; only differences at equal N mean anything",
            False,
        ),
        (
            "Acceptance",
            f"{ensemble.acceptance:.1%}" if np.isfinite(ensemble.acceptance) else UNKNOWN,
            "of a Metropolis move with this flow",
            False,
        ),
        (
            "Potential energy",
            estimate(*ensemble.expectation(energies), unit=" kJ/mol"),
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
    # Annealed samples are not what a move with the flow would propose.
    if not ensemble.hasLogQ():
        rows = [row for row in rows if row[0] != "Acceptance"]
    return [dict(zip(("name", "value", "note", "bad"), row, strict=True)) for row in rows]


def comparison(histograms, reference):
    """Return how far each torsion's distributions are from those of a Reference."""
    return [
        {
            "name": name,
            "variations": {
                label: total_variation(curves[label], reference.torsions[name])
                for label in ("proposals", "reweighted")
                if label in curves
            },
        }
        for name, curves in histograms.items()
        if reference is not None and name in reference.torsions
    ]


def populations(ensemble, states, angles):
    """Return the population of each state."""
    assigned = assign(states, angles)
    return [ensemble.expectation((assigned == i).astype(float))[0] for i in range(len(states))]


def find_origin(found, states, reference):
    """Return the index of the state that free energies are best relative to, from the populations that were found."""
    known = _known_free_energies(reference)
    names = [state["name"] for state in states]
    populated = [i for i in range(len(states)) if found[i] > 0]
    shared = [i for i in populated if names[i] in known]
    # Errors of the reference are those of differences to its own origin, which therefore is the best one.
    theirs = [i for i in shared if known[names[i]] == (0, 0)]
    return max(theirs or shared or populated or [0], key=lambda i: found[i])


def _known_free_energies(reference):
    known = reference.states if reference else {}
    return {name: estimate for name, estimate in known.items() if np.isfinite(estimate[0])}


def free_energies(ensemble, states, angles, reference, origin):
    """Return the rows on the states, relative to the one with the index `origin`."""
    names = [state["name"] for state in states]
    assigned = assign(states, angles)
    found = populations(ensemble, states, angles)
    known = _known_free_energies(reference)
    populated = [i for i in range(len(states)) if found[i] > 0]
    shared = origin in populated and names[origin] in known
    zero, zero_error = known.get(names[origin], (0.0, 0.0))
    rows = []
    for index, name in enumerate(names):
        row = {"name": name, "value": "no sample", "reference": "", "deviation": "", "bad": False}
        rows.append(row)
        if index not in populated and name in known:
            row |= {"deviation": "missing", "bad": True}
        if index in populated:
            difference = ensemble.free_energy_difference(assigned == origin, assigned == index)
            row["value"] = "0" if index == origin else estimate(*difference)
        if name not in known or not shared:
            continue
        expected = known[name][0] - zero, float(np.hypot(known[name][1], zero_error))
        row["reference"] = "0" if index == origin else estimate(*expected)
        error = float(np.hypot(difference[1], expected[1])) if index in populated and index != origin else 0
        if error > 0:
            deviation = (difference[0] - expected[0]) / error
            row |= {"deviation": f"{deviation:+.1f}", "bad": abs(deviation) > 3}
    return rows


def estimate(value, error, digits=3, unit=""):
    """Return a value and its standard error as text."""
    if not np.isfinite(value):
        return UNKNOWN
    shown = f"{error:.{digits}f}" if np.isfinite(error) else f"({UNKNOWN})"
    return f"{value:.{digits}f} \u00b1 {shown}{unit}"


def pareto_k(k):
    """Return Pareto k as text."""
    if np.isfinite(k):
        return f"{k:.2f}"
    return "all weights are equal" if k < 0 else f"{UNKNOWN}: too few different weights"
