"""`openmm-flow merge`."""

import os
from itertools import combinations

import click
import numpy as np
from openmm import OpenMMException

from openmmflow.commands.options import EXISTING_FILE, output_option


@click.command()
@click.argument("ensembles", type=EXISTING_FILE, nargs=-1, required=True)
@output_option(required=True)
def merge(ensembles, output):
    """Join ENSEMBLES of one flow, System and temperature into one.

    ENSEMBLES are two or more files that `sample`, `anneal` or `reweight` wrote: with other seeds, on several
    machines, or of a run that was interrupted and its rest (--first). Annealed ones must have been annealed by
    one schedule (--schedule). More samples mean smaller errors. Samples must not be counted twice: ensembles that
    are known to have some in common are refused. What `reweight` wrote does not say which samples it holds, so that
    only copies are noticed there.
    """
    if len(ensembles) < 2:
        raise click.UsageError("There is nothing to join: name two ensembles or more.")
    for first, second in combinations(ensembles, 2):
        if os.path.samefile(first, second):
            raise click.UsageError(f"{second} is named twice: name each ensemble once.")
    import openmmflow
    from openmmflow.commands.ensembles import check_ensemble_output, require_disk_space, show_ensemble

    check_ensemble_output(output, ensembles)
    loaded = [openmmflow.WeightedEnsemble.load(path) for path in ensembles]
    merged = openmmflow.WeightedEnsemble.merge(loaded)
    for (first, one), (second, other) in combinations(zip(ensembles, loaded, strict=True), 2):
        energies = one.reduced_potentials
        if np.isfinite(energies).any() and np.array_equal(energies, other.reduced_potentials):
            raise OpenMMException(f"{first} and {second} hold the same samples: name each ensemble once.")
    require_disk_space(output, len(merged), merged.getNumParticles())
    merged.save(output)
    show_ensemble(merged)
    click.echo(f"written: {output}")
