"""`openmm-flow report`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    count_option,
    platform_options,
    platform_properties,
    seed_option,
    temperature_option,
)


@click.command()
@click.argument("files", metavar="ENSEMBLE | FLOW...", type=EXISTING_FILE, nargs=-1, required=True)
@click.option("--topology", type=EXISTING_FILE, required=True, help="PDB or mmCIF file of the molecule.")
@click.option(
    "--reference",
    type=EXISTING_FILE,
    help="Reference data to compare with: a converged trajectory, or the summary (.json) of one.",
)
@click.option(
    "--states",
    type=EXISTING_FILE,
    help="YAML list of states, each with a name and ranges of torsions in degrees; the first that fits "
    "counts. "
    "[default: the Ramachandran regions]",
)
@click.option(
    "--compare",
    is_flag=True,
    help="Compare flows, whose files are named in place of an ensemble: draw from each, for --system and -T.",
)
@click.option("--system", type=EXISTING_FILE, help="With --compare: the System that the flows are for.")
@temperature_option(required=False)
@count_option(100_000, "With --compare: how many proposals of each flow.")
@seed_option
@platform_options
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    default="report",
    show_default=True,
    help="The folder to write.",
)
def report(
    files,
    topology,
    reference,
    states,
    compare,
    system,
    temperature,
    count,
    seed,
    platform,
    precision,
    threads,
    output,
):
    """Turn ENSEMBLE, made by `sample`, `anneal` or `reweight`, into one self-contained page.

    It shows Ramachandran plots (or the free torsions), energies and weights of the proposals and of the
    reweighted ensemble, with a table of diagnostics. Give reference data whenever you have it: nothing
    computed from the proposals alone can tell that a whole conformation is missing.

    With --compare, several FLOWs for one System are compared instead: effective samples and Pareto k of ever more
    proposals, log Z and bounds on it, distances to the reference, free energies of states, and what training took.
    """
    import openmmflow
    from openmmflow.commands.inputs import load_topology
    from openmmflow.commands.trajectories import load_positions
    from openmmflow.report import write_report
    from openmmflow.report.states import load_states

    common = {
        "reference": reference,
        "states": load_states(states) if states else None,
        "load_positions": lambda path: load_positions(path, topology),
    }
    molecule = load_topology(topology)[0]
    if compare:
        page = _compare(
            files, system, temperature, count, seed, platform, precision, threads, molecule, output, common
        )
    else:
        if len(files) > 1:
            raise click.UsageError("Name one ensemble, or compare flows with --compare.")
        if any(option is not None for option in (system, temperature, platform, precision, threads)):
            raise click.UsageError("A System, a temperature and a platform are for --compare.")
        page = write_report(openmmflow.WeightedEnsemble.load(files[0]), molecule, output, **common)
    click.echo(f"written: {page}")


def _compare(files, system, temperature, count, seed, platform, precision, threads, topology, output, common):
    """Write the page that compares flows, show its table, and return its path."""
    import openmmflow
    from openmmflow.commands.inputs import load_system
    from openmmflow.commands.progress import progress_bar
    from openmmflow.printable import printable
    from openmmflow.report.comparison import write_comparison

    if system is None or temperature is None:
        raise click.UsageError("To compare flows, name the System with --system and the temperature with -T.")
    if len(set(files)) < len(files):
        raise click.UsageError("A flow is named twice.")
    with progress_bar() as progress:
        total = count * len(files)
        page, rows = write_comparison(
            load_system(system),
            {file: openmmflow.Flow.load(file) for file in files},
            temperature,
            topology,
            output,
            count,
            seed,
            platform=platform,
            properties=platform_properties(Precision=precision, Threads=threads),
            progress=lambda name, done: progress(files.index(name) * count + done, total),
            **common,
        )
    for index, file in enumerate(files):
        click.echo(printable(file))
        for row in rows:
            if row["values"][index]:
                click.echo(printable(f"  {row['name']:26s}{row['values'][index]}"))
    return page
