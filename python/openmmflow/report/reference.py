"""Reference data that a report compares with: frames of a converged simulation, or its summary."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from openmm import OpenMMException

from openmmflow.npz import read_npz
from openmmflow.report.histograms import BINS, frame_histogram_variances, torsion_histogram
from openmmflow.report.states import assign, frame_free_energies
from openmmflow.report.torsions import measure


@dataclass
class Reference:
    """What is known of the reference distribution; what is not is empty or None."""

    name: str
    torsions: dict[str, np.ndarray] = field(default_factory=dict)
    """For each torsion, its histogram, normalised to sum 1."""
    ramachandran: np.ndarray | None = None
    """The histogram of (phi, psi), phi first."""
    ramachandran_variances: np.ndarray | None = None
    """Of its bins."""
    positions: np.ndarray | None = None
    """The frames, (count, N, 3) in nm."""
    energies: np.ndarray | None = None
    """Potential energies in kJ/mol."""
    mean_energy: str = ""
    """The average potential energy, as text with its error if that is known."""
    states: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Free energy in kT, relative to any origin, and its standard error."""

    def unmatched(self, torsions, states):
        """Return sentences on what is known here and that a report with these torsions and states will not compare."""
        sentences = []
        if self.torsions and not self.torsions.keys() & torsions:
            sentences.append(
                f"The torsions {', '.join(self.torsions)} in {self.name} are not compared, since the report has "
                f"{', '.join(torsions) or 'none'}."
            )
        own = [state["name"] for state in states]
        missing = [name for name in self.states if name not in own]
        if missing:
            sentences.append(
                f"The free energies of {', '.join(missing)} in {self.name} are not compared, since the report has "
                f"the states {', '.join(own) or '(none)'}: define those of the reference with --states."
            )
        return sentences


def read_reference(path, load_positions, torsions, states, num_particles, temperature):
    """Read reference data.

    Parameters
    ----------
    path : str
        a summary (.json) with `states`, `ramachandran_counts_phi_psi` and, if it is known, `temperature_K`, as
        examples/alanine-dipeptide/reference.py writes it; or frames, of which an NPZ file may also hold
        `energies` in kJ/mol
    load_positions : callable
        reads the frames of any trajectory: load_positions(path) returns (count, N, 3) in nm
    torsions : list of Torsion
    states : list of dict
    num_particles : int
        that each frame must have
    temperature : float
        in K, that a summary must have if it tells of one
    """
    if Path(path).suffix.lower() == ".json":
        return _read_summary(path, temperature)
    positions = load_positions(path)
    if len(positions) == 0 or positions.shape[1] != num_particles:
        raise OpenMMException(
            f"The reference data in {path} have shape {positions.shape} where (count, {num_particles}, 3) is needed."
        )
    values = {torsion.name: measure(positions, torsion) for torsion in torsions}
    reference = Reference(Path(path).name, positions=positions)
    histograms = {name: torsion_histogram(angles) for name, angles in values.items()}
    reference.torsions = {name: histogram for name, histogram in histograms.items() if histogram.any()}
    if {"phi", "psi"} <= reference.torsions.keys():
        reference.ramachandran = torsion_histogram(values["phi"], values["psi"])
        reference.ramachandran_variances = frame_histogram_variances(values["phi"], values["psi"])
    if states and values:
        assigned = assign(states, values)
        counts = np.bincount(assigned[assigned >= 0], minlength=len(states))
        free_energies = frame_free_energies(assigned, len(states), int(counts.argmax()))
        reference.states = {
            state["name"]: (float(value), float(error))
            for state, value, error in zip(states, *free_energies, strict=True)
        }
    energies = read_npz(path, ("energies",)).get("energies") if Path(path).suffix.lower() == ".npz" else None
    if energies is not None:
        if energies.shape != (len(positions),) or not np.isfinite(energies).all():
            raise OpenMMException(
                f'"energies" in {path} must be {len(positions)} finite numbers in kJ/mol, one for each frame.'
            )
        reference.energies = energies
        reference.mean_energy = f"{energies.mean():.3f}"
    return reference


def _summary_variances(summary, counts):
    """Return the variances of the bins of a summary's histogram: from their errors if it has them, else from how many
    independent energies there were, or frames."""
    frames = counts.sum()
    if "ramachandran_standard_errors" in summary:
        errors = np.array(summary["ramachandran_standard_errors"], dtype=float)
        if errors.shape != counts.shape:
            raise ValueError("errors of another shape than the histogram")
        return (errors / frames) ** 2
    share = counts / frames
    return share * (1 - share) / summary.get("potential_energy_kJ_mol", {}).get("effective_samples", frames)


def _read_summary(path, temperature):
    try:
        summary = json.loads(Path(path).read_text())
        counts = np.array(summary["ramachandran_counts_phi_psi"], dtype=float)
        if counts.shape != (BINS, BINS):
            raise ValueError(f"a histogram of shape {counts.shape} where ({BINS}, {BINS}) is needed")
        if not (counts >= 0).all() or not 0 < counts.sum() < np.inf:
            raise ValueError("a histogram whose counts are not positive numbers")
        reference_variances = _summary_variances(summary, counts)
        own_temperature = float(summary.get("temperature_K", temperature))
        reference = Reference(Path(path).name, ramachandran=counts / counts.sum())
        reference.ramachandran_variances = reference_variances
        reference.torsions = {
            "phi": reference.ramachandran.sum(axis=1),
            "psi": reference.ramachandran.sum(axis=0),
        }
        if "potential_energy_kJ_mol" in summary:
            energy = summary["potential_energy_kJ_mol"]
            reference.mean_energy = f"{energy['mean']:.3f} \u00b1 {energy['standard_error']:.3f}"
        reference.states = {
            name: (float(state["free_energy_kT"]), float(state["standard_error_kT"]))
            for name, state in summary["states"].items()
            if state["free_energy_kT"] is not None and state["standard_error_kT"] is not None
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpenMMException(f"Cannot read the reference data in {path}: {error}.") from error
    # The tolerance is for rounding.
    if not math.isclose(own_temperature, temperature, rel_tol=1e-3):
        raise OpenMMException(
            f"The reference data in {path} are at {own_temperature:g} K and the ensemble is at {temperature:g} K: "
            "compare with data at the same temperature."
        )
    return reference
