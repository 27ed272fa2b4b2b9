"""The command line, `openmm-flow`: one module for each command, imported when it is called."""

import importlib
import signal
import threading
import warnings

import click
from openmm import OpenMMException

import openmmflow
from openmmflow.printable import printable

COMMANDS = {
    "anneal": "Draw from a flow that is far from the target, and go there in steps.",
    "info": "Show versions and platforms, or what a file holds.",
    "merge": "Join ensembles into one.",
    "report": "Turn an ensemble into one page of figures and diagnostics.",
    "reweight": "Weight configurations that were drawn from a flow.",
    "sample": "Draw configurations from a flow and weight them.",
    "simulate": "Make a reference ensemble by dynamics.",
    "train": "Train a flow for a molecule.",
}
INTERRUPTED = 130


class Commands(click.Group):
    """Imports a command's module only when it is needed, and turns errors into one sentence."""

    def list_commands(self, context):
        return sorted(COMMANDS)

    def get_command(self, context, name):
        if name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"openmmflow.commands.{name}"), name)

    def format_commands(self, context, formatter):
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, context):
        # What a queue's time limit and a closed terminal send: like Ctrl-C, they leave what was done.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.default_int_handler)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(context)
        except (OpenMMException, OSError) as error:
            raise click.ClickException(printable(str(error), keep="\n")) from error
        except KeyboardInterrupt as interrupt:
            # A command that saved something says what; it is all there is to say.
            click.echo(f"\n{interrupt}" if interrupt.args else "\nInterrupted.", err=True)
            context.exit(INTERRUPTED)


def _show_warning(message, category, filename, lineno, file=None, line=None):
    """Show a warning as its sentence: the line of a library that it came from helps nobody here."""
    click.echo(f"Warning: {printable(str(message))}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(openmmflow.__version__, prog_name="openmm-flow")
def main():
    """Boltzmann generators inside OpenMM.

    A flow proposes whole configurations of a molecule together with their exact probability; weighted against
    the OpenMM energy they become an ensemble at a temperature, without dynamics.
    """
