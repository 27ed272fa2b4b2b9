"""`openmm-flow sample`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    check_output,
    make_sampler,
    platform_options,
    refuse_to_overwrite,
    temperature_option,
    verify_option,
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
@verify_option
@platform_options
def sample(
    flow, system, temperature, count, output, seed, first, verify_energies, platform, precision, threads
):
    """Draw configurations from FLOW and weight them against the potential energy of SYSTEM.

    FLOW is a trained flow (.safetensors), SYSTEM an OpenMM System in XML with the same particles and no
    constraints.

    The result is an ensemble at the temperature: independent configurations with exact weights. Its quality
    (effective samples, Pareto k, log Z) is printed; `openmm-flow report` draws it. Ctrl-C keeps what was
    done in the output file.
    """
    import openmmflow
    from openmmflow.commands.ensembles import require_disk_space, show_ensemble
    from openmmflow.commands.inputs import load_system
    from openmmflow.commands.progress import progress_bar

    refuse_to_overwrite(output, (flow, system))
    check_output(output)
    flow = openmmflow.Flow.load(flow)
    require_disk_space(output, count, flow.num_particles)
    sampler = make_sampler(
        load_system(system), flow, temperature, platform, precision, threads, verify_energies
    )
    with progress_bar() as progress:
        try:
            ensemble = sampler.sampleToFile(output, count, seed, first, progress)
        except KeyboardInterrupt:
            done = progress.done
            if done == 0:
                raise
            raise KeyboardInterrupt(
                f"Stopped: {output} holds the {done} samples that were done, of {count}."
                + (
                    f" Draw the rest with --first {first + done} --count {count - done} into another file, and "
                    "join the two with `openmm-flow merge`."
                    if done < count
                    else ""
                )
            ) from None
    show_ensemble(ensemble)
    click.echo(f"written: {output}")
