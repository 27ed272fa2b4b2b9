"""`openmm-flow reweight`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    make_sampler,
    output_option,
    platform_options,
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
@platform_options
def reweight(
    flow, system, positions, temperature, topology, output, verify_energies, platform, precision, threads
):
    """Weight POSITIONS, which were drawn from FLOW, against the potential energy of SYSTEM.

    POSITIONS is a trajectory (DCD, XTC, HDF5, ...) or an NPZ file with an array `positions`, in nm. The
    weights mean something only for configurations that this very flow proposed, not for frames of a
    simulation.
    """
    import openmmflow
    from openmmflow.commands.ensembles import check_ensemble_output, require_disk_space, show_ensemble
    from openmmflow.commands.inputs import load_system
    from openmmflow.commands.lengths import find_bonds, refuse_angstrom
    from openmmflow.commands.progress import progress_bar
    from openmmflow.commands.trajectories import load_positions

    check_ensemble_output(output, (flow, system, positions, topology))
    system, flow = load_system(system), openmmflow.Flow.load(flow)
    sampler = make_sampler(system, flow, temperature, platform, precision, threads, verify_energies)
    frames = load_positions(positions, topology)
    refuse_angstrom(positions, frames, flow.num_particles, find_bonds(system))
    require_disk_space(output, len(frames), flow.num_particles)
    with progress_bar() as progress:
        ensemble = sampler.reweight(frames, progress)
    ensemble.save(output)
    show_ensemble(ensemble)
    click.echo(f"written: {output}")
