#!/usr/bin/env python
"""Run `openmm-flow train`, kill it (SIGKILL) at random moments and run it again, as often as asked, and let it end.

    python killed_runs.py 20 --config train.yaml

Each run is a fork of this process, so that it need not load Torch first.
"""

import os
import signal
import sys
import time

import numpy as np

import openmmflow.training  # noqa: F401
from openmmflow.commands import main


def start(arguments):
    """Return the process of a run."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        main(["train", *arguments])
    return child


def run_and_kill(kills, arguments):
    random = np.random.default_rng(1)
    for kill in range(kills):
        child = start(arguments)
        time.sleep(random.uniform(0, 0.4))
        os.kill(child, signal.SIGKILL)
        if os.waitpid(child, 0)[1] != signal.SIGKILL:
            sys.exit(f"The run had ended before kill {kill + 1}.")
    if os.waitpid(start(arguments), 0)[1] != 0:
        sys.exit("The last run failed.")


if __name__ == "__main__":
    run_and_kill(int(sys.argv[1]), sys.argv[2:])
