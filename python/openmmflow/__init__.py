"""Boltzmann generators inside OpenMM: flows that propose molecules with their density."""

from openmmflow.version import __version__, openmm_minor_version, require_openmm

# Before anything is loaded: a library of another OpenMM may crash instead of saying what is wrong.
require_openmm()

from openmmflow.openmmflow import (  # noqa: E402
    AnnealingSchedule,
    BatchedHMCIntegrator,
    BatchedLangevinMiddleIntegrator,
    BatchedPotential,
    BoltzmannGeneratorForce,
    Flow,
    FlowBuilder,
    FlowContext,
    FlowSampler,
    ReplicaExchange,
    WeightedEnsemble,
    createInternalFlow,
)
from openmmflow.plugins import load_plugins  # noqa: E402

load_plugins()

__all__ = [
    "AnnealingSchedule",
    "BatchedHMCIntegrator",
    "BatchedLangevinMiddleIntegrator",
    "BatchedPotential",
    "BoltzmannGeneratorForce",
    "Flow",
    "FlowBuilder",
    "FlowContext",
    "FlowSampler",
    "ReplicaExchange",
    "WeightedEnsemble",
    "__version__",
    "createInternalFlow",
    "openmm_minor_version",
]
