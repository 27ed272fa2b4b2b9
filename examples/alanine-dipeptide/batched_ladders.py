"""Replica exchange of all ladders at once with openmm-flow's batched potential and integrator."""

import numpy as np
import openmm
from openmm import unit

import openmmflow
from restrained import make_system, read_pdb


class BatchedLadders:
    """Replica exchange of many ladders in one process.

    Parameters
    ----------
    settings : dict
        What reference.py fixes: number of ladders; temperatures in K, rising; method, "hmc" or "langevin"; time step
        in fs; friction in 1/ps; interval in steps.
    threads : int
        Threads for energies and dynamics; they do not change the result.
    """

    def __init__(self, settings, threads):
        self.settings = settings
        self.num_ladders = settings["ladders"]
        system = make_system(settings["environment"], settings["hydrogen_mass"])
        properties = {"Threads": str(threads)}
        platform = openmm.Platform.getPlatformByName(settings["platform"])
        self.potential = openmmflow.BatchedPotential(system, platform, properties)
        temperatures = np.tile(settings["temperatures"], self.num_ladders)
        step_size = settings["time_step"] * unit.femtosecond
        keywords = {"seed": settings["seed"], "properties": properties}
        if settings["method"] == "hmc":
            self.integrator = openmmflow.BatchedHMCIntegrator(
                system, self.potential, temperatures, step_size, settings["steps_per_proposal"], **keywords
            )
        else:
            self.integrator = openmmflow.BatchedLangevinMiddleIntegrator(
                system, self.potential, temperatures, settings["friction"], step_size, **keywords
            )
        self.integrator.setPositions(read_pdb(settings["environment"]).getPositions(asNumpy=True))
        steps = settings["steps_per_proposal"] if settings["method"] == "hmc" else 1
        self.exchange = openmmflow.ReplicaExchange(
            self.integrator, len(settings["temperatures"]), settings["interval"] // steps
        )
        self.frames = []

    @property
    def exchanges(self):
        """The exchanges of each ladder so far."""
        return self.exchange.getNumExchanges()

    def advance(self):
        """Run one interval of dynamics in every walker, exchange, keep the lowest temperatures' frames."""
        self.exchange.run(1)
        if self.exchanges > self.settings["equilibration"]:
            levels = self.exchange.getLevels().reshape(self.num_ladders, -1)
            self.frames.append(
                (
                    self.exchange.getPositions().astype(np.float32),
                    self.exchange.getPotentialEnergies()[:, 0],
                    np.argmin(levels, axis=1).astype(np.int32),
                )
            )

    def state(self):
        """Return, as a dict of arrays, the frames, each (ladders, frames, ...), and what a resume needs."""
        positions, energies, walkers = zip(*self.frames, strict=True) if self.frames else ((), (), ())
        particles = self.integrator.getNumParticles()
        shape = len(self.frames), self.num_ladders
        return {
            "checkpoint": np.frombuffer(self.exchange.createCheckpoint(), dtype=np.uint8),
            "exchanges": self.exchanges,
            "attempts": self.exchange.getNumAttempts(),
            "acceptances": self.exchange.getNumAcceptances(),
            "round_trips": self.exchange.getNumRoundTrips(),
            "positions": np.array(positions, dtype=np.float32).reshape(*shape, particles, 3).swapaxes(0, 1),
            "energies": np.array(energies, dtype=np.float64).reshape(shape).T,
            "walkers": np.array(walkers, dtype=np.int32).reshape(shape).T,
        }

    def resume(self, state):
        """Go on from what state returned."""
        self.exchange.loadCheckpoint(state["checkpoint"].tobytes())
        columns = state["positions"].swapaxes(0, 1), state["energies"].T, state["walkers"].T
        self.frames = list(zip(*columns, strict=True))
