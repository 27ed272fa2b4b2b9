"""`openmm-flow train`."""

import json
import math
import re
from contextlib import contextmanager
from pathlib import Path

import click
from openmm import OpenMMException

from openmmflow.commands.options import EXISTING_FILE, refuse_to_overwrite

# What the configuration file may hold. Settings of `training` are those of FlowTrainerOptions, in snake case.
INPUTS = ("system", "topology", "temperature", "data", "output")
FLOW = ("couplings", "hidden", "blocks", "bins", "activation", "seed")
REFINEMENT = ("rounds", "proposals", "training")


@click.command()
@click.argument("system", type=EXISTING_FILE, required=False)
@click.argument("topology", type=EXISTING_FILE, required=False)
@click.option("-c", "--config", type=EXISTING_FILE, help="YAML file with all settings; options overrule it.")
@click.option(
    "-d",
    "--data",
    type=EXISTING_FILE,
    multiple=True,
    help="Configurations at the temperature to learn from: a trajectory (DCD, XTC, HDF5, ...) or an NPZ file "
    'with "positions" in nm and, optionally, "weights" and "blocks". Repeat it for several.',
)
@click.option(
    "-T", "--temperature", type=click.FloatRange(min=0, min_open=True), help="Temperature, in kelvin."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    help="The flow. [default: flow.safetensors]",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    help="Frames to train on, each counted as often as it is used. [default: 1000000]",
)
@click.option(
    "--time-budget", type=click.FloatRange(min=0), help="Stop each stage of training after so many minutes."
)
@click.option(
    "--refine",
    type=click.IntRange(min=0),
    help="Rounds of training on the flow's own reweighted samples, after the data. [default: 0]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    help="Seed of the weights and of the order of frames.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads to use. [default: all]")
def train(system, topology, config, data, temperature, output, samples, time_budget, refine, seed, threads):
    """Train a flow to propose configurations of the molecule in SYSTEM and TOPOLOGY.

    SYSTEM is an OpenMM System in XML without constraints, TOPOLOGY a PDB or mmCIF file of the same molecule,
    whose positions fix the hand of stereocentres.

    The flow learns from data, by maximum likelihood: give as many uncorrelated configurations as you have,
    from simulations that have visited every state (what the data lack, the flow will lack). The progress bar
    shows the average negative log likelihood (NLL) of frames that were held out and, from time to time, the
    effective sample size (ESS) of the flow's proposals. When the data are few, --refine trains on with the
    flow's own samples, reweighted with the energy.

    Progress is kept in a checkpoint beside the output: run the same command again to continue after an
    interruption.
    """
    settings = _read_config(config) if config else {}
    given = {"system": system, "topology": topology, "temperature": temperature, "output": output}
    settings.update({name: value for name, value in given.items() if value is not None})
    if data:
        settings["data"] = list(data)
    settings.setdefault("output", "flow.safetensors")
    training, refinement = settings.setdefault("training", {}), settings.setdefault("refinement", {})
    if samples is not None:
        training["max_samples"] = samples
    if refine is not None:
        refinement["rounds"] = refine
    if seed is not None:
        training["seed"] = seed
        settings.setdefault("flow", {})["seed"] = seed
    if threads is not None:
        training["threads"] = threads
    if time_budget is not None:
        training["time_budget"] = 60 * time_budget
    for name in ("system", "topology", "temperature"):
        if name not in settings:
            raise click.UsageError(
                f"The {name} is missing: name it on the command line or in the configuration."
            )
    if not settings.get("data"):
        raise click.UsageError("There is nothing to learn from: name a trajectory with --data.")
    refuse_to_overwrite(
        settings["output"], (config, settings["system"], settings["topology"], *settings["data"])
    )
    try:
        import openmmflow.training  # noqa: F401
    except ImportError as error:
        raise OpenMMException(str(error)) from error
    flow, checkpoints = run_training(settings)
    flow.save(settings["output"])
    for checkpoint in checkpoints:
        Path(checkpoint).unlink()
    click.echo(f"written: {settings['output']}")


def _read_config(path):
    import yaml

    try:
        settings = yaml.safe_load(Path(path).read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OpenMMException(f"{path} is not a YAML file: {error}") from error
    _check_names(settings, (*INPUTS, "flow", "training", "refinement"), path)
    _check_names(settings.get("flow", {}), FLOW, f'"flow" in {path}')
    _check_names(settings.get("refinement", {}), REFINEMENT, f'"refinement" in {path}')
    folder = Path(path).parent
    for name in ("system", "topology", "output"):
        if name in settings:
            settings[name] = str(folder / settings[name])
    if "data" in settings:
        files = settings["data"] if isinstance(settings["data"], list) else [settings["data"]]
        settings["data"] = [str(folder / file) for file in files]
    return settings


def _check_names(settings, names, where):
    if not isinstance(settings, dict):
        raise OpenMMException(f"{where} must be a table of settings.")
    for name in settings:
        if name not in names:
            raise OpenMMException(f"{where} has no setting {name}; there are {', '.join(names)}.")


def make_options(settings):
    """Return FlowTrainerOptions from settings in snake case."""
    from openmmflow.training import FlowTrainerOptions

    camel = {re.sub("[A-Z]", lambda c: "_" + c[0].lower(), name): name for name in FlowTrainerOptions.names()}
    _check_names(settings, tuple(camel), '"training"')
    options = FlowTrainerOptions()
    for name, value in settings.items():
        kind = type(getattr(options, camel[name]))
        try:
            setattr(options, camel[name], kind(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise OpenMMException(f"The training setting {name} cannot be {value!r}: {error}") from error
    return options


def run_training(settings):
    """Train as a configuration says, and return the flow and the checkpoints, of no more use then."""
    import openmmflow
    from openmmflow.commands.inputs import load_system, load_topology
    from openmmflow.commands.trajectories import load_training_data

    system = load_system(settings["system"])
    openmmflow.FlowBuilder.checkSystem(system)
    topology, reference = load_topology(settings["topology"])
    temperature = float(settings["temperature"])
    positions, weights, blocks = load_training_data(settings["data"], settings["topology"])
    flow = openmmflow.createInternalFlow(topology, reference, positions, weights, **settings.get("flow", {}))
    flow = flow.withMetadata("temperature", f"{temperature:g} K")
    flow = flow.withMetadata("system", openmmflow.FlowBuilder.hashSystem(system))
    click.echo(f"Data         {len(positions)} frames in {len(set(blocks.tolist()))} blocks")

    options = settings["training"]
    stages = []
    flow = _stage(
        flow, system, temperature, options, (positions, weights, blocks), settings["output"], stages, None
    )
    refinement = {"rounds": 0, "proposals": 1000000, "training": {}, **settings["refinement"]}
    for _ in range(refinement["rounds"]):
        own = _own_samples(flow, system, temperature, refinement["proposals"], len(stages))
        data, held_out = _join((positions, weights, blocks), own, stages[0]["held_out_blocks"])
        round_options = {**options, **refinement["training"]}
        flow = _stage(flow, system, temperature, round_options, data, settings["output"], stages, held_out)
    checkpoints = [_checkpoint(settings["output"], stage) for stage in range(len(stages))]
    return flow.withMetadata("training", json.dumps(stages)), checkpoints


def _checkpoint(output, stage):
    return f"{output}.stage-{stage + 1}.checkpoint"


def _own_samples(flow, system, temperature, count, stage):
    """Draw samples from the flow and resample them by weight: as many as there are effective ones."""
    import openmmflow
    from openmmflow.commands.progress import progress_bar

    sampler = openmmflow.FlowSampler(system, flow, temperature)
    with progress_bar("proposals") as progress:
        # A seed that no one is likely to use for the evaluation of the result.
        ensemble = sampler.sample(count, seed=2**32 + stage, progress=progress)
    click.echo(
        f"Own samples  {count}, ESS {100 * ensemble.effective_sample_fraction:.1f} %, "
        f"Pareto k {ensemble.pareto_k:.2f}"
    )
    return ensemble.resample(max(1, int(count * ensemble.effective_sample_fraction)), seed=stage).positions


def _join(data, own, held_out):
    """Return data and own samples as (positions, weights, blocks), and the blocks that are held out of them.

    What a stage validates on must be new to the flow that it starts from, so that data once held out stay so.
    """
    import numpy as np

    positions, weights, blocks = data
    # Neighbours among resampled configurations may be copies: a block keeps them on one side of the split.
    own_blocks = blocks.max() + 1 + np.arange(len(own)) * 50 // len(own)
    joined = (
        np.concatenate([positions, own]),
        None if weights is None else np.concatenate([weights / weights.mean(), np.ones(len(own))]),
        np.concatenate([blocks, own_blocks]),
    )
    return joined, [*held_out, *np.unique(own_blocks)[::10].tolist()]


def _stage(flow, system, temperature, options, data, output, stages, held_out):
    """Train on some data; add what it says of itself to `stages`."""
    from openmmflow.training import FlowTrainer

    positions, weights, blocks = data
    trainer = FlowTrainer(flow, make_options(options))
    trainer.setTarget(system, temperature)
    checkpoint = _checkpoint(output, len(stages))
    with _training_bar(f"Stage {len(stages) + 1}") as progress:
        try:
            flow = trainer.train(positions, weights, blocks, progress, checkpoint, held_out)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Stopped: run the same command again to continue from {checkpoint}."
            ) from None
    summary = json.loads(flow.metadata["training"])
    stages.append(summary)
    nll, ess = summary["validation_nll"], summary["effective_sample_fraction"]
    click.echo(
        f"Stage {len(stages)}      {summary['steps']} steps"
        + (", not validated yet" if nll is None else f", validation NLL {nll:.3f}")
        + ("" if ess is None else f", ESS {100 * ess:.1f} %")
    )
    return flow


@contextmanager
def _training_bar(title):
    """Yield a function of FlowTrainerProgress that draws a bar on a terminal's stderr."""
    from tqdm import tqdm

    with tqdm(desc=title, unit=" frames", unit_scale=True, disable=None, leave=False) as bar:

        def show(progress):
            if bar.total is None:
                bar.total = progress.totalSteps * (progress.samples // progress.step)
                bar.initial = bar.n = progress.samples
            text = f"NLL {progress.trainingNLL:.3f}, held out {progress.validationNLL:.3f}"
            if not math.isnan(progress.effectiveSampleFraction):
                text += f", ESS {100 * progress.effectiveSampleFraction:.0f} %"
            bar.set_postfix_str(text, refresh=False)
            bar.update(progress.samples - bar.n)

        yield show
