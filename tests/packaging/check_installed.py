"""Usage: check_installed.py MINOR_VERSION. Checks an installed openmm-flow, run from outside of the source tree.

Its plugins load (with OpenMM alone too), its platforms agree, the command is there, a file goes through it, and a flow
is trained.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import openmm

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))
import peroxide  # noqa: E402

import openmmflow  # noqa: E402
import openmmflow.training  # noqa: E402
from openmmflow.plugins import platforms  # noqa: E402

version = openmm.Platform.getOpenMMVersion()
assert version.split(".")[:2] == sys.argv[1].split("."), version
assert openmmflow.openmm_minor_version == sys.argv[1], openmmflow.openmm_minor_version
bare = "import openmm; print(*openmm.pluginLoadedLibNames)"
loaded = subprocess.run([sys.executable, "-c", bare], check=True, capture_output=True, text=True).stdout
assert "libOpenMMFlowReference.so" in loaded and "libOpenMMFlowCPU.so" in loaded, loaded
failures = [failure for failure in openmm.Platform.getPluginLoadFailures() if "OpenMMFlow" in failure]
assert {"Reference", "CPU"} <= set(platforms()) and not failures, failures

data = peroxide.make_positions(500)
flow = openmmflow.createInternalFlow(
    peroxide.make_topology(), data[0], data, couplings=2, hidden=16, blocks=1
)
reference, cpu = (openmmflow.FlowContext(flow, name).sample(100) for name in ("Reference", "CPU"))
np.testing.assert_allclose(cpu[0], reference[0], atol=1e-4)

blocks = np.arange(500) // 50
with tempfile.TemporaryDirectory() as folder:
    options = openmmflow.training.FlowTrainerOptions(batchSize=64, maxSamples=64 * 20, validationInterval=10)
    flow = openmmflow.training.FlowTrainer(flow, options).train(data, blocks=blocks)
    flow.save(Path(folder, "flow.safetensors"))
    Path(folder, "system.xml").write_text(openmm.XmlSerializer.serialize(peroxide.make_system()))
    command = ["openmm-flow", "sample", "flow.safetensors", "system.xml", "-T", "300", "-n", "2000"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    ensemble = openmmflow.WeightedEnsemble.load(Path(folder, "ensemble.safetensors"))
value, error = ensemble.log_partition_function
assert abs(value - peroxide.log_partition_function()) < 4 * error
print(f"openmm-flow {openmmflow.__version__} with OpenMM {version} in {sys.prefix}: works")
