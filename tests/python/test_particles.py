"""DW4 and LJ13 of examples/: the energies are the papers', and batched dynamics samples them."""

import sys

import numpy as np
import openmm
import pytest
import yaml
from click.testing import CliRunner
from conftest import SOURCE
from openmm import app, unit
from scipy.stats import chi2, norm

import openmmflow
from openmmflow.commands import main

EXAMPLES = SOURCE / "examples"
sys.path[:0] = [str(EXAMPLES / "particles"), str(EXAMPLES / "dw4")]

import chains  # noqa: E402
import exact  # noqa: E402
import make_system  # noqa: E402
import reference  # noqa: E402

NAMES = list(make_system.SYSTEMS)
SINGLE_THREAD = {"Threads": "1"}


def of_pairs(positions, derivative):
    """Return the forces, given dU/dr of each pair at its distance."""
    difference = positions[:, :, np.newaxis] - positions[:, np.newaxis]
    distances = np.linalg.norm(difference, axis=-1) + np.eye(positions.shape[1])
    slopes = derivative(distances) * (1 - np.eye(positions.shape[1]))
    return -np.sum((slopes / distances)[..., np.newaxis] * difference, axis=2)


def dw4(positions):
    """Return energies and forces of DW4."""
    flat = positions * [1, 1, 0]
    x = chains.pair_distances(flat) - 4
    forces = of_pairs(flat, lambda d: -8 * (d - 4) + 3.6 * (d - 4) ** 3)
    return np.sum(-4 * x**2 + 0.9 * x**4, axis=1), forces


def lj13(positions, epsilon=1):
    """Return energies and forces of LJ13, with the tether as the papers write it."""
    d = chains.pair_distances(positions)
    arms = positions - positions.mean(axis=1, keepdims=True)
    energies = epsilon * np.sum(d**-12 - 2 * d**-6, axis=1) + 0.5 * np.sum(arms**2, axis=(1, 2))
    return energies, of_pairs(positions, lambda d: 12 * epsilon * (d**-7 - d**-13)) - arms


DEFINITIONS = {"dw4": dw4, "lj13": lj13}


def load(name):
    return openmm.XmlSerializer.deserialize((EXAMPLES / name / "system.xml").read_text())


@pytest.fixture(scope="module")
def dw4_run():
    """Positions, energies and virials of 400 chains."""
    return reference.sample(
        "dw4", chains=400, frames=30, equilibration=400, interval=20, steps_per_proposal=20, seed=3,
        properties=SINGLE_THREAD,
    )[:3]  # fmt: skip


@pytest.fixture(scope="module")
def lj13_run():
    """Positions, energies and virials of 300 chains."""
    return reference.sample(
        "lj13", chains=300, frames=40, equilibration=200, interval=10, steps_per_proposal=20, seed=4,
        properties=SINGLE_THREAD,
    )[:3]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_files_are_what_the_script_makes(name):
    make = make_system.SYSTEMS[name][0]
    assert openmm.XmlSerializer.serialize(load(name)) == openmm.XmlSerializer.serialize(make())
    pdb = app.PDBFile(str(EXAMPLES / name / "topology.pdb"))
    positions = pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    assert pdb.topology.getNumAtoms() == len(positions) == make().getNumParticles()
    energies = make_system.find_minima(name, 20, seed=8)[1]
    # Three decimals of an Angstrom are kept.
    assert DEFINITIONS[name](positions[np.newaxis])[0][0] < energies.min() + 1e-3


@pytest.mark.parametrize("properties", [{}, {"Precision": "double"}])
@pytest.mark.parametrize("name", NAMES)
def test_energies_and_forces(name, properties):
    potential = openmmflow.BatchedPotential(load(name), "CPU", SINGLE_THREAD | properties)
    assert potential.getImplementation() == "batched"
    minima, _ = make_system.find_minima(name, 200, seed=2)
    random = np.random.default_rng(7)
    positions = minima + random.normal(scale=0.05, size=minima.shape) + random.normal(size=3)
    energies, forces = DEFINITIONS[name](positions)
    found_energies, found_forces = potential.energiesAndForces(positions)
    tolerance = 1e-9 if properties else 1e-5
    np.testing.assert_allclose(found_energies, energies, rtol=tolerance, atol=30 * tolerance)
    np.testing.assert_allclose(found_forces, forces, atol=tolerance * np.abs(forces).max())


def test_depth_of_lj13():
    potential = openmmflow.BatchedPotential(load("lj13"), "Reference")
    potential.setParameter("epsilon", 2)
    positions, _ = make_system.find_minima("lj13", 20)
    np.testing.assert_allclose(potential.energies(positions), lj13(positions, epsilon=2)[0], rtol=1e-9)


def test_z_does_not_matter_to_dw4():
    potential = openmmflow.BatchedPotential(load("dw4"))
    positions, _ = make_system.find_minima("dw4", 20)
    energies, forces = potential.energiesAndForces(positions)
    positions[:, :, 2] = np.random.default_rng(1).normal(scale=100, size=(20, 4))
    moved_energies, moved_forces = potential.energiesAndForces(positions)
    np.testing.assert_array_equal(moved_energies, energies)
    np.testing.assert_array_equal(moved_forces, forces)
    assert not forces[:, :, 2].any()


def test_integration_of_dw4():
    """Against importance sampling of the three other particles around the first, at distances near the two wells."""
    count, wells, width = 1_000_000, np.array([2.6, 5.4]), 0.5
    random = np.random.default_rng(5)
    radius = np.abs(random.normal(random.choice(wells, (count, 3)), width))
    angle = random.uniform(0, 2 * np.pi, (count, 3))
    positions = np.zeros((count, 4, 2))
    positions[:, 1:] = radius[..., np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    density = np.mean(norm.pdf(radius[..., np.newaxis], wells, width), axis=-1) / (2 * np.pi * radius)
    energies = exact.energy(chains.pair_distances(positions)).sum(axis=1)
    weights = np.exp(-energies) / density.prod(axis=1)
    _, _, mean_energy, log_z = exact.integrate()
    # Positions relative to a particle fill 4^(2/2) times the volume of the zero-centre subspace.
    z, error = weights.mean() / 4, weights.std() / weights.mean() / count**0.5
    assert error < 0.02 and abs(np.log(z) - log_z) < 3 * error
    mean = np.average(energies, weights=weights)
    error = np.sqrt(np.sum((weights * (energies - mean)) ** 2)) / weights.sum()
    assert error < 0.04 and abs(mean - mean_energy) < 3 * error


def test_dw4_has_its_exact_distribution(dw4_run):
    positions, energies, virials = dw4_run
    assert not positions[..., 2].any()
    points, density, mean_energy, _ = exact.integrate(step=0.02)
    mean, error = chains.mean_and_error(energies.mean(axis=1))
    assert error < 0.03 and abs(mean - mean_energy) < 3 * error
    mean, error = chains.mean_and_error(virials.mean(axis=1))
    assert error < 0.5 and abs(mean - 6) < 3 * error
    edges = np.arange(2, 6.11, 0.2)
    inside = edges[0] + 1e-3, edges[-1] - 1e-3
    shares = chains.histograms(np.clip(chains.pair_distances(positions), *inside), edges)
    expected = np.histogram(np.clip(points, *inside), edges, weights=0.02 * density)[0]
    # The last bin is what the others leave.
    assert chi2.sf(*chains.chi_square(shares[:, :-1], expected[:-1])) > 1e-3
    # Nor does it matter where the chains started.
    assert chi2.sf(*chains.compare(shares[::2, :-1], shares[1::2, :-1])) > 1e-3


def test_dw4_by_the_command(tmp_path):
    """The free motion along z and of the centre does no harm."""
    options = "--method", "hmc", "--ladders", 100, "--equilibration", 50, "-n", 4000, "--interval", 10
    files = EXAMPLES / "dw4" / "system.xml", EXAMPLES / "dw4" / "topology.pdb"
    words = *files, "-T", make_system.TEMPERATURE, "--max-temperature", 200, *options, "--threads", 1
    result = CliRunner().invoke(main, ["simulate", *map(str, words), "-o", str(tmp_path / "dw4.dcd")])
    assert result.exit_code == 0, result.output
    energy = yaml.safe_load((tmp_path / "dw4.yaml").read_text())["potential_energy_kJ_mol"][0]
    assert abs(energy["mean"] - exact.integrate()[2]) < 4 * energy["standard_error"] < 0.4


def metropolis(count, sweeps, size=0.6, seed=9):
    """Sample LJ13 by moves of one particle, in numpy; return positions after each sweep, (count, sweeps, 13, 3)."""
    random = np.random.default_rng(seed)
    positions = random.normal(size=(count, 13, 3))

    def energy(place, others):
        square = np.sum((others - place[:, np.newaxis]) ** 2, axis=-1)
        return np.sum(square**-6 - 2 * square**-3 + square / 26, axis=1)

    frames = np.empty((count, sweeps, 13, 3))
    for sweep in range(sweeps):
        for particle in range(13):
            others = np.delete(positions, particle, axis=1)
            old = positions[:, particle]
            new = old + random.uniform(-size, size, (count, 3))
            accepted = random.exponential(size=count) > energy(new, others) - energy(old, others)
            positions[accepted, particle] = new[accepted]
        frames[:, sweep] = positions
    return frames


def test_lj13_obeys_the_virial_theorem(lj13_run):
    mean, error = chains.mean_and_error(lj13_run[2].mean(axis=1))
    assert error < 0.4 and abs(mean - 36) < 3 * error


def test_lj13_is_as_metropolis_has_it(lj13_run):
    frames = metropolis(200, 1500)[:, 300::10]
    expected = np.array([lj13(chain)[0] for chain in frames])
    mean, error = chains.mean_and_error(lj13_run[1].mean(axis=1))
    expected_mean, expected_error = chains.mean_and_error(expected.mean(axis=1))
    combined = np.hypot(error, expected_error)
    assert combined < 0.25 and abs(mean - expected_mean) < 3 * combined
    edges = np.arange(0.7, 5.1, 0.4)
    shares, expected = (
        chains.histograms(np.clip(chains.pair_distances(x), edges[0], edges[-1] - 1e-3), edges)[:, :-1]
        for x in (lj13_run[0], frames)
    )
    assert chi2.sf(*chains.compare(shares, expected)) > 1e-3
