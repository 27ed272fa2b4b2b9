"""Ensembles as commands show them and make room for them."""

import shutil
from pathlib import Path

import click
from openmm import OpenMMException
from tqdm import tqdm

from openmmflow.commands.options import check_output, refuse_to_overwrite
from openmmflow.dcd import refuse_dcd
from openmmflow.printable import printable


def show_ensemble(ensemble):
    """Print the summary of an ensemble, whose metadata come from files."""
    click.echo(printable(str(ensemble), keep="\n"))


def check_ensemble_output(output, inputs):
    """Raise OpenMMException if the file of an ensemble cannot be written, before the work that would be lost."""
    refuse_to_overwrite(output, inputs)
    refuse_dcd(output)
    check_output(output)


def file_size(count, num_particles):
    """Return the bytes of the numbers in an ensemble's file: positions, log q (or log weights) and
    reduced potentials."""
    return 8 * count * (3 * num_particles + 2)


def require_disk_space(path, count, num_particles):
    """Raise OpenMMException if the disk of a file to write has no room for an ensemble.

    A file that is replaced keeps its space until the new one is complete.
    """
    folder = Path(path).absolute().parent
    needed, available = file_size(count, num_particles), shutil.disk_usage(folder).free
    if needed > available:
        raise OpenMMException(
            f"{count} samples need {tqdm.format_sizeof(needed, 'B')} of disk space and {folder} has "
            f"{tqdm.format_sizeof(available, 'B')}: name an output on another disk, or fewer samples."
        )
