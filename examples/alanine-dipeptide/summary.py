"""What reference.py writes about an ensemble: averages, free energies of states, and how it was made."""

import json
import re
import time

import numpy as np
import openmm

import states
from restrained import HERE, are_within_walls

# Width in kJ/mol of the bins of the histogram of potential energies.
ENERGY_BIN = 2.0


def finite(value, digits):
    """Return value rounded for JSON, which knows no infinity: None instead."""
    return round(float(value), digits) if np.isfinite(value) else None


def effective_samples(variance, error):
    """Return how many independent samples would give the mean that standard error; 0 where error is 0."""
    return round(float(variance / error**2)) if error > 0 else 0


def add_blocks(histograms):
    """Return the sum of the histograms of blocks of equal size, and the standard errors of its counts."""
    histograms = np.asarray(histograms)
    errors = np.sqrt(len(histograms) * histograms.var(axis=0, ddof=1))
    return histograms.sum(axis=0).astype(int).tolist(), np.round(errors, 1).tolist()


def energy_histogram(energies, blocks):
    """Return the histogram of potential energies (kJ/mol), from the first bin that holds one to the last."""
    first, last = np.floor(energies.min() / ENERGY_BIN), np.ceil(energies.max() / ENERGY_BIN)
    bins, limits = int(last - first), (first * ENERGY_BIN, last * ENERGY_BIN)
    counts, errors = add_blocks(
        [np.histogram(energies[blocks == block], bins, limits)[0] for block in np.unique(blocks)]
    )
    return {"first_edge": limits[0], "width": ENERGY_BIN, "counts": counts, "standard_errors": errors}


def summarise(options, settings, positions, energies, ladders, exchanges):
    """Print the averages of the merged ensemble.

    exchanges tells how well replicas exchanged, for the record.

    Returns
    -------
    path of <environment>/reference.json, and its text
    """
    if settings["environment"] != options.environment:
        raise ValueError(f"{options.output} holds {settings['environment']}, not {options.environment}.")
    if not are_within_walls(positions):
        raise ValueError(f"{options.output} holds frames beyond the walls: they act on the ensemble.")

    blocks = states.make_blocks(ladders, -(-options.blocks // settings["ladders"]))
    assigned = states.assign(positions)
    energy, energy_error = states.mean(energies, blocks)
    results = {}
    for index, (free_energy, error) in enumerate(zip(*states.free_energies(assigned, blocks), strict=True)):
        population, population_error = states.mean((assigned == index).astype(float), blocks)
        results[states.STATES[index]] = {
            "population": finite(population, 7),
            "population_error": finite(population_error, 7),
            "free_energy_kT": finite(free_energy, 4),
            "standard_error_kT": finite(error, 4),
            "effective_samples": effective_samples(population * (1 - population), population_error),
        }
        print(f"{states.STATES[index]:7s} {population:9.6f}   {free_energy:7.3f} +- {error:.3f} kT")
    print(f"potential energy {energy:.3f} +- {energy_error:.3f} kJ/mol, {len(energies)} frames")

    counts, errors = add_blocks([states.histogram(positions[blocks == block]) for block in np.unique(blocks)])
    with open("/proc/cpuinfo") as file:
        processor = re.search(r"model name\s*: (.*)", file.read())
    summary = {
        "temperature_K": settings["temperatures"][0],
        "force_field": "AMBER ff96",
        "system_sha256": settings["system"],
        "restricted_to": "trans peptide bonds, L alanine",
        "frames": len(energies),
        "blocks": int(blocks.max()) + 1,
        "potential_energy_kJ_mol": {
            "mean": finite(energy, 4),
            "standard_error": finite(energy_error, 4),
            "standard_deviation": finite(energies.std(), 4),
            "effective_samples": effective_samples(energies.var(), energy_error),
        },
        "energy_histogram_kJ_mol": energy_histogram(energies, blocks),
        "states": results,
        "ladders": exchanges,
        "ramachandran_counts_phi_psi": counts,
        "ramachandran_standard_errors": errors,
        "command": f"python reference.py {options.environment} --frames {len(energies)} {arguments(settings)}",
        "made": {
            "date": time.strftime("%Y-%m-%d", time.gmtime(options.output.stat().st_mtime)),
            "openmm": openmm.version.version,
            "platform": settings["platform"],
            "processor": processor.group(1) if processor else "unknown",
        },
    }
    # A row of the histogram a line: the file stays readable, and its differences too.
    text = json.dumps(summary, indent=2)
    text = re.sub(r"\[[\s\d.,]*\]", lambda found: re.sub(r"\s+", " ", found.group()), text)
    return HERE / options.environment / "reference.json", text + "\n"


def arguments(settings):
    """Return the arguments that fix these settings."""
    words = []
    for name, value in settings.items():
        if name not in ("environment", "system"):
            values = value if isinstance(value, list) else [value]
            words += [
                f"--{name.replace('_', '-')}",
                *(f"{v:g}" if isinstance(v, float) else str(v) for v in values),
            ]
    return " ".join(words)
