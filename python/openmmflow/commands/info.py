"""`openmm-flow info`."""

import platform

import click
from openmm import OpenMMException

from openmmflow.commands.options import EXISTING_FILE
from openmmflow.printable import printable


@click.command()
@click.argument("file", type=EXISTING_FILE, required=False)
def info(file):
    """Show what FILE (a flow or an ensemble) holds.

    Without FILE: versions, platforms, and plugins that failed to load.
    """
    if file is None:
        _show_installation()
        return
    import openmmflow

    try:
        _show_flow(openmmflow.Flow.load(file))
    except OpenMMException as not_a_flow:
        try:
            ensemble = openmmflow.WeightedEnsemble.load(file)
        except OpenMMException as not_an_ensemble:
            raise OpenMMException(
                f"{file} is neither a flow ({not_a_flow}) nor an ensemble ({not_an_ensemble})"
            ) from None
        _show_ensemble(ensemble)


def _show_installation():
    import numpy
    import openmm

    import openmmflow
    from openmmflow.plugins import load_failures, platforms

    click.echo(f"openmm-flow  {openmmflow.__version__}, for OpenMM {openmmflow.openmm_minor_version}")
    click.echo(f"OpenMM       {openmm.Platform.getOpenMMVersion()}")
    click.echo(f"Python       {platform.python_version()}, numpy {numpy.__version__}")
    with_flows = platforms()
    click.echo("Platforms")
    for index in range(openmm.Platform.getNumPlatforms()):
        name = openmm.Platform.getPlatform(index).getName()
        click.echo(f"  {name:11s}{'evaluates flows' if name in with_flows else 'energies only'}")
    failures = load_failures()
    click.echo("Plugins that failed to load" + ("" if failures else ": none"))
    for failure in failures:
        click.echo(f"  {failure}")


def _show_flow(flow):
    click.echo(f"Flow         {flow.family}, {flow.num_particles} particles")
    if flow.num_augmented_particles:
        click.echo(f"Augmented    {flow.num_augmented_particles} particles")
    click.echo(f"Hash         {flow.hash}")
    click.echo(f"Configuration {printable(flow.configuration)}")
    _show_metadata(flow.metadata)


def _show_ensemble(ensemble):
    from openmmflow.commands.ensembles import show_ensemble

    show_ensemble(ensemble)
    for seed, first, count in ensemble.sample_ranges:
        click.echo(f"Seed {seed}: samples {first} to {first + count - 1}")
    _show_metadata(ensemble.metadata)


def _show_metadata(metadata):
    for key, value in sorted(metadata.items()):
        click.echo(printable(f"  {key}: {value if len(value) <= 300 else value[:300] + '...'}"))
