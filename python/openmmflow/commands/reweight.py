"""`openmm-flow reweight`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    make_cluster_work,
    make_sampler,
    output_option,
    platform_options,
    scheduler_option,
    temperature_option,
    verify_option,
)


@click.command()
@click.argument("flow", type=EXISTING_FILE)
@click.argument("system", type=EXISTING_FILE)
@click.argument("positions", type=EXISTING_FILE)
@temperature_option()
@click.option(
    "--topology", type=EXISTING_FILE, help="PDB or mmCIF of the molecule; most trajectory formats need it."
)
@output_option("ensemble.safetensors")
@verify_option
@scheduler_option
@platform_options
def reweight(
    flow,
    system,
    positions,
    temperature,
    topology,
    output,
    verify_energies,
    scheduler,
    platform,
    precision,
    threads,
):
    """Weight POSITIONS, which were drawn from FLOW, against the potential energy of SYSTEM.

    POSITIONS is a trajectory (DCD, XTC, HDF5, ...) or an NPZ file with an array `positions`, in nm. The
    weights mean something only for configurations that this very flow proposed, not for frames of a
    simulation.
    """
    import openmmflow
    from openmmflow import cluster
    from openmmflow.commands.ensembles import check_ensemble_output, require_disk_space, show_ensemble
    from openmmflow.commands.inputs import load_system
    from openmmflow.commands.lengths import find_bonds, refuse_angstrom
    from openmmflow.commands.progress import progress_bar
    from openmmflow.commands.trajectories import load_positions

    check_ensemble_output(output, (flow, system, positions, topology))
    system, flow = load_system(system), openmmflow.Flow.load(flow)
    what = system, flow, temperature, platform, precision, threads, verify_energies
    sampler = make_sampler(*what) if scheduler is None else None
    frames = load_positions(positions, topology)
    refuse_angstrom(positions, frames, flow.num_particles, find_bonds(system))
    require_disk_space(output, len(frames), flow.num_particles)
    with progress_bar() as progress:
        if sampler is not None:
            ensemble = sampler.reweight(frames, progress)
        else:
            with cluster.connect(scheduler) as client:
                ensemble = cluster.reweight(client, make_cluster_work(*what), frames, progress)
    ensemble.save(output)
    show_ensemble(ensemble)
    click.echo(f"written: {output}")
