"""Options that several commands have."""

import os
from pathlib import Path

import click
from openmm import OpenMMException

EXISTING_FILE = click.Path(exists=True, dir_okay=False)


def refuse_to_overwrite(output, inputs):
    """Raise OpenMMException if the file to write is one of the files to read."""
    for path in inputs:
        if path is not None and os.path.exists(output) and os.path.samefile(path, output):
            raise OpenMMException(f"The output {output} is also an input: choose another name.")


def check_output(path):
    """Raise OpenMMException if a file cannot be written, before the work that would be lost."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise OpenMMException(
            f"There is no folder {folder} for the output; create it, or name another output."
        )
    if os.path.isdir(path):
        raise OpenMMException(f"The output {path} is a folder; name a file.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OpenMMException(f"The folder {folder} of the output is not writable; name another output.")


def threads_option(default="all"):
    """Return --threads, with words for what happens without it."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        help=f"Processor threads to use. [default: {default}]",
    )


def platform_options(command):
    """Add --platform, --precision and --threads."""
    for option in (
        threads_option("all, or as many as OPENMM_CPU_THREADS says"),
        click.option(
            "--precision",
            type=click.Choice(["single", "double"]),
            help="Precision of the computation, where the platform offers a choice. [default: single]",
        ),
        click.option(
            "--platform", help="The OpenMM platform to compute on, such as CPU. [default: the fastest]"
        ),
    ):
        command = option(command)
    return command


def platform_properties(**properties):
    """Return the platform properties that were given, which are not None."""
    return {name: value for name, value in properties.items() if value is not None}


def temperature_option(required=True):
    """Return -T/--temperature."""
    return click.option(
        "-T",
        "--temperature",
        type=click.FloatRange(min=0, min_open=True),
        required=required,
        help="Temperature of the target ensemble, in kelvin.",
    )


def output_option(default=None, text="The file to write; an existing one is replaced.", required=False):
    """Return -o/--output."""
    # Click takes a default of None for a value, which a required option then has.
    given = {"required": True} if required else {"default": default, "show_default": True}
    return click.option("-o", "--output", type=click.Path(dir_okay=False, writable=True), help=text, **given)


seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random numbers."
)


def count_option(default, text):
    """Return -n/--count."""
    return click.option(
        "-n", "--count", type=click.IntRange(min=1), default=default, show_default=True, help=text
    )


def sample_range_options(count, text="How many samples."):
    """Return -n/--count with a default, --seed and --first."""

    def add(command):
        command = click.option(
            "--first",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Index of the first sample, to share the samples of one seed among machines.",
        )(command)
        return count_option(count, text)(seed_option(command))

    return add


def verify_option(command):
    """Add --verify-energies."""
    return click.option(
        "--verify-energies",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        help="The fraction of the energies to compare with OpenMM itself; 1 takes all of them from OpenMM, which "
        "is slower. The energies come from many molecules at once otherwise, tested against OpenMM beforehand.",
    )(command)


def scheduler_option(command):
    """Add --scheduler."""
    return click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Share the work among the workers of the Dask scheduler at this address, such as tcp://host:8786; --threads "
        "is that of each task then. [default: this process does all of it]",
    )(command)


def make_cluster_work(system, flow, temperature, platform, precision, threads, verify_energies):
    """Return the Work of a cluster as the options ask for."""
    from openmm import XmlSerializer

    from openmmflow.cluster import Work

    if threads is None and platform != "Reference":
        threads = 1
    properties = _sampler_properties(precision, threads, verify_energies)
    return Work(
        flow,
        XmlSerializer.serialize(system),
        temperature,
        platform,
        tuple(properties.items()),
        verify_energies,
    )


def _sampler_properties(precision, threads, verify_energies):
    return platform_properties(
        Precision=precision, Threads=threads, Implementation="contexts" if verify_energies == 1 else None
    )


def make_sampler(system, flow, temperature, platform, precision, threads, verify_energies=0.0):
    """Return a FlowSampler as the options ask for."""
    import openmmflow

    properties = _sampler_properties(precision, threads, verify_energies)
    sampler = openmmflow.FlowSampler(system, flow, temperature, platform, properties)
    sampler.setEnergyVerification(verify_energies)
    return sampler
