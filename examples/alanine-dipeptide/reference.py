#!/usr/bin/env python
"""Reference ensemble of alanine dipeptide by temperature replica exchange with OpenMM.

    python reference.py vacuum --output reference.npz              # run, or go on where a killed run stopped
    python reference.py vacuum --output reference.npz --summarise  # averages into vacuum/reference.json

Independent ladders of replicas, one process each, give the error bar between them. The ensemble is that of
the molecule as drawn, trans and L: at the top of the ladder peptide bonds turn within nanoseconds, and cis,
too rare at 300 K to converge, would come and go by chance. Walls that are exactly zero for trans peptide
bonds and the L hand keep it out.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import re
import signal
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit
from tqdm import tqdm

import states

HERE = Path(__file__).resolve().parent
GAS_CONSTANT = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)

# The walls, by atom: peptide bonds stay within 90 degrees of trans, the alpha carbon on its side of N, C, CB.
PEPTIDE_TORSIONS = [(1, 4, 6, 8), (8, 14, 16, 18)]
L_IMPROPER = (8, 6, 14, 10)

# Settings that a run cannot change when it is resumed.
FIXED = (
    "environment",
    "temperatures",
    "time_step",
    "friction",
    "hydrogen_mass",
    "interval",
    "equilibration",
    "seed",
)


class Interrupted(Exception):
    """The run was asked to stop; its checkpoint is written."""


def write_atomically(path, write):
    """Call write(file) on a temporary binary file beside path, then rename it: never half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb") as file:
        write(file)
    os.replace(temporary, path)


def checkpoint_path(output, ladder):
    """Return where the ladder of that number keeps its state and its frames."""
    return output.with_name(f"{output.stem}.ladder-{ladder}.npz")


def load(path, *names):
    """Return the arrays of those names from an NPZ file that this script wrote; settings as a dict."""
    try:
        with np.load(path) as data:
            return [json.loads(str(data[name])) if name == "settings" else data[name] for name in names]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path} is not a file that reference.py wrote, or it is damaged.") from None


def load_settings(options):
    """Return the dict of what identifies the run: the FIXED options and a hash of the System."""
    system_file = HERE / options.environment / "system.xml"
    if not system_file.is_file():
        raise ValueError(f"There is no {system_file}: run make_system.py {options.environment} first.")
    settings = {name: getattr(options, name) for name in FIXED}
    settings["system"] = hashlib.sha256(system_file.read_bytes()).hexdigest()
    return settings


class Ladder:
    """Replica exchange of one ladder: a Context per walker, whose temperature the exchanges change.

    Walkers keep their Context and swap temperatures, because a temperature is cheaper to move than positions.

    Parameters
    ----------
    settings : dict
        What load_settings returns: temperatures in K, rising; time step in fs; friction in 1/ps; interval in
        steps.
    number : int
        Number of the ladder; with the seed it decides the random numbers.
    """

    def __init__(self, settings, number):
        self.settings = settings
        self.number = number
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
        folder = HERE / self.settings["environment"]
        system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
        # The distribution of positions does not depend on masses: slower hydrogens only allow a longer step.
        for index in range(system.getNumParticles()):
            if system.getParticleMass(index) < 2 * unit.dalton:
                system.setParticleMass(index, self.settings["hydrogen_mass"])
        trans = openmm.CustomTorsionForce(f"1000*max(0, {math.pi / 2}-abs(theta))^2")
        for atoms in PEPTIDE_TORSIONS:
            trans.addTorsion(*atoms)
        system.addForce(trans)
        hand = openmm.CustomTorsionForce("1000*max(0, -theta)^2")
        hand.addTorsion(*L_IMPROPER)
        system.addForce(hand)

        integrator = openmm.LangevinMiddleIntegrator(
            temperature, self.settings["friction"], self.settings["time_step"] * 1e-3
        )
        # The Reference platform has one generator for all Contexts of a process: the last seed counts.
        seed = int(self.random.integers(1, 2**31 - 1))
        integrator.setRandomNumberSeed(seed)
        context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
        context.setPositions(app.PDBFile(str(folder / "topology.pdb")).positions)
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

    def arrays(self):
        """Return the frames as a dict of arrays: positions (nm), energies (kJ/mol) and walkers."""
        particles = self.contexts[0].getSystem().getNumParticles()
        positions, energies, walkers = zip(*self.frames, strict=True) if self.frames else ((), (), ())
        return {
            "positions": np.array(positions, dtype=np.float32).reshape(-1, particles, 3),
            "energies": np.array(energies, dtype=np.float64),
            "walkers": np.array(walkers, dtype=np.int32),
        }

    def save(self, path):
        """Write everything that an exact resume needs, and the frames, atomically."""
        state = {
            "settings": json.dumps(self.settings),
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
        write_atomically(path, lambda file: np.savez(file, **state, **self.arrays()))

    def resume(self, path):
        """Go on from what save wrote."""
        with np.load(path) as state:
            self.random.bit_generator.state = json.loads(str(state["random"]))
            self.exchanges = int(state["exchanges"])
            self.level_of_walker = state["level_of_walker"]
            self.attempts = state["attempts"]
            self.acceptances = state["acceptances"]
            self.last_end = state["last_end"]
            self.round_trips = int(state["round_trips"])
            columns = state["positions"], state["energies"].tolist(), state["walkers"].tolist()
            self.frames = list(zip(*columns, strict=True))
            for walker, context in enumerate(self.contexts):
                context.getIntegrator().setTemperature(self.temperatures[self.level_of_walker[walker]])
                context.loadCheckpoint(state[f"context_{walker}"].tobytes())


def run_ladder(settings, number, frames, path, save_every, counter, stop):
    """Body of one process: bring the ladder to the given number of frames, or until stop is set.

    counter shares the number of exchanges done; save_every is in seconds.
    """
    # Ctrl-C reaches the whole process group: the parent decides, and the ladder stops between two intervals.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = os.getppid()
    try:
        ladder = Ladder(settings, number)
        if path.is_file():
            ladder.resume(path)
        counter.value = ladder.exchanges
        saved = time.monotonic()
        # A parent that was killed leaves an orphan behind, which must not write the files of the next run.
        while len(ladder.frames) < frames and not stop.is_set() and os.getppid() == parent:
            ladder.advance()
            counter.value = ladder.exchanges
            if time.monotonic() - saved > save_every:
                ladder.save(path)
                saved = time.monotonic()
        if os.getppid() == parent:
            ladder.save(path)
    except (ValueError, OSError, openmm.OpenMMException) as error:
        sys.exit(f"error in ladder {number}: {error}")


def merge(output, count, frames, path):
    """Write the ladders' frames so far, ladder after ladder, as one file at path.

    frames is the number that each ladder may give: a ladder that was once asked for more is cut.
    """
    parts = []
    for ladder in range(count):
        try:
            with np.load(checkpoint_path(output, ladder)) as state:
                part = {name: state[name][:frames] for name in ("positions", "energies", "walkers")}
                settings = state["settings"]
        except FileNotFoundError:
            continue
        part["ladders"] = np.full(len(part["energies"]), ladder, dtype=np.int32)
        parts.append(part)
    if parts:
        merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        write_atomically(path, lambda file: np.savez(file, settings=settings, **merged))


def run(options):
    """Run the ladders with a progress bar until every frame is there, and write the merged ensemble."""
    settings = load_settings(options)
    output, count = options.output, options.processes
    frames = -(-options.frames // count)
    output.parent.mkdir(parents=True, exist_ok=True)
    for path in (checkpoint_path(output, ladder) for ladder in range(count)):
        if path.is_file() and load(path, "settings")[0] != settings:
            raise ValueError(f"{path} has other settings: delete it or choose another --output.")
    partial = output.with_name("partial.npz")

    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    counters = [spawn.Value("q", 0) for _ in range(count)]
    processes = [
        spawn.Process(
            target=run_ladder,
            args=(settings, n, frames, checkpoint_path(output, n), options.save_every, counters[n], stop),
        )
        for n in range(count)
    ]
    for process in processes:
        process.start()

    started = merged = time.monotonic()
    total = count * (frames + settings["equilibration"])
    with tqdm(total=total, unit="exchange", smoothing=0.05, mininterval=1) as bar:
        while any(process.is_alive() for process in processes):
            time.sleep(0.5)
            done = sum(counter.value for counter in counters)
            if bar.n == 0:
                # What a run before this one did says nothing about the speed of this one.
                bar.initial = done
            bar.n = done
            bar.refresh()
            now = time.monotonic()
            if any(process.exitcode for process in processes) or now - started > 3600 * options.hours:
                stop.set()
            if now - merged > options.partial_every:
                merge(output, count, frames, partial)
                merged = now
    if any(process.exitcode for process in processes):
        raise ValueError("A ladder failed: its message stands above.")

    complete = all(counter.value >= frames + settings["equilibration"] for counter in counters)
    merge(output, count, frames, output if complete else partial)
    report(output, count)
    if not complete:
        raise Interrupted(f"Stopped early: {partial} has the frames so far, the same command goes on.")
    if options.dcd:
        write_dcd(output, options.environment, options.dcd)
    print(f"{output}: {count * frames} frames at {settings['temperatures'][0]:g} K")


def report(output, count):
    """Print how well the replicas of each ladder exchanged, and return it as a list of dicts."""
    ladders = []
    for ladder in range(count):
        with np.load(checkpoint_path(output, ladder)) as state:
            settings = json.loads(str(state["settings"]))
            time_ns = int(state["exchanges"]) * settings["interval"] * settings["time_step"] * 1e-6
            rates = np.round(state["acceptances"] / np.maximum(state["attempts"], 1), 3).tolist()
            trips = int(state["round_trips"])
        print(f"ladder {ladder}: {time_ns:.2f} ns a replica, acceptance {rates}, {trips} round trips")
        ladders.append({"ns_per_replica": round(time_ns, 3), "acceptance": rates, "round_trips": trips})
    return ladders


def finite(value, digits):
    """Return value rounded for JSON, which knows no infinity: None instead."""
    return round(float(value), digits) if np.isfinite(value) else None


def effective_samples(variance, error):
    """Return how many independent samples would give the mean that standard error; 0 where error is 0."""
    return round(float(variance / error**2)) if error > 0 else 0


def summarise(options):
    """Print the averages of the merged ensemble and write them to <environment>/reference.json."""
    settings, positions, energies, ladders = load(
        options.output, "settings", "positions", "energies", "ladders"
    )
    if settings["environment"] != options.environment:
        raise ValueError(f"{options.output} holds {settings['environment']}, not {options.environment}.")
    walls = [np.cos(states.torsions(positions, atoms)) for atoms in PEPTIDE_TORSIONS]
    if np.max(walls) > 0 or np.min(states.torsions(positions, L_IMPROPER)) < 0:
        raise ValueError(f"{options.output} holds frames beyond the walls: they act on the ensemble.")

    blocks = states.make_blocks(ladders, options.blocks)
    assigned = states.assign(positions)
    energy, energy_error = states.mean(energies, blocks)
    by_ladder = [
        states.free_energies(part, np.zeros(len(part), dtype=int))[0]
        for part in (assigned[ladders == ladder] for ladder in np.unique(ladders))
    ]
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
        print(
            f"{states.STATES[index]:7s} {population:9.6f}   {free_energy:7.3f} +- {error:.3f} kT   by ladder "
            + " ".join(f"{ladder[index]:.3f}" for ladder in by_ladder)
        )
    print(f"potential energy {energy:.3f} +- {energy_error:.3f} kJ/mol, {len(energies)} frames")

    count = int(ladders.max()) + 1
    fixed = " ".join(
        f"--{name.replace('_', '-')} " + " ".join(f"{number:g}" for number in np.atleast_1d(value))
        for name, value in settings.items()
        if name not in ("environment", "system")
    )
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
        "states": results,
        "ladders": report(options.output, count),
        "ramachandran_counts_phi_psi": states.histogram(positions).astype(int).tolist(),
        "command": f"python reference.py {options.environment} --frames {len(energies)} --processes {count} "
        + fixed,
        "made": {
            "date": time.strftime("%Y-%m-%d", time.gmtime(options.output.stat().st_mtime)),
            "openmm": openmm.version.version,
            "platform": "Reference",
            "processor": processor.group(1) if processor else "unknown",
        },
    }
    # A row of the histogram a line: the file stays readable, and its differences too.
    text = json.dumps(summary, indent=2)
    text = re.sub(r"\[[\s\d.,]*\]", lambda found: re.sub(r"\s+", " ", found.group()), text)
    path = HERE / options.environment / "reference.json"
    write_atomically(path, lambda file: file.write(text.encode() + b"\n"))
    print(f"written: {path}")


def write_dcd(output, environment, path):
    """Write the merged frames as a DCD trajectory."""
    topology = app.PDBFile(str(HERE / environment / "topology.pdb")).topology
    with np.load(output) as data, open(path, "wb") as file:
        trajectory = app.DCDFile(file, topology, 0.001)
        for positions in data["positions"]:
            trajectory.writeModel(positions * unit.nanometer)


def parse_options():
    """Return the options, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("environment", help="folder with system.xml and topology.pdb, such as vacuum")
    add("--output", type=Path, default="reference.npz", help="merged frames; those of ladders lie beside it")
    add("--frames", type=int, default=200_000, help="frames at the lowest temperature, all ladders together")
    add("--processes", type=int, default=2, help="independent ladders, a process each")
    add("--temperatures", type=float, nargs="+", default=[300, 395, 520, 684, 900], help="K, rising")
    add("--time-step", type=float, default=1.5, help="fs")
    add("--hydrogen-mass", type=float, default=4.0, help="dalton; no effect on the ensemble")
    add("--friction", type=float, default=1.0, help="1/ps")
    add("--interval", type=int, default=100, help="steps between exchanges, and between frames")
    add("--equilibration", type=int, default=5000, help="exchanges thrown away at the start of each ladder")
    add("--seed", type=int, default=1)
    add("--hours", type=float, default=math.inf, help="stop after so long, ready to be resumed")
    add("--save-every", type=float, default=60, help="seconds between checkpoints")
    add("--partial-every", type=float, default=300, help="seconds between writing partial.npz")
    add("--dcd", type=Path, help="also write the frames as a DCD trajectory")
    add("--blocks", type=int, default=10, help="blocks per ladder, for the standard errors of --summarise")
    add("--summarise", action="store_true", help="only write <environment>/reference.json")
    options = parser.parse_args()
    ladder = options.temperatures
    if len(ladder) < 2 or ladder[0] <= 0 or min(np.diff(ladder)) <= 0:
        parser.error("--temperatures needs at least two temperatures in K, rising")
    positive = (
        "frames",
        "processes",
        "time_step",
        "hydrogen_mass",
        "friction",
        "interval",
        "hours",
        "blocks",
    )
    for name in positive:
        if not getattr(options, name) > 0:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if options.equilibration < 0 or options.seed < 0:
        parser.error("--equilibration and --seed must not be negative")
    return options


def main():
    options = parse_options()
    try:
        summarise(options) if options.summarise else run(options)
    except Interrupted as stopped:
        print(stopped)
        sys.exit(130)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
