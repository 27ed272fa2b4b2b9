"""`openmm-flow sample`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    make_cluster_work,
    make_sampler,
    output_option,
    platform_options,
    sample_range_options,
    scheduler_option,
    temperature_option,
    verify_option,
)


@click.command()
@click.argument("flow", type=EXISTING_FILE)
@click.argument("system", type=EXISTING_FILE)
@temperature_option()
@sample_range_options(10000)
@output_option("ensemble.safetensors")
@verify_option
@scheduler_option
@platform_options
def sample(
    flow,
    system,
    temperature,
    count,
    output,
    seed,
    first,
    verify_energies,
    scheduler,
    platform,
    precision,
    threads,
):
    """Draw configurations from FLOW and weight them against the potential energy of SYSTEM.

    FLOW is a trained flow (.safetensors), SYSTEM an OpenMM System in XML with the same particles and no
    constraints.

    The result is an ensemble at the temperature: independent configurations with exact weights. Its quality
    (effective samples, Pareto k, log Z) is printed; `openmm-flow report` draws it. Ctrl-C keeps what was
    done in the output file.
    """
    import openmmflow
    from openmmflow.commands.drawing import draw_to_file
    from openmmflow.commands.ensembles import check_ensemble_output, require_disk_space, show_ensemble
    from openmmflow.commands.inputs import load_system

    check_ensemble_output(output, (flow, system))
    flow = openmmflow.Flow.load(flow)
    require_disk_space(output, count, flow.num_particles)
    what = load_system(system), flow, temperature, platform, precision, threads, verify_energies
    if scheduler is None:
        sampler = make_sampler(*what)
        draw = lambda progress: sampler.sampleToFile(output, count, seed, first, progress)  # noqa: E731
    else:
        draw = lambda progress: _draw_on_cluster(  # noqa: E731
            scheduler, make_cluster_work(*what), count, seed, first, output, progress
        )
    ensemble = draw_to_file(draw, output, count, first)
    show_ensemble(ensemble)
    click.echo(f"written: {output}")


def _draw_on_cluster(scheduler, work, count, seed, first, output, progress):
    """Write samples that the workers of a cluster draw, and return them, if there are any."""
    from openmmflow import cluster

    with cluster.connect(scheduler) as client:
        return cluster.sample(client, work, output, count, seed, first, progress) or ()
