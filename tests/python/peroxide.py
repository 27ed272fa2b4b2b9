"""Hydrogen peroxide with a separable energy: its partition function is a product of one-dimensional integrals."""

import numpy as np
import openmm
from openmm import app, unit

TEMPERATURE = 300.0
KT = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin) * TEMPERATURE
# H-O-O-H: length in nm and constant in kJ/mol/nm^2 of each bond, then angle in rad and constant of each angle.
BONDS = {(0, 1): (0.097, 3e5), (1, 2): (0.147, 2e5), (2, 3): (0.097, 3e5)}
ANGLES = {(0, 1, 2): (1.75, 400.0), (1, 2, 3): (1.75, 400.0)}
TORSION = (2, 0.5, 1.5)  # periodicity, phase in rad, constant in kJ/mol


def make_topology():
    """Return the Topology."""
    topology = app.Topology()
    residue = topology.addResidue("HOOH", topology.addChain())
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(name[0]), residue) for name in ("H1", "O1", "O2", "H2")
    ]
    for first, second in BONDS:
        topology.addBond(atoms[first], atoms[second])
    return topology


def make_system():
    """Return the System."""
    system = openmm.System()
    for mass in (1, 16, 16, 1):
        system.addParticle(mass)
    bonds, angles, torsions = (
        openmm.HarmonicBondForce(),
        openmm.HarmonicAngleForce(),
        openmm.PeriodicTorsionForce(),
    )
    for atoms, parameters in BONDS.items():
        bonds.addBond(*atoms, *parameters)
    for atoms, parameters in ANGLES.items():
        angles.addAngle(*atoms, *parameters)
    torsions.addTorsion(0, 1, 2, 3, *TORSION)
    for force in (bonds, angles, torsions):
        system.addForce(force)
    return system


def make_positions(count, seed=0):
    """Return configurations (count, 4, 3) in nm: bonds and angles from the target's Gaussians, any torsion."""
    rng = np.random.default_rng(seed)
    b = [rng.normal(length, np.sqrt(KT / k), count) for length, k in BONDS.values()]
    theta = [rng.normal(angle, np.sqrt(KT / k), count) for angle, k in ANGLES.values()]
    phi = rng.uniform(-np.pi, np.pi, count)
    zero = np.zeros(count)
    o1, o2 = np.zeros((count, 3)), np.stack([b[1], zero, zero], axis=1)
    h1 = np.stack([b[0] * np.cos(theta[0]), b[0] * np.sin(theta[0]), zero], axis=1)
    ring = b[2] * np.sin(theta[1])
    h2 = o2 + np.stack([-b[2] * np.cos(theta[1]), ring * np.cos(phi), ring * np.sin(phi)], axis=1)
    return np.stack([h1, o1, o2, h2], axis=1)


def log_partition_function():
    """Return log Z in the library's convention: positions in nm on the zero-centre subspace."""

    def log_integral(low, high, density):
        x = np.linspace(low, high, 100001)
        return np.log(np.trapezoid(density(x), x))

    # dx = prod b^2 db prod sin(theta) dtheta dphi, times 8 pi^2 for the orientation and N^(-3/2) for the centre.
    total = np.log(8 * np.pi**2) - 1.5 * np.log(4)
    for length, k in BONDS.values():
        total += log_integral(0, 2 * length, lambda x: x**2 * np.exp(-0.5 * k / KT * (x - length) ** 2))  # noqa: B023
    for angle, k in ANGLES.values():
        total += log_integral(0, np.pi, lambda x: np.sin(x) * np.exp(-0.5 * k / KT * (x - angle) ** 2))  # noqa: B023
    n, phase, k = TORSION
    return total + log_integral(-np.pi, np.pi, lambda x: np.exp(-k / KT * (1 + np.cos(n * x - phase))))
