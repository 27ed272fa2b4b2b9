"""Training of flows, on LibTorch. Use it as `openmmflow.training`."""

import openmmflow
from openmmflow_training.version import __version__, openmm_minor_version

if __version__ != openmmflow.__version__:
    raise ImportError(
        f"openmm-flow-training {__version__} does not fit openmm-flow {openmmflow.__version__}: "
        f"pip install openmm-flow-training=={openmmflow.__version__}"
    )
if openmm_minor_version != openmmflow.openmm_minor_version:
    raise ImportError(
        f"openmm-flow-training was built against OpenMM {openmm_minor_version}, and openmm-flow against "
        f"{openmmflow.openmm_minor_version}: build both against one."
    )

from openmmflow_training.training import (  # noqa: E402
    FlowTrainer,
    FlowTrainerOptions,
    FlowTrainerProgress,
    ProcessGroup,
)

__all__ = ["FlowTrainer", "FlowTrainerOptions", "FlowTrainerProgress", "ProcessGroup", "__version__"]
