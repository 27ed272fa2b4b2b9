"""OPENMM_CPU_THREADS sets the number of threads, as it does for OpenMM's CPU platform, unless a property does."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
import openmm
import openmmflow

def count_threads():
    return len(os.listdir("/proc/self/task"))

system = openmm.XmlSerializer.deserialize(open("system.xml").read())
flow = openmmflow.Flow.load("flow.safetensors")
potential = openmmflow.BatchedPotential(system, "CPU")
contexts = openmmflow.BatchedPotential(system, None, {"Implementation": "contexts"})
before = count_threads()
integrator = openmmflow.BatchedLangevinMiddleIntegrator(system, potential, [300.0], 1.0, 0.001)
print(
    openmmflow.FlowContext(flow, "CPU").getProperties()["Threads"],
    potential.getDescription().split(", ")[-1],
    contexts.getDescription().split()[-2],
    count_threads() - before,
    openmmflow.FlowContext(flow, "CPU", {"Threads": 2}).getProperties()["Threads"],
)
"""


@pytest.mark.parametrize("threads", ["3", "0"])
def test_environment(files, threads):
    environment = os.environ | {"OPENMM_CPU_THREADS": threads}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=files, env=environment, capture_output=True, text=True, check=True
    )
    # OpenMM takes 0 for all processors.
    expected = threads if threads != "0" else str(len(os.sched_getaffinity(0)))
    assert process.stdout.split() == [*4 * [expected], "2"]
