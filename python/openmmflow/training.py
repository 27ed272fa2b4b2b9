"""Training of flows on LibTorch, from the package openmm-flow-training."""

try:
    from openmmflow_training import FlowTrainer, FlowTrainerOptions, FlowTrainerProgress, ProcessGroup
except ModuleNotFoundError as error:
    if error.name != "openmmflow_training":
        raise
    from openmmflow.version import __version__

    raise ModuleNotFoundError(
        f"Training needs a second package: pip install openmm-flow-training=={__version__}", name=error.name
    ) from None

__all__ = ["FlowTrainer", "FlowTrainerOptions", "FlowTrainerProgress", "ProcessGroup"]
