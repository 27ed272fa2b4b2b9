"""`openmm-flow simulate`."""

import click

from openmmflow.commands.options import (
    EXISTING_FILE,
    check_output,
    output_option,
    platform_options,
    refuse_to_overwrite,
    seed_option,
    temperature_option,
)


@click.command()
@click.argument("system", type=EXISTING_FILE)
@click.argument("pdb", type=EXISTING_FILE)
@temperature_option()
@click.option(
    "-n",
    "--frames",
    type=click.IntRange(min=1),
    default=10000,
    show_default=True,
    help="Frames to keep at the temperature, all ladders together.",
)
@output_option(
    "reference.dcd", "The trajectory to write: .dcd or, with energies, .h5. An existing one is replaced."
)
@click.option(
    "--max-temperature",
    type=click.FloatRange(min=0, min_open=True),
    help="The highest temperature of a ladder, in kelvin; that of -T for dynamics without exchange. "
    "[default: 3 times that of -T]",
)
@click.option(
    "--num-temperatures",
    type=click.IntRange(min=2),
    help="Temperatures of a ladder, with equal ratios. [default: so many that about a third of the exchanges "
    "are accepted]",
)
@click.option(
    "--ladders",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Independent ladders, simulated at once; each equilibrates anew.",
)
@click.option(
    "--method",
    type=click.Choice(["langevin", "hmc"]),
    default="langevin",
    show_default=True,
    help="Langevin dynamics, or Hamiltonian Monte Carlo, which has no error of the time step.",
)
@click.option(
    "--time-step",
    type=click.FloatRange(min=0, min_open=True),
    default=1.5,
    show_default=True,
    help="In femtoseconds. HMC only starts from it, and finds its own.",
)
@click.option(
    "--friction",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of Langevin dynamics, in 1/ps.",
)
@click.option(
    "--hydrogen-mass",
    type=click.FloatRange(min=1),
    default=4.0,
    show_default=True,
    help="Mass of hydrogens, in dalton. It does not change the ensemble, and slow hydrogens allow long steps.",
)
@click.option(
    "--interval",
    type=click.IntRange(min=1),
    help="Steps between exchanges, and between frames; with HMC, proposals. [default: 100; with HMC, 5]",
)
@click.option(
    "--steps-per-proposal",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Time steps of an HMC proposal.",
)
@click.option(
    "--equilibration",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Exchanges of each ladder before the first frame.",
)
@seed_option
@platform_options
def simulate(system, pdb, temperature, output, **options):
    """Make a reference ensemble of the molecule in SYSTEM by dynamics.

    SYSTEM is an OpenMM System in XML without constraints, PDB a file (or mmCIF) of the same molecule, from whose
    positions all replicas start after the energy has been minimised.

    Replicas at rising temperatures exchange with their neighbours, so that barriers which stop the molecule at
    its own temperature are crossed at the higher ones. Judge by the round trips of replicas between the lowest
    and the highest temperature: a few for each ladder at least. High temperatures also cross barriers that you
    may want to keep, such as that of a cis peptide bond: add walls to the System, or a lower --max-temperature.

    Beside the trajectory, a file of the same name in YAML says how it was made: acceptance of exchanges, round
    trips, average energies with errors. Frames are ordered ladder after ladder.

    Ctrl-C writes what was done and keeps the state of all replicas beside the output: the same command goes on
    from there, as it does after a crash, which loses a minute.
    """
    from openmmflow.commands.inputs import load_system, load_topology
    from openmmflow.commands.simulation import run_simulation
    from openmmflow.commands.simulation_files import statistics_path

    check_output(output)
    for path in (output, statistics_path(output)):
        refuse_to_overwrite(path, (system, pdb))
    summary = run_simulation(load_system(system), *load_topology(pdb), temperature, output, **options)
    for line in summary:
        click.echo(line)
    click.echo(f"written: {output}")
