"""Replica exchange from the reference conformation: what a flow learns from first when there are no data."""

import time

import numpy as np
from openmm import OpenMMException

from openmmflow.commands.progress import progress_bar
from openmmflow.commands.signals import StopSignals
from openmmflow.commands.simulation import Simulation, complete_settings

# Langevin dynamics as `openmm-flow simulate` has it; frames are close in time, since they are not for averages.
SETTINGS = {
    "num_temperatures": None,
    "ladders": 16,
    "method": "langevin",
    "time_step": 1.5,
    "friction": 1.0,
    "hydrogen_mass": 4.0,
    "interval": 50,
    "equilibration": 0,
}
# Of the exchanges, before the first frame; and into how many blocks each ladder is cut, which are held out as a whole.
EQUILIBRATION, BLOCKS = 0.1, 4


def explore(system, reference, temperature, max_temperature, energies, seconds, seed, threads):
    """Simulate, with so many energies at most and for about so many seconds, but for two exchanges at least.

    The frames are no sample of the Boltzmann distribution, but near one for what the dynamics crosses often.

    Returns
    -------
    positions : (frames, N, 3) in nm, at the temperature, ladder after ladder
    blocks : (frames,), numbers of parts of a ladder
    energies : how many were evaluated, but for those of one minimisation

    Raises
    ------
    KeyboardInterrupt
        if a signal asked for the end
    openmm.OpenMMException
        if the dynamics breaks down
    """
    asked = SETTINGS | {"max_temperature": max_temperature, "seed": seed}
    settings = complete_settings(system, reference, temperature, asked)
    simulation = Simulation(system, settings, None, None, threads)
    per_exchange = len(settings["temperatures"]) * settings["ladders"] * settings["interval"]
    exchanges = max(2, energies // per_exchange)
    frames, started = [], time.monotonic()
    try:
        simulation.start(reference)
        with StopSignals() as signals, progress_bar("energies", "Exploration") as progress:
            while len(frames) < exchanges and (len(frames) < 2 or time.monotonic() - started < seconds):
                simulation.exchange.run(1)
                if signals.received:
                    raise KeyboardInterrupt
                frames.append(np.asarray(simulation.exchange.getPositions(), dtype=np.float32))
                progress(len(frames) * per_exchange, exchanges * per_exchange)
    except OpenMMException as error:
        raise OpenMMException(
            f"Replica exchange up to {settings['temperatures'][-1]:g} K breaks down: check that the positions of the topology "
            "file fit the System, lower exploration.max_temperature, or set exploration.energies to 0 in the configuration "
            f"({error})."
        ) from error
    energies = len(frames) * per_exchange
    kept = np.stack(frames[int(EQUILIBRATION * len(frames)) :], axis=1)
    ladders, length = kept.shape[:2]
    blocks = np.arange(ladders)[:, None] * BLOCKS + np.arange(length) * BLOCKS // length
    return kept.reshape(ladders * length, *kept.shape[2:]), blocks.ravel(), energies
