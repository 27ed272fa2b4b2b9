"""`openmm-flow train`."""

import io
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import click
from openmm import OpenMMException

from openmmflow.commands.options import (
    EXISTING_FILE,
    output_option,
    refuse_to_overwrite,
    temperature_option,
    threads_option,
)
from openmmflow.commands.training_settings import ENERGY_DEFAULTS, TABLES, check_settings, read_settings


@click.command()
@click.argument("system", type=EXISTING_FILE, required=False)
@click.argument("topology", type=EXISTING_FILE, required=False)
@click.option("-c", "--config", type=EXISTING_FILE, help="YAML file with all settings; options overrule it.")
@click.option(
    "-d",
    "--data",
    type=EXISTING_FILE,
    multiple=True,
    help="Configurations at the temperature to learn from, if there are any: a trajectory (DCD, XTC, HDF5, ...) or an NPZ file "
    'with "positions" in nm and, optionally, "weights" and "blocks". Repeat it for several.',
)
@temperature_option(required=False)
@output_option(text="The flow to write. [default: flow.safetensors]")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    help="Frames to train on in each stage, each counted as often as it is used, or proposals without data. "
    f"[default: 1000000, or {ENERGY_DEFAULTS['max_samples']} without data]",
)
@click.option(
    "--time-budget",
    type=click.FloatRange(min=0),
    help="Fit training into about so many minutes, those before an interruption included, where it would take longer: the "
    "learning rate and the temperature fall accordingly. Of several stages, or rounds of --refine, each may take so long; what "
    "an exploration takes is of the same minutes. 0 for no limit.",
)
@click.option(
    "--target-ess",
    type=click.FloatRange(min=0, max=1),
    help="Without data, end when this fraction of the proposals is effective; 0 for never. [default: 0]",
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
@threads_option()
@click.option(
    "--device",
    help="What differentiates the flow: cpu, or a CUDA device of Torch (cuda, cuda:1). [default: cpu]",
)
@click.option(
    "--report/--no-report",
    default=True,
    help="Write a page with figures on the result and how training went into a folder named after the output. "
    "[default: yes]",
)
def train(
    system,
    topology,
    config,
    data,
    temperature,
    output,
    samples,
    time_budget,
    target_ess,
    refine,
    seed,
    threads,
    device,
    report,
):
    """Train a flow to propose configurations of the molecule in SYSTEM and TOPOLOGY.

    SYSTEM is an OpenMM System in XML without constraints, TOPOLOGY a PDB or mmCIF file of the same molecule,
    whose positions fix the hand of stereocentres.

    Without data, the flow learns from the energy alone. A short replica exchange from the positions in TOPOLOGY
    explores conformations; the flow learns from its frames and the forces there, and then from proposals of
    its own, which are weighted and pushed along the forces. The table `exploration` of the configuration has
    the number of `energies` of the replica exchange (three times --samples unless given), its `max_temperature`
    (three times that of -T), and the `samples`, frames to learn from, each counted as often as it is used (a
    fifth of --samples). Of a time budget, these take a twentieth and two fifths at most. Where barriers are
    too high for dynamics at that temperature, `exploration: {energies: 0}` leaves it out: all torsions then
    begin at random, while the temperature of the target falls from 1200 K to the one you want, which takes
    more proposals. That is so as well with `stages`, with other objectives, or where the table `training` has
    a temperature to begin with. The progress bar shows the effective sample size (ESS) of the proposals at the
    temperature, Pareto k, and how many energies were evaluated.

    The configuration may have a list `stages` of tables like `training`, whose settings hold unless a stage has its
    own. Stages follow each other, each from the flow that the one before gave: path gradients at a high temperature,
    say (objective: path-gradient, annealing_fraction: 1), then annealed importance training (objective:
    annealed-importance), constrained mass transport (mass-transport) or flow annealed importance sampling bootstrap
    (bootstrap). `help(openmmflow.training.FlowTrainerOptions)` has what each of these can be told.

    With data, it learns from them by maximum likelihood: give as many uncorrelated configurations as you have,
    from simulations that have visited every state (what the data lack, the flow will lack). The progress bar
    shows the average negative log likelihood (NLL) of frames that were held out and, from time to time, the
    effective sample size (ESS) of the flow's proposals. When the data are few, --refine trains on with the
    flow's own samples, reweighted with the energy.

    Ctrl-C, like the signals that a queue or a closed terminal sends, stops and keeps all progress beside the
    output, in files named after it; a run that is killed by other means loses a minute. A replica exchange that is
    not complete is done again. Run the same command again to go on from there. A time budget that is too short for
    all samples makes the schedule shorter, and ends a stage for good; the next stage follows. The files are
    deleted when the flow is written. At the end, some thousand proposals are drawn for a page with figures;
    `openmm-flow report --compare` makes one from more, or with reference data.

    Started by torchrun, processes share the work: torchrun --no-python --nproc-per-node 2 openmm-flow train ...
    They all read the input, and the first one writes.
    """
    _require_training()
    settings = read_settings(config) if config else {name: {} for name in TABLES} | {"stages": []}
    given = {"system": system, "topology": topology, "temperature": temperature, "output": output}
    settings.update({name: value for name, value in given.items() if value is not None})
    if data:
        settings["data"] = list(data)
    settings.setdefault("output", "flow.safetensors")
    for table, name, value in (
        ("training", "max_samples", samples),
        ("refinement", "rounds", refine),
        ("training", "seed", seed),
        ("flow", "seed", seed),
        ("training", "threads", threads),
        ("training", "device", device),
        ("training", "time_budget", None if time_budget is None else 60 * time_budget),
        ("training", "target_effective_sample_fraction", target_ess),
    ):
        if value is not None:
            settings[table][name] = value
            if table == "training":
                for stage in settings["stages"]:
                    stage.pop(name, None)
                # How long the rounds take is their own matter, but not where.
                refined = settings["refinement"].get("training")
                if name in ("threads", "device") and isinstance(refined, dict):
                    refined.pop(name, None)
    for name in ("system", "topology", "temperature"):
        if name not in settings:
            raise click.UsageError(
                f"The {name} is missing: name it on the command line or in the configuration."
            )
    if not settings.setdefault("data", []) and settings["refinement"].get("rounds"):
        raise click.UsageError(
            "Rounds of refinement follow training on data: name a trajectory with --data, or leave out --refine."
        )
    if settings["data"] and target_ess:
        raise click.UsageError(
            "Training on data ends with its samples or its patience: leave out --target-ess."
        )
    checked = check_settings(settings)
    refuse_to_overwrite(
        settings["output"], (config, settings["system"], settings["topology"], *settings["data"])
    )
    if report and _page_folder(Path(checked.output)).is_file():
        raise OpenMMException(
            f"{_page_folder(Path(checked.output))} is a file where the folder of the page would be: name another "
            "output, or leave the page out with --no-report."
        )
    from openmmflow.commands.training_stages import run_training
    from openmmflow.training import ProcessGroup

    processes = ProcessGroup()
    if processes.rank > 0:
        with _silence():
            run_training(checked, processes)
        return
    run_training(checked, processes)
    click.echo(f"written: {settings['output']}")
    if report:
        _write_page(checked)


@contextmanager
def _silence():
    """Leave it to the first process to say what goes on; errors that end this one are shown afterwards."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _write_page(settings):
    """Write a page on the flow that was trained, from as many proposals as each estimate in training had."""
    import openmmflow
    from openmmflow.commands.inputs import load_system, load_topology
    from openmmflow.report.comparison import write_comparison

    output, threads = Path(settings.output), settings.training.threads
    page, _ = write_comparison(
        load_system(settings.system),
        {output.name: openmmflow.Flow.load(settings.output)},
        settings.temperature,
        load_topology(settings.topology)[0],
        _page_folder(output),
        settings.training.targetSamples,
        seed=settings.training.seed + 1,
        properties={"Threads": threads} if threads > 0 else {},
    )
    click.echo(f"written: {page}")


def _page_folder(output):
    return output.with_name(f"{output.stem}-report")


def _require_training():
    try:
        import openmmflow.training  # noqa: F401
    except ModuleNotFoundError as error:
        raise OpenMMException(f"{error}.") from error
    except ImportError as error:
        raise OpenMMException(
            f"The package openmm-flow-training cannot be loaded, so install it anew ({error})."
        ) from error
