"""Boltzmann generators inside OpenMM: flows that propose molecules with their density."""

from openmmflow.version import __version__, openmm_minor_version, require_openmm

# Before anything is loaded: a library of another OpenMM may crash instead of saying what is wrong.
require_openmm()

from openmmflow.openmmflow import (  # noqa: E402
    AnnealingSchedule,
    AugmentedParticles,
    BatchedHMCIntegrator,
    BatchedLangevinMiddleIntegrator,
    BatchedPotential,
    BoltzmannGeneratorForce,
    Flow,
    FlowBuilder,
    FlowContext,
    FlowMoveStatistics,
    FlowSampler,
    MonteCarloFlowMove,
    ReplicaExchange,
    WeightedEnsemble,
    createAugmentedCouplingFlow,
    createEquivariantCouplingFlow,
    createInternalFlow,
)
from openmmflow.plugins import load_plugins  # noqa: E402
from openmmflow.reporters import FlowMoveReporter  # noqa: E402

load_plugins()

__all__ = [
    "AnnealingSchedule",
    "AugmentedParticles",
    "BatchedHMCIntegrator",
    "BatchedLangevinMiddleIntegrator",
    "BatchedPotential",
    "BoltzmannGeneratorForce",
    "Flow",
    "FlowBuilder",
    "FlowContext",
    "FlowMoveReporter",
    "FlowMoveStatistics",
    "FlowSampler",
    "MonteCarloFlowMove",
    "ReplicaExchange",
    "WeightedEnsemble",
    "__version__",
    "createAugmentedCouplingFlow",
    "createEquivariantCouplingFlow",
    "createInternalFlow",
    "openmm_minor_version",
]
