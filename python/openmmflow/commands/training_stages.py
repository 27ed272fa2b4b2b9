"""The stages of `openmm-flow train`: likelihood of the data first, then of the data and the flow's own samples; or, without
data, the energy alone. The first part of these may have stages of its own, as the settings say."""

import hashlib
import json
import math
import time
from contextlib import contextmanager

import click
import numpy as np
from openmm import OpenMMException

import openmmflow
from openmmflow.commands.exploration import explore
from openmmflow.commands.flow_families import create_flow
from openmmflow.commands.inputs import check_elements, load_system, load_topology
from openmmflow.commands.lengths import find_bonds, refuse_angstrom
from openmmflow.commands.local_dynamics import run_local_dynamics
from openmmflow.commands.progress import progress_bar
from openmmflow.commands.training_files import TrainingFiles
from openmmflow.commands.trajectories import load_training_data
from openmmflow.training import FlowTrainer

# Options that a run may go on with other values of.
INCIDENTAL = {
    "checkpointInterval",
    "device",
    "targetEffectiveSampleFraction",
    "targetInterval",
    "targetSamples",
    "threads",
    "timeBudget",
}


def run_training(settings, processes):
    """Train as TrainingSettings say, and write the flow.

    The processes of a ProcessGroup train together. What is made but once, and all files, are left to the first one.
    """
    system = load_system(settings.system)
    openmmflow.FlowBuilder.checkSystem(system)
    topology, reference = load_topology(settings.topology)
    check_elements(system, topology)
    # The library refuses what makes no sense before the data are read, which may take long.
    untrained = create_flow(settings.flow, topology, reference)
    for options in settings.all_options:
        FlowTrainer(untrained, options).setTarget(system, settings.temperature)
    if settings.data:
        bonds = find_bonds(system, topology)
        data = load_training_data(
            settings.data,
            settings.topology,
            lambda path, frames: refuse_angstrom(path, frames, system.getNumParticles(), bonds),
        )
        positions, weights, blocks = data
        click.echo(f"Data         {len(positions)} frames in {len(set(blocks.tolist()))} blocks")
        flow = processes.share(lambda: create_flow(settings.flow, topology, reference, positions, weights))
    else:
        data, flow = (), untrained
        click.echo("Data         none: the flow learns from the energy alone")
    flow = _describe(flow, settings, system)
    files = TrainingFiles(settings.output, _identify(settings, flow, data))
    stages = TrainingStages(settings, system, files, processes)
    try:
        if not settings.data:
            flow = _begin(stages, untrained, topology, reference)
        flow = stages.run(flow, data)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Stopped: run the same command again to go on from here.") from None
    if processes.rank == 0:
        flow.save(settings.output)
        files.delete()


def _describe(flow, settings, system):
    flow = flow.withMetadata("temperature", f"{settings.temperature:g} K")
    return flow.withMetadata("system", openmmflow.FlowBuilder.hashSystem(system))


def _begin(stages, untrained, topology, reference):
    """Return the untrained flow with centres and scales of its coordinates from dynamics, made once in a run."""
    settings, system, files = stages.settings, stages.system, stages.files

    def make():
        if settings.exploration:
            positions, evaluations = stages.explored["positions"], stages.dynamics
        else:
            click.echo("Dynamics     a few picoseconds, for the scales of coordinates")
            positions, evaluations = run_local_dynamics(
                system, reference, settings.temperature, settings.training.threads
            )
        flow = _describe(create_flow(settings.flow, topology, reference, positions), settings, system)
        return files.save_flow(0, flow, [{"dynamics_energy_evaluations": evaluations}])

    if settings.exploration:
        stages.explore(untrained, reference)
    flow, [record] = stages.processes.share(lambda: files.load_flow(0) or make())
    stages.dynamics = record["dynamics_energy_evaluations"]
    return flow


def _identify(settings, flow, data):
    """Return a hash of all that the stages depend on, but for how many there are."""
    described = {
        "flow": [flow.hash, flow.metadata["system"], settings.temperature],
        "proposals": settings.proposals,
        "options": [
            {name: getattr(options, name) for name in options.names() if name not in INCIDENTAL}
            for options in settings.all_options
        ],
    }
    if settings.exploration:
        described["exploration"] = [settings.exploration.energies, settings.exploration.max_temperature]
    digest = hashlib.blake2b(json.dumps(described).encode(), digest_size=8)
    for array in data:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


class TrainingStages:
    """Runs the stages that are not completed yet.

    A stage is completed when it has used its samples, when patience or the time budget is at an end; its flow is
    then kept among the files. Ctrl-C leaves a checkpoint and kill the latest one, from which the stage goes on.
    """

    def __init__(self, settings, system, files, processes):
        self.settings, self.system, self.files, self.processes = settings, system, files, processes
        # How many energies the dynamics before the first stage took, and the frames of an exploration.
        self.dynamics, self.explored, self.exploration = 0, None, None

    def explore(self, untrained, reference):
        """Make the frames of the exploration, once in a run."""
        settings, wanted = self.settings, self.settings.exploration

        def make():
            started = time.monotonic()
            positions, blocks, energies = explore(
                self.system,
                reference,
                settings.temperature,
                wanted.max_temperature,
                wanted.energies,
                wanted.seconds,
                settings.training.seed,
                settings.training.threads or None,
            )
            # High temperatures turn stereocentres and peptide bonds over, which the flow keeps as they are.
            context = openmmflow.FlowContext(untrained, properties=self._properties())
            inside = np.isfinite(context.logDensity(positions))
            if len(set(blocks[inside].tolist())) < 2:
                raise OpenMMException(
                    f"Of {len(inside)} frames of replica exchange up to {wanted.max_temperature:g} K, {inside.sum()} have the "
                    "hand and the cis or trans bonds of the topology file: lower exploration.max_temperature in the "
                    "configuration, or set exploration.energies to 0."
                )
            record = {
                "energies": energies,
                "max_temperature": wanted.max_temperature,
                "frames": len(inside),
                "kept": int(inside.sum()),
                "seconds": time.monotonic() - started,
            }
            return self.files.save_samples(
                0, {"positions": positions[inside], "blocks": blocks[inside]}, record
            )

        self.explored, record = self.processes.share(lambda: self.files.load_samples(0) or make())
        self.dynamics = record["energies"]
        self.exploration = record
        click.echo(
            f"Exploration  {record['kept']} of {record['frames']} frames of replica exchange up to "
            f"{record['max_temperature']:g} K, {record['energies']} energies"
        )

    def run(self, flow, data):
        """Return the flow of the last stage; its metadata tell of all."""
        held_out, stages = None, []
        if self.explored:
            options = self.settings.exploration.training
            frames = (self.explored["positions"], None, self.explored["blocks"])
            flow, stages = self._stage(1, flow, options, frames, None, stages, exploration=self.exploration)
            self._shorten_budget(self.exploration["seconds"] + stages[0]["seconds"])
        for stage, options in enumerate(self.settings.stages, len(stages) + 1):
            flow, stages = self._stage(stage, flow, options, data, held_out, stages)
            # What a stage validates on must be new to the flow that it starts from.
            held_out = stages[0].get("held_out_blocks")
        for stage in range(len(stages) + 1, len(stages) + 1 + self.settings.rounds):
            own, record = self._own_samples(stage, flow)
            joined, joined_held_out = _join(data, own, held_out)
            flow, stages = self._stage(
                stage,
                flow,
                self.settings.refined_training,
                joined,
                joined_held_out,
                stages,
                own_samples=record,
            )
        return flow

    def _properties(self):
        threads = self.settings.training.threads
        return {"Threads": threads} if threads > 0 else {}

    def _shorten_budget(self, spent):
        """Leave to the stage after an exploration what is left of the time budget."""
        [options] = self.settings.stages
        if options.timeBudget > 0:
            options.timeBudget = max(0.01 * options.timeBudget, options.timeBudget - spent)

    def _stage(self, stage, flow, options, data, held_out, earlier, **provenance):
        completed = self.processes.share(lambda: self.files.load_flow(stage))
        if completed is None:
            trained = self._train(stage, flow, options, data, held_out)
            summary = json.loads(trained.metadata["training"])
            if summary["ended"] == "callback":
                # In another process, or it would have been raised here.
                raise KeyboardInterrupt
            summary |= {"flow_seed": self.settings.flow.get("seed", 0), **provenance}
            if self.settings.data:
                summary["data_files"] = self.settings.data
            elif stage == 1:
                summary["dynamics_energy_evaluations"] = self.dynamics
            completed = self.processes.share(
                lambda: self.files.save_flow(stage, trained, [*earlier, summary])
            )
        _report(stage, completed[1][-1])
        return completed

    def _train(self, stage, flow, options, data, held_out):
        trainer = FlowTrainer(flow, options)
        trainer.setTarget(self.system, self.settings.temperature)
        if not data:
            with _energy_bar(f"Stage {stage}", options.objective) as progress:
                return trainer.trainOnEnergy(progress, self.files.checkpoint(stage))
        positions, weights, blocks = data
        with _training_bar(f"Stage {stage}") as progress:
            return trainer.train(positions, weights, blocks, progress, self.files.checkpoint(stage), held_out)

    def _own_samples(self, stage, flow):
        """Return samples of the flow, resampled by weight (as many as there are effective ones), and their record."""

        def draw():
            count = self.settings.proposals
            # A seed that no one is likely to use for the evaluation of the result.
            seed = 2**32 + stage - 1
            sampler = openmmflow.FlowSampler(
                self.system, flow, self.settings.temperature, properties=self._properties()
            )
            with progress_bar("proposals") as progress:
                ensemble = sampler.sample(count, seed=seed, progress=progress)
            kept = max(1, int(count * ensemble.effective_sample_fraction))
            record = {
                "proposals": count,
                "seed": seed,
                "kept": kept,
                "effective_sample_fraction": ensemble.effective_sample_fraction,
                "pareto_k": ensemble.pareto_k,
            }
            positions = ensemble.resample(kept, seed=stage - 1).positions
            return self.files.save_samples(stage, {"positions": positions}, record)

        drawn, record = self.processes.share(lambda: self.files.load_samples(stage) or draw())
        click.echo(
            f"Own samples  {record['kept']} of {record['proposals']} proposals, "
            f"ESS {100 * record['effective_sample_fraction']:.1f} %, Pareto k {record['pareto_k']:.2f}"
        )
        return drawn["positions"], record


def _join(data, own, held_out):
    """Return data and own samples as (positions, weights, blocks), and the blocks that are held out of them.

    What a stage validates on must be new to the flow that it starts from, so that data once held out stay so.
    """
    positions, weights, blocks = data
    # Neighbours among resampled configurations may be copies: a block keeps them on one side of the split.
    own_blocks = blocks.max() + 1 + np.arange(len(own)) * 50 // len(own)
    joined = (
        np.concatenate([positions, own]),
        None if weights is None else np.concatenate([weights / weights.mean(), np.ones(len(own))]),
        np.concatenate([blocks, own_blocks]),
    )
    return joined, [*held_out, *np.unique(own_blocks)[::10].tolist()]


def _report(stage, summary):
    nll, ess = summary["validation_nll"], summary["effective_sample_fraction"]
    text = f"Stage {stage}      {summary['steps']} steps"
    energies = summary["energy_evaluations"] + summary.get("dynamics_energy_evaluations", 0)
    if energies > 0:
        text += f", {energies} energies"
    if "data_hash" in summary and nll is not None:
        text += f", validation NLL {nll:.3f}"
    if ess is not None:
        text += f", ESS {100 * ess:.1f} %"
    click.echo(text)


@contextmanager
def _training_bar(title):
    """Yield a function of FlowTrainerProgress that draws a bar on a terminal's stderr."""

    def describe(progress):
        text = f"NLL {progress.trainingNLL:.3f}, held out {progress.validationNLL:.3f}"
        if not math.isnan(progress.effectiveSampleFraction):
            text += f", ESS {100 * progress.effectiveSampleFraction:.0f} %"
        return text + _tell_relapses(progress)

    with _bar(title, "frames", describe) as show:
        yield show


@contextmanager
def _energy_bar(title, objective):
    """Yield the same for training from the energy alone."""
    loss = "log q + U/kT" if objective == "path-gradient" else "NLL"

    def describe(progress):
        return (
            f"{progress.temperature:.0f} K, {loss} {progress.trainingNLL:.2f}, "
            f"ESS {100 * progress.effectiveSampleFraction:.1f} %, Pareto k {progress.paretoK:.2f}, "
            f"{progress.energyEvaluations:.2g} energies" + _tell_relapses(progress)
        )

    with _bar(title, "proposals", describe) as show:
        yield show


def _tell_relapses(progress):
    return f", went back {progress.relapses} times" if progress.relapses else ""


@contextmanager
def _bar(title, unit, describe):
    from tqdm import tqdm

    with tqdm(desc=title, unit=f" {unit}", unit_scale=True, disable=None, leave=False) as bar:

        def show(progress):
            if bar.total is None:
                bar.initial = bar.n = progress.samples
            # A time budget may end training before all samples are used.
            bar.total = progress.samples + round(progress.secondsLeft * progress.samplesPerSecond)
            bar.set_postfix_str(describe(progress), refresh=False)
            bar.update(progress.samples - bar.n)

        yield show
