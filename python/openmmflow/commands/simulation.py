"""The run of `openmm-flow simulate`: replica exchange that collects frames, and can be stopped and taken up again."""

import hashlib
import math
import time

import numpy as np
import openmm
from openmm import OpenMMException, unit
from tqdm import tqdm

import openmmflow
from openmmflow.commands.inputs import check_particles
from openmmflow.commands.options import platform_properties
from openmmflow.commands.signals import StopSignals
from openmmflow.commands.simulation_files import SimulationFiles
from openmmflow.commands.simulation_statistics import summarise, write_statistics

HYDROGEN = 2 * unit.dalton  # lighter particles are hydrogens
PILOT_PROPOSALS = 200
SAVE_EVERY = 60  # seconds


def run_simulation(
    system, topology, positions, temperature, output, *, frames, platform, precision, threads, **settings
):
    """Simulate, and write the trajectory and its statistics.

    Parameters
    ----------
    settings
        the options of the command that decide what a frame is

    Returns
    -------
    list of str
        lines that tell what was made

    Raises
    ------
    KeyboardInterrupt
        with a sentence, after a signal asked for the end; everything is saved
    """
    check_particles(system, topology)
    computed_by = {"platform": platform or "default", "precision": precision}
    settings = complete_settings(system, positions, temperature, settings) | computed_by
    files = SimulationFiles(output, topology, settings)
    simulation = Simulation(system, settings, platform, precision, threads)
    saved = files.load()
    if saved is None:
        simulation.start(positions)
    else:
        simulation.load(saved)
    files.open(simulation.num_frames)
    wanted = -(-frames // settings["ladders"])
    try:
        complete = simulation.run(wanted, files)
    except OSError as error:
        raise OpenMMException(
            f"Cannot write the files of {output}: {error.strerror or error}; with more room the same command goes on."
        ) from error
    finally:
        files.close()
    energies = files.load_energies(simulation.num_frames)
    if simulation.num_frames > 0:
        files.write_trajectory(simulation.num_frames, energies)
        statistics = simulation.describe(energies, complete)
        write_statistics(files.statistics, statistics)
    if not complete:
        kept = simulation.num_frames * settings["ladders"]
        raise KeyboardInterrupt(
            f"Stopped with {kept} frames"
            + (f", which are in {output}" if kept else "")
            + ": the same command goes on from there."
        )
    files.delete()
    return summarise(statistics)


def complete_settings(system, positions, temperature, settings):
    """Return everything that decides what the frames are, for the records and to recognise a run."""
    highest = settings["max_temperature"] or 3 * temperature
    number = settings["num_temperatures"]
    if highest == temperature:
        number = 1
    elif number is None:
        # Normally distributed energies of heat capacity c k exchange with probability erfc(sqrt(c)/2 log ratio), 0.29
        # here; c of the positions of N atoms is about 3N/2.
        number = 1 + math.ceil(
            math.log(highest / temperature) * math.sqrt(1.5 * system.getNumParticles()) / 1.5
        )
    identity = hashlib.sha256(openmm.XmlSerializer.serialize(system).encode())
    identity.update(np.ascontiguousarray(positions.value_in_unit(unit.nanometer)).tobytes())
    ladder = openmmflow.ReplicaExchange.createTemperatures(temperature, highest, number)
    complete = {
        "inputs": identity.hexdigest(),
        "system": openmmflow.FlowBuilder.hashSystem(system),
        "temperatures": ladder.tolist(),
        "ladders": settings["ladders"],
        "method": settings["method"],
        "time_step_fs": settings["time_step"],
        "hydrogen_mass": settings["hydrogen_mass"],
        "interval": settings["interval"] or (100 if settings["method"] == "langevin" else 5),
        "equilibration": settings["equilibration"],
        "seed": settings["seed"],
    }
    if settings["method"] == "langevin":
        return {**complete, "friction_per_ps": settings["friction"]}
    return {**complete, "steps_per_proposal": settings["steps_per_proposal"]}


def minimise(system, positions):
    """Return the positions at the minimum of the energy next to these, the same in every run."""
    names = [
        openmm.Platform.getPlatform(index).getName() for index in range(openmm.Platform.getNumPlatforms())
    ]
    # With more threads the order of sums, and so the trajectory, would be left to chance.
    name, properties = ("CPU", {"Threads": "1"}) if "CPU" in names else ("Reference", {})
    platform = openmm.Platform.getPlatformByName(name)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
    context.setPositions(positions)
    openmm.LocalEnergyMinimizer.minimize(context)
    return context.getState(positions=True).getPositions(asNumpy=True)


class Simulation:
    """Replica exchange as settings say."""

    def __init__(self, system, settings, platform, precision, threads):
        self.settings = settings
        self.system = openmm.XmlSerializer.clone(system)
        for index in range(system.getNumParticles()):
            # The distribution of positions does not depend on masses.
            if 0 * unit.dalton < system.getParticleMass(index) < HYDROGEN:
                self.system.setParticleMass(index, settings["hydrogen_mass"])
        self.potential = openmmflow.BatchedPotential(
            self.system, platform, platform_properties(Precision=precision, Threads=threads)
        )
        temperatures = np.tile(settings["temperatures"], settings["ladders"])
        common = {"seed": settings["seed"], "properties": platform_properties(Threads=threads)}
        time_step = settings["time_step_fs"] * unit.femtosecond
        if settings["method"] == "langevin":
            self.integrator = openmmflow.BatchedLangevinMiddleIntegrator(
                self.system, self.potential, temperatures, settings["friction_per_ps"], time_step, **common
            )
        else:
            self.integrator = openmmflow.BatchedHMCIntegrator(
                self.system, self.potential, temperatures, time_step, settings["steps_per_proposal"], **common
            )
        self.exchange = openmmflow.ReplicaExchange(
            self.integrator, len(settings["temperatures"]), settings["interval"]
        )
        self.pilot, self.seconds = {}, 0.0

    @property
    def num_frames(self):
        """The frames that each ladder has."""
        return max(0, self.exchange.getNumExchanges() - self.settings["equilibration"])

    def start(self, positions):
        """Set all replicas to the minimum next to these positions; HMC then finds its step size."""
        self.integrator.setPositions(minimise(self.system, positions))
        if self.settings["method"] == "hmc":
            step_sizes, acceptances = self.integrator.tuneStepSize(proposals=PILOT_PROPOSALS)
            self.pilot = {
                "step_sizes_fs": np.round(1000 * step_sizes, 3).tolist(),
                "acceptances": np.round(acceptances, 3).tolist(),
            }

    def state(self):
        """Return what load() takes, and more for the records."""
        return {"checkpoint": self.exchange.createCheckpoint(), "pilot": self.pilot, "seconds": self.seconds}

    def load(self, state):
        """Go on from what state() returned."""
        self.exchange.loadCheckpoint(state["checkpoint"])
        self.pilot, self.seconds = state["pilot"], state["seconds"]

    def run(self, wanted, files):
        """Collect frames until each ladder has so many. Return whether that is so: a signal may have come before."""
        equilibration, ladders = self.settings["equilibration"], self.settings["ladders"]
        started, before, saved = time.monotonic(), self.seconds, time.monotonic()
        done = self.exchange.getNumExchanges()
        with (
            StopSignals() as signals,
            tqdm(
                total=(equilibration + wanted) * ladders,
                initial=done * ladders,
                unit=" frames",
                unit_scale=True,
                disable=None,
                leave=False,
            ) as bar,
        ):
            while self.num_frames < wanted and not signals.received:
                self.exchange.run(1)
                if self.exchange.getNumExchanges() == equilibration:
                    self._reset_statistics()
                if self.num_frames > 0:
                    files.add(self.exchange.getPositions(), self.exchange.getPotentialEnergies())
                bar.set_postfix_str(self._progress(), refresh=False)
                bar.update(ladders)
                self.seconds = before + time.monotonic() - started
                if time.monotonic() - saved > SAVE_EVERY:
                    files.save(self.state())
                    saved = time.monotonic()
            files.save(self.state())
        return self.num_frames >= wanted

    def _reset_statistics(self):
        self.exchange.resetStatistics()
        if self.settings["method"] == "hmc":
            self.integrator.resetStatistics()

    def _progress(self):
        words = ["equilibration"] if self.num_frames == 0 else []
        if self.exchange.getNumTemperatures() > 1:
            attempts = max(1, self.exchange.getNumAttempts().sum())
            words.append(f"exchanges {self.exchange.getNumAcceptances().sum() / attempts:.0%}")
            words.append(f"round trips {self.exchange.getNumRoundTrips()}")
        if self.settings["method"] == "hmc":
            words.append(f"HMC {self._hmc_acceptance():.0%}")
        return ", ".join(words)

    def _hmc_acceptance(self):
        return float(self.integrator.getNumAcceptances().mean() / max(1, self.integrator.getNumProposals()))

    def describe(self, energies, complete):
        """Return the statistics: energies are (frames, ladders, temperatures) in kJ/mol."""
        attempts = np.maximum(1, self.exchange.getNumAttempts())
        made = {
            "frames": energies.shape[0] * energies.shape[1],
            "complete": complete,
            "ps_per_replica": round(self._time_of_replica(), 3),
            "exchange_acceptance": np.round(self.exchange.getNumAcceptances() / attempts, 4).tolist(),
            "round_trips": int(self.exchange.getNumRoundTrips()),
        }
        if self.settings["method"] == "hmc":
            made["hmc"] = {
                "step_size_fs": round(1000 * self.integrator.getStepSize(), 4),
                "acceptance": round(self._hmc_acceptance(), 4),
                "non_finite_proposals": int(self.integrator.getNumNonFinite().sum()),
            }
        return {
            **made,
            "potential_energy_kJ_mol": energies,
            "settings": self.settings,
            "integrator": self.integrator.getDescription(),
            "energies_from": self.potential.getDescription(),
            "seconds": round(self.seconds, 1),
            **({"pilot": self.pilot} if self.pilot else {}),
        }

    def _time_of_replica(self):
        steps = self.num_frames * self.settings["interval"] * self.settings.get("steps_per_proposal", 1)
        return steps * self.integrator.getStepSize()
