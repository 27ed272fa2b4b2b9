"""`python -m openmmflow` is the command `openmm-flow`."""

from openmmflow.commands import main

main(prog_name="openmm-flow")
