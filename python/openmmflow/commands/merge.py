"""`openmm-flow merge`."""

import os
from itertools import combinations

import click

from openmmflow.commands.options import EXISTING_FILE, output_option


@click.command()
@click.argument("ensembles", type=EXISTING_FILE, nargs=-1, required=True)
@output_option(required=True)
def merge(ensembles, output):
    """Join ENSEMBLES of one flow, System and temperature into one.

    ENSEMBLES are two or more files that `sample`, `anneal` or `reweight` wrote: with other seeds, on several
    machines, or of a run that was interrupted and its rest (--first). Annealed ones must have been annealed by
    one schedule (--schedule). More samples mean smaller errors. The same samples are never counted twice:
    ensembles with samples in common are refused.
    """
    if len(ensembles) < 2:
        raise click.UsageError("There is nothing to join: name two ensembles or more.")
    for first, second in combinations(ensembles, 2):
        if os.path.samefile(first, second):
            raise click.UsageError(f"{second} is named twice: name each ensemble once.")
    import openmmflow
    from openmmflow.commands.ensembles import check_ensemble_output, require_disk_space, show_ensemble

    check_ensemble_output(output, ensembles)
    merged = openmmflow.WeightedEnsemble.merge(map(openmmflow.WeightedEnsemble.load, ensembles))
    require_disk_space(output, len(merged), merged.getNumParticles())
    merged.save(output)
    show_ensemble(merged)
    click.echo(f"written: {output}")
