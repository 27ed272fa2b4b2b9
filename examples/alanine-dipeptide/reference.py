#!/usr/bin/env python
"""Reference ensemble of alanine dipeptide by temperature replica exchange.

    python reference.py obc1                                       # run, or go on where a killed run stopped
    python reference.py obc1 --summarise                           # averages into obc1/reference.json
    python reference.py obc1 --engine openmm --output openmm.npz   # the same with plain OpenMM, to compare

Independent ladders of replicas give the error bars. The ensemble is that of the molecule as drawn, trans and L:
restrained.py says why, and how.
"""

import argparse
import json
import math
import multiprocessing
import os
import signal
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
from openmm import OpenMMException, Platform, app, unit
from tqdm import tqdm

from restrained import HERE, read_pdb, read_system
from summary import summarise

# Settings that a run cannot change when it is resumed.
FIXED = (
    "environment",
    "engine",
    "platform",
    "ladders",
    "temperatures",
    "method",
    "steps_per_proposal",
    "time_step",
    "friction",
    "hydrogen_mass",
    "interval",
    "equilibration",
    "seed",
)

# For each engine, what --ladders and --equilibration are if nothing is said: many ladders share the cost of a step.
ENGINES = {"batched": (32, 500), "openmm": (2, 5000)}
# For each method, what --time-step is. HMC accepts four of five proposals with it at 300 K in OBC1.
METHODS = {"hmc": 2.5, "langevin": 1.5}


class Interrupted(Exception):
    """The run was asked to stop; its checkpoint is written."""


def write_atomically(path, write):
    """Call write(file) on a temporary binary file beside path, then rename it: never half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb") as file:
        write(file)
    os.replace(temporary, path)


def checkpoint_path(output, number):
    """Return where the process of that number keeps its state and its frames."""
    return output.with_name(f"{output.stem}.ladders-{number}.npz")


def load(path, *names):
    """Return the arrays of those names from an NPZ file that this script wrote; settings as a dict."""
    try:
        with np.load(path) as data:
            return [json.loads(str(data[name])) if name == "settings" else data[name] for name in names]
    except FileNotFoundError:
        raise ValueError(f"There is no {path}: make it with reference.py first.") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path} is not a file that reference.py wrote, or it is damaged.") from None


def make_ladders(settings, number, threads):
    """Return the ladders of the process of that number."""
    # Plain OpenMM must run where openmmflow is not installed.
    if settings["engine"] == "openmm":
        from openmm_ladder import OpenMMLadder

        return OpenMMLadder(settings, number)
    from batched_ladders import BatchedLadders

    return BatchedLadders(settings, threads)


def run_ladders(settings, number, threads, frames, path, save_every, counter, stop):
    """Body of one process: bring its ladders to the given number of frames each, or until stop is set.

    counter shares the number of exchanges done in all its ladders; save_every is in seconds.
    """
    # Ctrl-C reaches the whole process group: the parent decides, and the ladders stop between two intervals.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = os.getppid()

    def save():
        state = {"settings": json.dumps(settings), **ladders.state()}
        write_atomically(path, lambda file: np.savez(file, **state))

    try:
        ladders = make_ladders(settings, number, threads)
        if path.is_file():
            with np.load(path) as state:
                ladders.resume(state)
        counter.value = ladders.num_ladders * ladders.exchanges
        saved = time.monotonic()
        # A parent that was killed leaves an orphan behind, which must not write the files of the next run.
        while len(ladders.frames) < frames and not stop.is_set() and os.getppid() == parent:
            ladders.advance()
            counter.value = ladders.num_ladders * ladders.exchanges
            if time.monotonic() - saved > save_every:
                save()
                saved = time.monotonic()
        if os.getppid() == parent:
            save()
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error}; install it, or run plain OpenMM with --engine openmm.")
    except (ValueError, OSError, OpenMMException) as error:
        sys.exit(f"error in ladders {number}: {error}")


def merge(output, count, frames, path):
    """Write the frames of all processes so far, ladder after ladder, as one file at path.

    frames is the number that each ladder may give: a ladder that was once asked for more is cut.
    """
    parts = []
    for number in range(count):
        try:
            with np.load(checkpoint_path(output, number)) as state:
                part = {name: state[name][:, :frames] for name in ("positions", "energies", "walkers")}
                settings = state["settings"]
        except FileNotFoundError:
            continue
        first = sum(len(earlier["energies"]) for earlier in parts)
        part["ladders"] = np.broadcast_to(
            np.arange(first, first + len(part["energies"]), dtype=np.int32)[:, np.newaxis],
            part["energies"].shape,
        )
        parts.append(part)
    if parts:
        merged = {
            name: np.concatenate([part[name].reshape(-1, *part[name].shape[2:]) for part in parts])
            for name in parts[0]
        }
        write_atomically(path, lambda file: np.savez(file, settings=settings, **merged))


def run(options):
    """Run the ladders with a progress bar until every frame is there, and write the merged ensemble."""
    settings = {name: getattr(options, name) for name in FIXED}
    settings["system"] = read_system(options.environment)[1]
    output = options.output
    count = settings["ladders"] if settings["engine"] == "openmm" else 1
    frames = -(-options.frames // settings["ladders"])
    output.parent.mkdir(parents=True, exist_ok=True)
    for path in (checkpoint_path(output, number) for number in range(count)):
        if path.is_file() and load(path, "settings")[0] != settings:
            raise ValueError(f"{path} has other settings: delete it or choose another --output.")
    partial = output.with_name(f"{output.stem}.partial.npz")

    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    counters = [spawn.Value("q", 0) for _ in range(count)]
    processes = [
        spawn.Process(
            target=run_ladders,
            args=(
                settings,
                number,
                options.threads,
                frames,
                checkpoint_path(output, number),
                options.save_every,
                counters[number],
                stop,
            ),
        )
        for number in range(count)
    ]
    for process in processes:
        process.start()

    started = merged = time.monotonic()
    total = settings["ladders"] * (frames + settings["equilibration"])
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
        codes = ", ".join(str(process.exitcode) for process in processes)
        raise ValueError(
            f"The run failed (exit codes {codes}; negative if it was killed): the same command goes on."
        )

    complete = sum(counter.value for counter in counters) >= total
    merge(output, count, frames, output if complete else partial)
    report(output, count)
    if not complete:
        raise Interrupted(f"Stopped early: {partial} has the frames so far, the same command goes on.")
    if options.dcd:
        write_dcd(output, options.environment, options.dcd)
    print(f"{output}: {settings['ladders'] * frames} frames at {settings['temperatures'][0]:g} K")


def report(output, count):
    """Print how well the replicas exchanged, process by process, and return it as a list of dicts."""
    processes = []
    for number in range(count):
        with np.load(checkpoint_path(output, number)) as state:
            settings = json.loads(str(state["settings"]))
            time_ns = int(state["exchanges"]) * settings["interval"] * settings["time_step"] * 1e-6
            rates = np.round(state["acceptances"] / np.maximum(state["attempts"], 1), 3).tolist()
            trips, ladders = int(state["round_trips"]), len(state["energies"])
        print(
            f"{ladders} ladder{'s' * (ladders > 1)}: {time_ns:.2f} ns a replica, acceptance {rates}, "
            f"{trips} round trips"
        )
        processes.append(
            {
                "ladders": ladders,
                "ns_per_replica": round(time_ns, 3),
                "acceptance": rates,
                "round_trips": trips,
            }
        )
    return processes


def write_dcd(output, environment, path):
    """Write the merged frames as a DCD trajectory."""
    with np.load(output) as data, open(path, "wb") as file:
        trajectory = app.DCDFile(file, read_pdb(environment).topology, 0.001)
        for positions in data["positions"]:
            trajectory.writeModel(positions * unit.nanometer)


def parse_options():
    """Return the options, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("environment", help="folder with system.xml and topology.pdb, such as obc1")
    add(
        "--output",
        type=Path,
        help="merged frames (default: <environment>/reference.npz); checkpoints lie beside it",
    )
    add("--engine", choices=ENGINES, default="batched", help="openmm-flow's batches, or plain OpenMM")
    add("--platform", default="CPU", help="the OpenMM platform of the energies")
    add("--threads", type=int, default=os.cpu_count(), help="of the batched engine")
    add("--frames", type=int, default=200_000, help="frames at the lowest temperature, all ladders together")
    add(
        "--ladders",
        type=int,
        help="independent ladders; with plain OpenMM, a process each (default: 32, or 2)",
    )
    add("--temperatures", type=float, nargs="+", default=[300, 395, 520, 684, 900], help="K, rising")
    add(
        "--method",
        choices=METHODS,
        help="HMC has no error of the time step; plain OpenMM has Langevin dynamics only (default: hmc, or langevin)",
    )
    add("--time-step", type=float, help="fs (default: 2.5 for HMC, 1.5 for Langevin dynamics)")
    add("--hydrogen-mass", type=float, default=4.0, help="dalton; no effect on the ensemble")
    add("--steps-per-proposal", type=int, default=20, help="of HMC")
    add("--friction", type=float, default=1.0, help="1/ps, of Langevin dynamics")
    add("--interval", type=int, default=100, help="steps between exchanges, and between frames")
    add(
        "--equilibration",
        type=int,
        help="exchanges thrown away at the start of each ladder (default: 500, or 5000)",
    )
    add("--seed", type=int, default=1)
    add("--hours", type=float, default=math.inf, help="stop after so long, ready to be resumed")
    add("--save-every", type=float, default=60, help="seconds between checkpoints")
    add("--partial-every", type=float, default=300, help="seconds between writing the frames so far")
    add("--dcd", type=Path, help="also write the frames as a DCD trajectory")
    add("--blocks", type=int, default=20, help="blocks of frames at least, for the errors of --summarise")
    add("--summarise", action="store_true", help="only write <environment>/reference.json")
    options = parser.parse_args()
    if options.output is None:
        options.output = HERE / options.environment / "reference.npz"
    ladders, equilibration = ENGINES[options.engine]
    if options.ladders is None:
        options.ladders = ladders
    if options.equilibration is None:
        options.equilibration = equilibration
    if options.method is None:
        options.method = "hmc" if options.engine == "batched" else "langevin"
    if options.method == "hmc" and options.engine == "openmm":
        parser.error("--engine openmm has --method langevin only")
    if options.time_step is None:
        options.time_step = METHODS[options.method]
    ladder = options.temperatures
    if len(ladder) < 2 or ladder[0] <= 0 or min(np.diff(ladder)) <= 0:
        parser.error("--temperatures needs at least two temperatures in K, rising")
    positive = (
        "frames",
        "threads",
        "ladders",
        "time_step",
        "steps_per_proposal",
        "hydrogen_mass",
        "friction",
        "interval",
        "hours",
    )
    for name in positive:
        if not getattr(options, name) > 0:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if options.method == "hmc" and options.interval % options.steps_per_proposal != 0:
        parser.error("--interval must be a multiple of --steps-per-proposal")
    if options.equilibration < 0 or options.seed < 0:
        parser.error("--equilibration and --seed must not be negative")
    if options.blocks < 2:
        parser.error("--blocks must be at least 2")
    platforms = [Platform.getPlatform(index).getName() for index in range(Platform.getNumPlatforms())]
    if options.platform not in platforms:
        parser.error(f"there is no platform {options.platform}, but {', '.join(platforms)}")
    return options


def main():
    options = parse_options()
    try:
        if options.summarise:
            settings, *frames = load(options.output, "settings", "positions", "energies", "ladders")
            processes = settings["ladders"] if settings["engine"] == "openmm" else 1
            path, text = summarise(options, settings, *frames, report(options.output, processes))
            write_atomically(path, lambda file: file.write(text.encode()))
            print(f"written: {path}")
        else:
            run(options)
    except Interrupted as stopped:
        print(stopped)
        sys.exit(130)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
