"""How a reference ensemble was made, and its average energies: the YAML file beside the trajectory."""

import os
import time

import numpy as np
import openmm

import openmmflow

BLOCKS = 10  # at least, for standard errors


def mean_and_error(values):
    """Return the mean of (frames, ladders) and its standard error, from blocks of time of each ladder."""
    frames, ladders = values.shape
    per_ladder = min(frames, max(1, -(-BLOCKS // ladders)))
    blocks = np.concatenate([part.mean(axis=0) for part in np.array_split(values, per_ladder)])
    error = blocks.std(ddof=1) / np.sqrt(len(blocks)) if len(blocks) > 1 else np.nan
    return float(values.mean()), float(error)


def write_statistics(path, statistics):
    """Write statistics with energies (frames, ladders, temperatures), which are averaged, to a YAML file."""
    import yaml

    energies = statistics["potential_energy_kJ_mol"]
    averages = []
    for index, temperature in enumerate(statistics["settings"]["temperatures"]):
        mean, error = mean_and_error(energies[:, :, index])
        averages.append(
            {
                "temperature_K": round(temperature, 3),
                "mean": round(mean, 4),
                "standard_error": round(error, 4),
                "standard_deviation": round(float(energies[:, :, index].std()), 4),
            }
        )
    statistics["potential_energy_kJ_mol"] = averages
    statistics["made"] = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "openmm_flow": openmmflow.__version__,
        "openmm": openmm.version.version,
    }
    temporary = path.with_name(path.name + ".part")
    # Lists of numbers in one line, the rest in lines of their own.
    temporary.write_text(yaml.safe_dump(statistics, sort_keys=False, default_flow_style=None, width=100))
    os.replace(temporary, path)


def summarise(statistics):
    """Return lines for the terminal, from statistics that were written."""
    settings = statistics["settings"]
    lines = [
        f"{statistics['frames']} frames at {settings['temperatures'][0]:g} K from {settings['ladders']} ladders of "
        f"{len(settings['temperatures'])} temperatures, {statistics['ps_per_replica']:g} ps a replica",
        f"{statistics['integrator']}; energies: {statistics['energies_from']}",
    ]
    if statistics["exchange_acceptance"]:
        rates = " ".join(f"{rate:.2f}" for rate in statistics["exchange_acceptance"])
        lines.append(f"exchanges accepted {rates}, {statistics['round_trips']} round trips")
        if statistics["round_trips"] < settings["ladders"]:
            lines.append(
                "Warning: fewer than one round trip a ladder: ask for more frames or more temperatures."
            )
    if "hmc" in statistics:
        lines.append(f"HMC proposals accepted {statistics['hmc']['acceptance']:.2f}")
    energy = statistics["potential_energy_kJ_mol"][0]
    lines.append(f"potential energy {energy['mean']:.3f} +- {energy['standard_error']:.3f} kJ/mol")
    return lines
