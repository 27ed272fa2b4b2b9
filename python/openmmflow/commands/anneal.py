"""`openmm-flow anneal`."""

import click
from openmm import OpenMMException

from openmmflow.commands.options import (
    EXISTING_FILE,
    make_sampler,
    output_option,
    platform_options,
    sample_range_options,
    temperature_option,
    verify_option,
)

# The arguments of FlowSampler.planAnnealing() that are options here.
PILOT = {
    "conditional_ess": "--conditional-ess",
    "moves_per_beta": "--moves",
    "leapfrog_steps": "--leapfrog-steps",
    "pilot_size": "--pilot-size",
    "pilot_seed": "--pilot-seed",
}


@click.command()
@click.argument("flow", type=EXISTING_FILE)
@click.argument("system", type=EXISTING_FILE)
@temperature_option()
@sample_range_options(1000, "How many samples, rounded up to whole islands.")
@output_option("ensemble.safetensors")
@click.option(
    "--schedule",
    type=EXISTING_FILE,
    help="An ensemble that was annealed before: take its steps, and its islands, instead of a pilot run. What is "
    "annealed by one schedule can be merged.",
)
@click.option(
    "--island-size",
    type=click.IntRange(min=1),
    help="Samples of an island: on the way, those of large weight are copied and those of small weight dropped "
    "(sequential Monte Carlo). Errors come from the differences between islands, so there must be many. "
    "[default: as in --schedule, or 1: independent samples]",
)
@click.option(
    "--conditional-ess",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="The fraction of effective samples that each step keeps: nearer to 1 are more and smaller steps, and "
    "weights that differ less. [default: 0.99]",
)
@click.option(
    "--moves",
    "moves_per_beta",
    type=click.IntRange(min=1),
    help="Moves of each sample after a step. [default: 1]",
)
@click.option(
    "--leapfrog-steps",
    type=click.IntRange(min=1),
    help="Time steps in a move, which is a short trajectory (Hamiltonian Monte Carlo). [default: 5]",
)
@click.option("--pilot-size", type=click.IntRange(min=50), help="Samples of the pilot run. [default: 1000]")
@click.option("--pilot-seed", type=click.IntRange(min=0), help="Seed of the pilot run. [default: 0]")
@verify_option
@platform_options
def anneal(
    flow, system, temperature, count, output, seed, first, schedule, island_size, verify_energies, platform,
    precision, threads, **pilot,
):  # fmt: skip
    """Draw configurations from FLOW and bring them to the ensemble of SYSTEM in steps.

    FLOW is a trained flow (.safetensors), SYSTEM an OpenMM System in XML with the same particles and no
    constraints.

    Use it where `openmm-flow sample` leaves few effective samples, or a Pareto k above 0.7. Each step changes
    the distribution a little from that of the flow to that of the energy, and moves all samples accordingly.
    The weights that result are as exact as those of `sample`, and differ less; it takes hundreds of times as
    many energies.

    From a flow that is very far away (one effective sample in 100,000 proposals) errors come out too small, and
    Pareto k may not show it: repeat with several --moves a step, and see whether the averages stay.

    A pilot run finds the steps first, and the output records them. To share the work among machines, anneal a
    few samples on one of them, copy its output to all, and name it there with --schedule, with another --first
    or --seed on each; then join all with `openmm-flow merge`.

    Ctrl-C keeps the samples that have arrived in the output file; they come in blocks of about a thousand.
    """
    import openmmflow
    from openmmflow.commands.drawing import draw_to_file
    from openmmflow.commands.ensembles import check_ensemble_output, require_disk_space, show_ensemble
    from openmmflow.commands.inputs import load_system
    from openmmflow.commands.progress import progress_bar

    pilot = {name: value for name, value in pilot.items() if value is not None}
    if schedule and pilot:
        unused = ", ".join(PILOT[name] for name in pilot)
        raise click.UsageError(
            f"With --schedule there is no pilot run that could use {unused}: leave one out."
        )
    check_ensemble_output(output, (flow, system, schedule))
    flow = openmmflow.Flow.load(flow)
    if schedule:
        schedule, known_size = _load_schedule(schedule)
        island_size = island_size or known_size
    island_size = island_size or 1
    if first % island_size != 0:
        raise click.UsageError(
            f"An island of {island_size} samples begins at a multiple of that, and --first {first} is none."
        )
    count = -(-count // island_size) * island_size
    require_disk_space(output, count, flow.num_particles)
    sampler = make_sampler(
        load_system(system), flow, temperature, platform, precision, threads, verify_energies
    )
    if schedule is None:
        with progress_bar("steps", "pilot run") as show:
            schedule = sampler.planAnnealing(lambda steps, most: show(steps, None), **pilot)
    ensemble = draw_to_file(
        lambda progress: sampler.annealToFile(output, count, seed, first, progress, schedule, island_size),
        output,
        count,
        first,
        f" --schedule {output}",
    )
    show_ensemble(ensemble)
    click.echo(f"written: {output}")


def _load_schedule(path):
    """Return the schedule by which the ensemble in a file was annealed, and the size of its islands."""
    import openmmflow

    ensemble = openmmflow.WeightedEnsemble.load(path)
    if "annealing" not in ensemble.metadata:
        raise OpenMMException(
            f"{path} holds no schedule, since it was not annealed: name an ensemble that `openmm-flow anneal` wrote."
        )
    return openmmflow.AnnealingSchedule.fromJson(ensemble.metadata["annealing"]), ensemble.block_size
