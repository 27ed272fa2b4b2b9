"""Replica exchange of one ladder with plain OpenMM: a Context per walker."""

import json
import math

import numpy as np
import openmm
from openmm import unit

from restrained import make_system, read_pdb

GAS_CONSTANT = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)


class OpenMMLadder:
    """Replica exchange of one ladder, whose exchanges change the temperature of Contexts.

    Walkers keep their Context and swap temperatures, because a temperature is cheaper to move than positions.

    Parameters
    ----------
    settings : dict
        What reference.py fixes: temperatures in K, rising; time step in fs; friction in 1/ps; interval in steps.
    number : int
        Number of the ladder; with the seed it decides the random numbers.
    """

    num_ladders = 1

    def __init__(self, settings, number):
        self.settings = settings
        self.temperatures = np.array(settings["temperatures"])
        count = len(self.temperatures)
        self.level_of_walker = np.arange(count)
        self.random = np.random.default_rng([settings["seed"], number])
        self.exchanges = 0
        self.attempts = np.zeros(count - 1, dtype=int)
        self.acceptances = np.zeros(count - 1, dtype=int)
        self.last_end = np.full(count, -1)
        self.round_trips = 0
        self.frames = []
        self.contexts = [self._make_context(temperature) for temperature in self.temperatures]

    def _make_context(self, temperature):
        integrator = openmm.LangevinMiddleIntegrator(
            temperature, self.settings["friction"], self.settings["time_step"] * 1e-3
        )
        # The Reference platform has one generator for all Contexts of a process: the last seed counts.
        seed = int(self.random.integers(1, 2**31 - 1))
        integrator.setRandomNumberSeed(seed)
        name = self.settings["platform"]
        context = openmm.Context(
            make_system(self.settings["environment"], self.settings["hydrogen_mass"]),
            integrator,
            openmm.Platform.getPlatformByName(name),
            # A molecule this small only waits for a second thread.
            {"Threads": "1"} if name == "CPU" else {},
        )
        context.setPositions(read_pdb(self.settings["environment"]).positions)
        context.setVelocitiesToTemperature(temperature, seed)
        return context

    def _set_level(self, walker, level):
        """Move a walker to a temperature, its velocities scaled with the square root of it."""
        old, new = self.temperatures[self.level_of_walker[walker]], self.temperatures[level]
        context = self.contexts[walker]
        velocities = context.getState(velocities=True).getVelocities(asNumpy=True)
        context.setVelocities(velocities * math.sqrt(new / old))
        context.getIntegrator().setTemperature(new)
        self.level_of_walker[walker] = level

    def _exchange(self, energies):
        """Try to exchange every second pair of neighbours, given the walkers' energies in kJ/mol."""
        beta = 1 / (GAS_CONSTANT * self.temperatures)
        walker_of_level = np.argsort(self.level_of_walker)
        for lower in range(self.exchanges % 2, len(self.temperatures) - 1, 2):
            first, second = walker_of_level[lower], walker_of_level[lower + 1]
            log_ratio = (beta[lower] - beta[lower + 1]) * (energies[first] - energies[second])
            self.attempts[lower] += 1
            if np.log(self.random.random()) < log_ratio:
                self.acceptances[lower] += 1
                self._set_level(first, lower + 1)
                self._set_level(second, lower)
        self.exchanges += 1

    def _count_round_trips(self):
        """Count walkers that are back at the lowest temperature after the highest."""
        top = len(self.temperatures) - 1
        for walker, level in enumerate(self.level_of_walker):
            if level == 0 and self.last_end[walker] == top:
                self.round_trips += 1
            if level in (0, top):
                self.last_end[walker] = level

    def advance(self):
        """Run one interval of dynamics in every walker, exchange, keep the lowest temperature's frame."""
        energies = np.empty(len(self.contexts))
        for walker, context in enumerate(self.contexts):
            context.getIntegrator().step(self.settings["interval"])
            energy = context.getState(energy=True).getPotentialEnergy()
            energies[walker] = energy.value_in_unit(unit.kilojoule_per_mole)
        if not np.isfinite(energies).all():
            raise ValueError("The dynamics blew up: choose a smaller --time-step.")
        self._exchange(energies)
        self._count_round_trips()
        if self.exchanges > self.settings["equilibration"]:
            walker = int(np.flatnonzero(self.level_of_walker == 0)[0])
            positions = self.contexts[walker].getState(positions=True).getPositions(asNumpy=True)
            positions = positions.value_in_unit(unit.nanometer)
            # Centred, or the free drift of the molecule would eat the digits of single precision.
            self.frames.append((positions - positions.mean(axis=0), energies[walker], walker))

    def _arrays(self):
        particles = self.contexts[0].getSystem().getNumParticles()
        positions, energies, walkers = zip(*self.frames, strict=True) if self.frames else ((), (), ())
        return {
            "positions": np.array(positions, dtype=np.float32).reshape(1, -1, particles, 3),
            "energies": np.array(energies, dtype=np.float64)[np.newaxis],
            "walkers": np.array(walkers, dtype=np.int32)[np.newaxis],
        }

    def state(self):
        """Return, as a dict of arrays, the frames, each (ladders, frames, ...), and what a resume needs."""
        state = {
            "random": json.dumps(self.random.bit_generator.state),
            "exchanges": self.exchanges,
            "level_of_walker": self.level_of_walker,
            "attempts": self.attempts,
            "acceptances": self.acceptances,
            "last_end": self.last_end,
            "round_trips": self.round_trips,
        }
        for walker, context in enumerate(self.contexts):
            state[f"context_{walker}"] = np.frombuffer(context.createCheckpoint(), dtype=np.uint8)
        return {**state, **self._arrays()}

    def resume(self, state):
        """Go on from what state returned."""
        self.random.bit_generator.state = json.loads(str(state["random"]))
        self.exchanges = int(state["exchanges"])
        self.level_of_walker = state["level_of_walker"]
        self.attempts = state["attempts"]
        self.acceptances = state["acceptances"]
        self.last_end = state["last_end"]
        self.round_trips = int(state["round_trips"])
        columns = state["positions"][0], state["energies"][0].tolist(), state["walkers"][0].tolist()
        self.frames = list(zip(*columns, strict=True))
        for walker, context in enumerate(self.contexts):
            context.getIntegrator().setTemperature(self.temperatures[self.level_of_walker[walker]])
            context.loadCheckpoint(state[f"context_{walker}"].tobytes())
