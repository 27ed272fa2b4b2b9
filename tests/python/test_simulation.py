"""Forces of openmm-flow in Systems, Contexts and Simulations."""

import numpy as np
import openmm
import peroxide
import pytest
from openmm import unit

import openmmflow


def test_boltzmann_generator_force(flow):
    system = openmm.System()
    for mass in (1, 16, 16, 1, 40):
        system.addParticle(mass)
    force = openmmflow.BoltzmannGeneratorForce(flow, [3, 2, 1, 0], peroxide.TEMPERATURE * unit.kelvin)
    force.setForceGroup(2)
    assert force.getParticles() == (3, 2, 1, 0) and force.getTemperature() == peroxide.TEMPERATURE
    force.setDefaultScale(0.5)
    force.setScaleParameterName("lambda")
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
    assert dict(context.getParameters()) == {"lambda": 0.5}
    positions, log_q = openmmflow.FlowContext(flow, "Reference").sample(1, seed=3)
    context.setPositions(np.concatenate([positions[0, ::-1], [[1, 1, 1]]]))
    state = context.getState(energy=True, forces=True, parameterDerivatives=True, groups={2})
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert energy == pytest.approx(-0.5 * peroxide.KT * log_q[0], rel=1e-6)
    assert state.getEnergyParameterDerivatives()["lambda"] == pytest.approx(2 * energy, rel=1e-6)
    gradient = openmmflow.FlowContext(flow, "Reference").logDensityGradient(positions)[0]
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    np.testing.assert_allclose(forces[3::-1], 0.5 * peroxide.KT * gradient, rtol=1e-5, atol=1e-3)
    assert (forces[4] == 0).all()
    assert openmmflow.BoltzmannGeneratorForce.cast(system.getForce(0)).getScaleParameterName() == "lambda"
    assert openmmflow.BoltzmannGeneratorForce.Scale() == "BoltzmannGeneratorScale"
