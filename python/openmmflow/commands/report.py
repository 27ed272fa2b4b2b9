"""`openmm-flow report`."""

import click

from openmmflow.commands.options import EXISTING_FILE


@click.command()
@click.argument("ensemble", type=EXISTING_FILE)
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
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    default="report",
    show_default=True,
    help="The folder to write.",
)
def report(ensemble, topology, reference, states, output):
    """Turn ENSEMBLE, made by `sample`, `anneal` or `reweight`, into one self-contained page.

    It shows Ramachandran plots (or the free torsions), energies and weights of the proposals and of the
    reweighted ensemble, with a table of diagnostics. Give reference data whenever you have it: nothing
    computed from the proposals alone can tell that a whole conformation is missing.
    """
    import openmmflow
    from openmmflow.commands.inputs import load_topology
    from openmmflow.commands.trajectories import load_positions
    from openmmflow.report import write_report
    from openmmflow.report.states import load_states

    page = write_report(
        openmmflow.WeightedEnsemble.load(ensemble),
        load_topology(topology)[0],
        output,
        reference,
        load_states(states) if states else None,
        lambda path: load_positions(path, topology),
    )
    click.echo(f"written: {page}")
