"""`openmm-flow sample`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    make_sampler,
    platform_options,
    refuse_to_overwrite,
    temperature_option,
)


@click.command()
@click.argument("flow", type=EXISTING_FILE)
@click.argument("system", type=EXISTING_FILE)
@temperature_option
@click.option(
    "-n", "--count", type=click.IntRange(min=1), default=10000, show_default=True, help="How many samples."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    default="ensemble.safetensors",
    show_default=True,
    help="The file to write; an existing one is replaced.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random numbers."
)
@click.option(
    "--first",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Index of the first sample, to share the samples of one seed among machines.",
)
@platform_options
def sample(flow, system, temperature, count, output, seed, first, platform, precision, threads):
    """Draw configurations from FLOW and weight them against the potential energy of SYSTEM.

    FLOW is a trained flow (.safetensors), SYSTEM an OpenMM System in XML with the same particles and no
    constraints.

    The result is an ensemble at the temperature: independent configurations with exact weights. Its quality
    (effective samples, Pareto k, log Z) is printed; `openmm-flow report` draws it. Ctrl-C keeps what was
    done in the output file.
    """
    import openmmflow
    from openmmflow.commands.inputs import load_system
    from openmmflow.commands.progress import progress_bar

    refuse_to_overwrite(output, (flow, system))
    sampler = make_sampler(
        load_system(system), openmmflow.Flow.load(flow), temperature, platform, precision, threads
    )
    with progress_bar() as progress:
        try:
            ensemble = sampler.sampleToFile(output, count, seed, first, progress)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Stopped: {output} holds the {progress.done} samples that were done, of {count}. The rest: "
                f"--first {first + progress.done} --count {count - progress.done} into another file."
            ) from None
    click.echo(ensemble)
    click.echo(f"written: {output}")
