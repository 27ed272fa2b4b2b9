"""From the flow to the force field with OpenMM's own integrators: a CustomIntegrator over force groups.

    python anneal.py [--trajectories N] [--steps N] [--platform NAME]

Every trajectory starts from a sample of the flow and ends with the force field alone acting; in between the potential
energy is (1 - lambda) U_flow + lambda U. Jarzynski's equality then gives log Z from the work W,

    Z = <exp(-W/kT)>,

as reweighting does, which is the same with one step, whose work is all that there is, and no time in it.
"""

import argparse

import numpy as np
import openmm
from openmm import unit

import openmmflow
from dipeptide import TEMPERATURE, count, load

FLOW_GROUP = 1
KT = (unit.MOLAR_GAS_CONSTANT_R * TEMPERATURE * unit.kelvin).value_in_unit(unit.kilojoule_per_mole)


def make_integrator(steps, step_size=0.0005, friction=1.0):
    """Return a LangevinMiddle integrator (ps, 1/ps) that takes lambda from 0 to 1 and adds up the work in kJ/mol."""
    integrator = openmm.CustomIntegrator(step_size)
    integrator.addGlobalVariable("lambda", 0)
    integrator.addGlobalVariable("work", 0)
    integrator.addGlobalVariable("a", np.exp(-friction * step_size))
    integrator.addGlobalVariable("b", np.sqrt(1 - np.exp(-2 * friction * step_size)))
    integrator.addGlobalVariable("kT", KT)
    integrator.addUpdateContextState()
    # A computation sees one force group.
    integrator.addComputeGlobal("work", f"work + energy0/{steps}")
    integrator.addComputeGlobal("work", f"work - energy{FLOW_GROUP}/{steps}")
    integrator.addComputeGlobal("lambda", f"lambda + 1/{steps}")
    integrator.addComputePerDof("v", "v + dt*lambda*f0/m")
    integrator.addComputePerDof("v", f"v + dt*(1-lambda)*f{FLOW_GROUP}/m")
    integrator.addComputePerDof("x", "x + 0.5*dt*v")
    integrator.addComputePerDof("v", "a*v + b*sqrt(kT/m)*gaussian")
    integrator.addComputePerDof("x", "x + 0.5*dt*v")
    return integrator


def average_exponential(logarithms):
    """Return log of the mean of exponentials, its standard error, and the effective fraction of them."""
    weights = np.exp(logarithms - logarithms.max())
    error = weights.std(ddof=1) / weights.mean() / np.sqrt(len(weights))
    value = logarithms.max() + np.log(weights.mean())
    return value, error, weights.sum() ** 2 / np.sum(weights**2) / len(weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trajectories", type=count, default=200)
    parser.add_argument("--steps", type=count, default=100)
    parser.add_argument("--platform", default="Reference", help="OpenMM platform (default: Reference)")
    arguments = parser.parse_args()
    if arguments.trajectories < 2:
        parser.error("--trajectories must be 2 or more, for an error")

    system, _, flow = load("obc1")
    reweighted = openmmflow.FlowSampler(system, flow, TEMPERATURE * unit.kelvin).sample(20_000)
    force = openmmflow.BoltzmannGeneratorForce(flow, range(22), TEMPERATURE * unit.kelvin)
    force.setForceGroup(FLOW_GROUP)
    system.addForce(force)

    integrator = make_integrator(arguments.steps)
    platform = openmm.Platform.getPlatform(arguments.platform)
    context = openmm.Context(system, integrator, platform)
    positions, log_q = openmmflow.FlowContext(flow).sample(arguments.trajectories, seed=1)
    work = np.full(arguments.trajectories, np.inf)
    # Off the support of the flow the work is infinite.
    for k in np.flatnonzero(np.isfinite(log_q)):
        context.setPositions(positions[k])
        context.setVelocitiesToTemperature(TEMPERATURE * unit.kelvin, int(k))
        integrator.setGlobalVariableByName("lambda", 0)
        integrator.setGlobalVariableByName("work", 0)
        integrator.step(arguments.steps)
        work[k] = integrator.getGlobalVariableByName("work")
    value, error, effective = average_exponential(-work / KT)
    print(f"annealed:   log Z = {value:.3f} +- {error:.3f}, effective samples {100 * effective:.1f} %")
    value, error = reweighted.log_partition_function
    effective = reweighted.effective_sample_fraction
    print(f"reweighted: log Z = {value:.3f} +- {error:.3f}, effective samples {100 * effective:.1f} %")


if __name__ == "__main__":
    main()
