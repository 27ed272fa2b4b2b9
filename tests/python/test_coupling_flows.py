"""Coupling flows from Python: shapes, units, densities, sampler, Force, moves, XML."""

import json

import numpy as np
import openmm
import pytest
from openmm import unit

import openmmflow

TEMPERATURE = 300 * unit.kelvin


CREATE = {
    "equivariant-coupling": lambda **options: openmmflow.createEquivariantCouplingFlow(
        transform="cartesian-spline", features=8, **options
    ),
    "augmented-coupling": lambda **options: openmmflow.createAugmentedCouplingFlow(
        transform="spline", attention_heads=2, key_size=4, **options
    ),
}


@pytest.fixture(params=CREATE)
def flow(request):
    flow = CREATE[request.param](
        types=[0, 0, 1, 0],
        layers=2,
        blocks=2,
        hidden=8,
        head_hidden=8,
        augmented_scale=1 * unit.angstrom,
        base_scale=0.3,
        length_unit=0.3 * unit.nanometer,
    )
    assert flow.family == request.param
    return flow


def springs(count, width=0.3):
    """Return a System of particles that all pairs of springs tie to each other: a Gaussian of this width."""
    system = openmm.System()
    force = openmm.HarmonicBondForce()
    k = unit.MOLAR_GAS_CONSTANT_R * TEMPERATURE / (count * width**2)
    for i in range(count):
        system.addParticle(10)
        for j in range(i):
            force.addBond(i, j, 0, k.value_in_unit(unit.kilojoule_per_mole))
    system.addForce(force)
    return system


def test_joint_and_marginal_densities(flow):
    context = openmmflow.FlowContext(flow, "Reference")
    joint, log_joint = context.sampleJoint(20, seed=3, first=4)
    positions, log_q = context.sample(20, seed=3, first=4)
    assert joint.shape == (20, 8, 3) and log_joint.shape == (20,)
    np.testing.assert_array_equal(joint[:, :4], positions)
    np.testing.assert_allclose(context.jointLogDensity(joint * unit.nanometer), log_joint, atol=1e-9)
    scale = 0.1
    log_conditional = -0.5 * ((joint[:, 4:] - positions) ** 2).sum(axis=(1, 2)) / scale**2 - 12 * np.log(
        np.sqrt(2 * np.pi) * scale
    )
    np.testing.assert_allclose(log_q, log_joint - log_conditional, atol=1e-9)
    assert context.jointLogDensityGradient(joint).shape == (20, 8, 3)
    estimate = context.logDensity(positions, draws=5, seed=2)
    assert estimate.shape == (20,)
    assert context.logDensityGradient(positions, draws=5, seed=2).shape == (20, 4, 3)
    # The base ties a as pi(a|x) does, so that an untrained flow's estimate is exact whatever the draws.
    np.testing.assert_allclose(context.logDensity(positions, seed=9), estimate, atol=1e-6)


def test_draws_do_not_depend_on_blocks(flow, monkeypatch):
    context = openmmflow.FlowContext(flow, "Reference")
    positions, _ = context.sample(20, seed=1)
    whole = context.logDensity(positions, draws=2, seed=1)
    monkeypatch.setattr("openmmflow.blocks.BLOCK", 7)
    np.testing.assert_array_equal(context.logDensity(positions, draws=2, seed=1), whole)


def test_sampler_finds_a_known_partition_function(flow):
    sampler = openmmflow.FlowSampler(springs(4, 0.25), flow, TEMPERATURE)
    ensemble = sampler.sample(4000, seed=1)
    value, error = ensemble.log_partition_function
    assert error < 0.05
    assert abs(value - 9 * np.log(np.sqrt(2 * np.pi) * 0.25)) < 3 * error
    with pytest.raises(openmm.OpenMMException, match="augmented"):
        sampler.reweight(ensemble.positions)


def test_force_moves_and_xml(flow):
    system = springs(4)
    particles = list(range(4))
    particles += openmmflow.AugmentedParticles.addTo(system, flow, particles, TEMPERATURE, 5 * unit.dalton)
    assert particles == list(range(8)) and system.getParticleMass(7) == 5 * unit.dalton
    system.addForce(openmmflow.BoltzmannGeneratorForce(flow, particles, TEMPERATURE))
    move = openmmflow.MonteCarloFlowMove(flow, TEMPERATURE, frequency=10, particles=[0, 1, 2, 3])
    system.addForce(move)
    system = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system))
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, 1, 0.002)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference"))
    context.setParameter(openmmflow.BoltzmannGeneratorForce.Scale(), 0)
    positions = openmmflow.FlowContext(flow, "Reference").sample(1, seed=2)[0][0]
    augmented = openmmflow.AugmentedParticles.drawPositions(flow, positions, seed=1)
    assert augmented.shape == (4, 3)
    context.setPositions(np.concatenate([positions, augmented]))
    integrator.step(200)
    statistics = openmmflow.MonteCarloFlowMove.cast(system.getForce(3)).getStatistics(context)
    assert statistics.getNumAttempts() == 20
    context.setParameter(openmmflow.BoltzmannGeneratorForce.Scale(), 1)
    integrator.step(10)


def test_minima_of_functions_are_those_asked_for():
    for create in CREATE.values():
        default, flatter = (
            create(types=[0, 0, 0]),
            create(types=[0, 0, 0], min_bin_fraction=1e-2, min_derivative=5e-2),
        )
        for flow, minima in ((default, (1e-4, 1e-4)), (flatter, (1e-2, 5e-2))):
            entries = json.loads(flow.configuration)
            assert (entries["min_bin_fraction"], entries["min_derivative"]) == minima


def test_bad_arguments_are_explained(flow):
    with pytest.raises(openmm.OpenMMException, match="no transform"):
        openmmflow.createEquivariantCouplingFlow([0, 0, 0], transform="cubic")
    with pytest.raises(openmm.OpenMMException, match="choose affine or spline"):
        openmmflow.createAugmentedCouplingFlow([0, 0, 0], transform="cubic")
    with pytest.raises(openmm.OpenMMException, match="number of attention heads"):
        openmmflow.createAugmentedCouplingFlow([0, 0, 0], attention_heads=0)
    with pytest.raises(openmm.OpenMMException, match="kelvin"):
        openmmflow.createEquivariantCouplingFlow([0, 0, 0], base_scale=1 * unit.kelvin)
    with pytest.raises(openmm.OpenMMException, match="minimum bin fraction must be at least 1e-6"):
        openmmflow.createEquivariantCouplingFlow([0, 0, 0], bins=8, min_bin_fraction=0.2)
    with pytest.raises(openmm.OpenMMException, match="minimum derivative must lie in"):
        openmmflow.createAugmentedCouplingFlow([0, 0, 0], min_derivative=0)
    with pytest.raises(
        openmm.OpenMMException, match="least slope must be in dimensionless or a multiple, not in nanometer"
    ):
        openmmflow.createEquivariantCouplingFlow([0, 0, 0], min_derivative=1 * unit.nanometer)
    for bonds in ([0, 1, 2], [(0, 1, 2), (1, 2, 0)]):
        with pytest.raises(openmm.OpenMMException, match=r"bonds have shape .* \(count, 2\) is needed"):
            openmmflow.createEquivariantCouplingFlow([0, 0, 0], bonds=bonds)
    for types in ([0.5, 1.7, 0], ["a", "b", "c"]):
        with pytest.raises(openmm.OpenMMException, match="types are of type .* whole numbers"):
            openmmflow.createEquivariantCouplingFlow(types)
    with pytest.raises(openmm.OpenMMException, match="reflections must be True or False"):
        openmmflow.createEquivariantCouplingFlow([0, 0, 0], reflections="no")
    with pytest.raises(openmm.OpenMMException, match="span no frame"):
        openmmflow.createEquivariantCouplingFlow([0, 0])


def test_a_flow_in_two_dimensions_needs_an_energy_without_z():
    """Else its weights would be those of a slice, as good as they look."""
    flow = openmmflow.createEquivariantCouplingFlow([0, 0, 0], dimensions=2, base_scale=0.2)
    system = openmm.System()
    for _ in range(3):
        system.addParticle(1)
    springs = openmm.HarmonicBondForce()
    for i, j in ((0, 1), (1, 2), (0, 2)):
        springs.addBond(i, j, 0, 20)
    system.addForce(springs)
    with pytest.raises(openmm.OpenMMException, match="along z"):
        openmmflow.FlowSampler(system, flow, 300).sample(100)
