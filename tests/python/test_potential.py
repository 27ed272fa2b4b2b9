"""BatchedPotential against Contexts."""

import numpy as np
import openmm
import pytest
from openmm import unit

import openmmflow


@pytest.fixture(scope="module")
def potential(dipeptide):
    return openmmflow.BatchedPotential(dipeptide[0], "Reference")


@pytest.fixture(scope="module")
def positions(dipeptide):
    start = dipeptide[2].value_in_unit(unit.nanometer)
    return start + np.random.default_rng(0).normal(scale=0.002, size=(7, *start.shape))


def test_energies_and_forces(potential, positions, dipeptide):
    platform = openmm.Platform.getPlatform("Reference")
    context = openmm.Context(dipeptide[0], openmm.VerletIntegrator(0.001), platform)
    energies, forces = potential.energiesAndForces(positions)
    assert energies.shape == (7,) and forces.shape == (7, 22, 3)
    for configuration, energy, force in zip(positions, energies, forces, strict=True):
        context.setPositions(configuration)
        state = context.getState(energy=True, forces=True)
        expected = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
        assert energy == pytest.approx(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
        np.testing.assert_allclose(force, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(potential.energies(positions), energies)


def test_units_and_layouts(potential, positions):
    expected = potential.energies(positions)
    in_angstrom = unit.Quantity(positions * 10, unit.angstrom)
    np.testing.assert_allclose(potential.energies(in_angstrom), expected, rtol=1e-9)
    np.testing.assert_array_equal(potential.energies(np.asfortranarray(positions)), expected)
    assert potential.energies(positions[:0]).shape == (0,)


def test_implementation(potential):
    assert potential.getNumParticles() == 22
    assert potential.getImplementation() == "batched"


def test_non_finite(potential, positions):
    broken = positions.copy()
    broken[3, 0, 0] = np.nan
    broken[4, 1] = broken[4, 0]
    energies = potential.energies(broken)
    assert not np.isfinite(energies[3])
    assert np.isfinite(energies[[0, 1, 2, 5, 6]]).all()


def test_wrong_shape(potential, positions):
    with pytest.raises(openmm.OpenMMException, match=r"\(count, 22, 3\)"):
        potential.energies(positions[:, :21])


def test_wrong_system():
    for wrong in (None, "system", openmm.VerletIntegrator(1)):
        with pytest.raises(TypeError):
            openmmflow.BatchedPotential(wrong)
