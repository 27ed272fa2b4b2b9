"""BatchedPotential against OpenMM's Reference platform, over every Force and option that is translated."""

import numpy as np
import openmm
import pytest
from openmm import unit
from potential_systems import (
    FORCE_FIELDS,
    FORCES,
    OPTIONS,
    WATERS,
    make_from_force_field,
    make_particles,
    make_positions,
    make_random,
    make_random_with_site,
    make_water,
    reference,
)

import openmmflow

DOUBLE = {"Precision": "double", "Threads": "1"}
SINGLE = {"Precision": "single", "Threads": "1"}


def check(system, positions):
    """Agreement to 1e-9 (double, on both platforms) and 2e-6 (single) of the sum of the sizes of all terms, and of the largest
    force (single: 2e-5, since a force is a difference too). Terms whose energies cross zero count by their slope."""
    energies, forces, sizes = reference(system, positions)
    largest = np.abs(forces).max(axis=(1, 2))
    for platform, properties, tolerance, force_tolerance in (
        ("Reference", {}, 1e-9, 1e-9),
        ("CPU", DOUBLE, 1e-9, 1e-9),
        ("CPU", SINGLE, 2e-6, 2e-5),
    ):
        potential = openmmflow.BatchedPotential(system, platform, properties)
        assert potential.getImplementation() == "batched"
        batched_energies, batched_forces = potential.energiesAndForces(positions)
        assert (np.abs(batched_energies - energies) < tolerance * sizes).all(), (platform, properties)
        errors = np.abs(batched_forces - forces).max(axis=(1, 2))
        assert (errors < force_tolerance * largest).all(), (platform, properties)
        again = potential.energies(positions)
        assert (np.abs(again - batched_energies) < tolerance * sizes).all(), (platform, properties)


@pytest.fixture(scope="module")
def shaken(dipeptide):
    start = dipeptide[2].value_in_unit(unit.nanometer)
    return start + np.random.default_rng(3).normal(scale=0.01, size=(11, *start.shape))


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_force_fields(name, dipeptide, shaken):
    check(make_from_force_field(dipeptide[1], FORCE_FIELDS[name]), shaken)


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name, dipeptide, shaken):
    files, options = OPTIONS[name]
    check(make_from_force_field(dipeptide[1], files, **options), shaken)


@pytest.mark.parametrize("make", FORCES)
def test_forces(make):
    n = 9
    system = make_particles(n)
    for force in make(n):
        system.addForce(force)
    check(system, make_positions(n, 19, np.random.default_rng(8)))


@pytest.mark.parametrize("block", range(10))
def test_random_systems(block):
    for seed in range(20 * block, 20 * block + 20):
        check(*make_random(seed))


@pytest.mark.parametrize("name", WATERS)
def test_water_with_virtual_sites(name):
    check(*make_water(WATERS[name], 11, np.random.default_rng(6)))


@pytest.mark.parametrize("seed", range(40))
def test_random_systems_with_a_virtual_site(seed):
    check(*make_random_with_site(seed))


@pytest.mark.parametrize("implementation", ["batched", "contexts"])
def test_global_parameters_and_force_groups(implementation):
    n = 8
    system = make_particles(n)
    by_name = {make.__name__: make for make in FORCES}
    for group, name in enumerate(("nonbonded_offsets", "custom_bond", "custom_nonbonded")):
        for force in by_name[name](n):
            force.setForceGroup(group)
            system.addForce(force)
    positions = make_positions(n, 5, np.random.default_rng(4))
    potential = openmmflow.BatchedPotential(system, "Reference", {"Implementation": implementation})
    assert dict(potential.getParameters()) == {"lambda": 0.6, "scale": 1.3, "coupling": 20.0}
    values = {"lambda": 0.1, "scale": -0.4, "coupling": 3.0}
    for name, value in values.items():
        potential.setParameter(name, value)
    np.testing.assert_allclose(
        potential.energies(positions), reference(system, positions, parameters=values)[0], rtol=1e-9
    )
    potential.setForceGroups(0b101)
    expected = reference(system, positions, groups={0, 2}, parameters=values)[0]
    np.testing.assert_allclose(potential.energies(positions), expected, rtol=1e-9)
    with pytest.raises(openmm.OpenMMException, match="'size'; there are: coupling, lambda, scale"):
        potential.setParameter("size", 1)


def test_forces_that_have_no_translation_are_named(capfd):
    n = 6
    system = make_particles(n)
    centroid = openmm.CustomCentroidBondForce(2, "distance(g1,g2)")
    centroid.addGroup([0, 1])
    centroid.addGroup([2, 3])
    centroid.addBond([0, 1], [])
    system.addForce(centroid)
    potential = openmmflow.BatchedPotential(system)
    assert potential.getImplementation() == "contexts: CustomCentroidBondForce"
    assert "because of CustomCentroidBondForce." in capfd.readouterr().err
    positions = make_positions(n, 5, np.random.default_rng(4))
    np.testing.assert_allclose(potential.energies(positions), reference(system, positions)[0], rtol=1e-5)


def test_linear_angles_and_overlaps_spoil_only_their_own_sample(dipeptide, shaken):
    system = make_from_force_field(dipeptide[1], FORCE_FIELDS["ff96, OBC1"])
    for properties in (DOUBLE, SINGLE):
        potential = openmmflow.BatchedPotential(system, "CPU", properties)
        energies, forces = potential.energiesAndForces(shaken)
        bad = shaken.copy()
        bad[2, 5] = bad[2, 9]
        bad[3, 4] = 0.5 * (bad[3, 1] + bad[3, 6])
        bad[7, 0, 1] = np.nan
        bad_energies, bad_forces = potential.energiesAndForces(bad)
        good = [k for k in range(len(bad)) if k not in (2, 3, 7)]
        np.testing.assert_array_equal(bad_energies[good], energies[good])
        np.testing.assert_array_equal(bad_forces[good], forces[good])
        assert (
            not np.isfinite(bad_energies[2]) and np.isnan(bad_energies[7]) and np.isnan(bad_forces[7]).all()
        )
        assert np.isfinite(bad_energies[3]) and np.isfinite(bad_forces[3]).all()


def test_single_precision_of_alanine_dipeptide(dipeptide):
    """At 300 K: 3e-4 kT r.m.s., 2e-3 kT at most."""
    kT = 2.494
    for name in ("ff96", "ff96, OBC1", "ff96, GBSAOBCForce", "ff14SB, GBn2"):
        system = make_from_force_field(dipeptide[1], FORCE_FIELDS[name])
        integrator = openmm.LangevinMiddleIntegrator(300, 10, 0.001)
        integrator.setRandomNumberSeed(5)
        context = openmm.Context(system, integrator, openmm.Platform.getPlatform("CPU"), {"Threads": "1"})
        context.setPositions(dipeptide[2])
        context.setVelocitiesToTemperature(300, 6)
        positions = []
        for _ in range(100):
            integrator.step(20)
            positions.append(context.getState(positions=True).getPositions(asNumpy=True)._value)
        positions = np.array(positions)
        errors = openmmflow.BatchedPotential(system, "CPU", SINGLE).energies(positions) - (
            openmmflow.BatchedPotential(system, "Reference").energies(positions)
        )
        assert np.sqrt(np.mean(errors**2)) < 3e-4 * kT
        assert np.abs(errors).max() < 2e-3 * kT


def test_expressions_that_jump_at_a_round_number():
    """The test at start-up must not place particles just there, where round-off decides."""
    for expression in ("50*max(0, 0.3-r)", "select(r-0.3, r, 2)", "abs(r-0.3)"):
        system = make_particles(4)
        force = openmm.CustomNonbondedForce(expression)
        for _ in range(4):
            force.addParticle([])
        system.addForce(force)
        for options in (DOUBLE, SINGLE):
            assert openmmflow.BatchedPotential(system, "CPU", options).getImplementation() == "batched"


def test_spheres_in_one_place():
    """As OpenMM has it, a sphere that holds another is not descreened by it."""
    system = make_particles(2)
    force = openmm.GBSAOBCForce()
    for _ in range(2):
        force.addParticle(0.3, 0.15, 0.8)
    system.addForce(force)
    positions = np.zeros((1, 2, 3))
    with np.errstate(divide="ignore"):
        expected = reference(system, positions)[0]
    for platform, options, tolerance in (
        ("Reference", {}, 1e-12),
        ("CPU", DOUBLE, 1e-12),
        ("CPU", SINGLE, 1e-6),
    ):
        energies, forces = openmmflow.BatchedPotential(system, platform, options).energiesAndForces(positions)
        np.testing.assert_allclose(energies, expected, rtol=tolerance)
        np.testing.assert_array_equal(forces, 0)


def test_double_precision_is_kept_by_contexts():
    system = make_particles(4)
    system.addForce(openmm.CustomCentroidBondForce(1, "x1"))
    potential = openmmflow.BatchedPotential(system, None, {"Precision": "double", "Threads": "1"})
    assert potential.getDescription() == "contexts: Reference, 1 thread"
