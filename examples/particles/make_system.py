#!/usr/bin/env python
"""Make `system.xml` and `topology.pdb` of DW4 or LJ13, the particle systems of papers on equivariant flows.

    python make_system.py dw4

The energies are those of Köhler, Klein and Noé 2019 (arXiv 1910.00753), as Midgley et al. 2023 (arXiv 2308.10364) use
them too, with 1 nm for 1 length, 1 kJ/mol for 1 energy and 1 dalton for 1 mass, so that kT = 1 at TEMPERATURE.
"""

import argparse
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

EXAMPLES = Path(__file__).resolve().parents[1]
TEMPERATURE = (1 * unit.kilojoule_per_mole / unit.MOLAR_GAS_CONSTANT_R).value_in_unit(unit.kelvin)
NUM_MINIMA = 100


def make_particles(count):
    """Return a System of particles without Forces."""
    system = openmm.System()
    for _ in range(count):
        system.addParticle(1 * unit.dalton)
    return system


def make_dw4():
    """Return the System of four particles in the plane whose distances are in double wells."""
    system = make_particles(4)
    # The papers sum over ordered pairs and halve.
    force = openmm.CustomCompoundBondForce(
        2,
        "a*(d-d0) + b*(d-d0)^2 + c*(d-d0)^4; d = sqrt((x1-x2)^2 + (y1-y2)^2); a = 0; b = -4; c = 0.9; d0 = 4",
    )
    for i in range(4):
        for j in range(i):
            force.addBond([j, i], [])
    system.addForce(force)
    return system


def make_lj13():
    """Return the System of thirteen Lennard-Jones particles, each tethered to the centre of geometry."""
    count = 13
    system = make_particles(count)
    # 1/2 sum_i |x_i - centre|^2 = 1/(2N) sum_(i<j) r_ij^2.
    force = openmm.CustomNonbondedForce(
        f"epsilon*((rm/r)^12 - 2*(rm/r)^6) + 0.5*k*r^2/{count}; rm = 1; k = 1"
    )
    # Codes that do not halve the sum over ordered pairs have twice as much: ../lj13/README.md.
    force.addGlobalParameter("epsilon", 1)
    for _ in range(count):
        force.addParticle([])
    system.addForce(force)
    return system


# For each System, how to make it, its dimensions, and the size in nm of the space that particles are scattered in.
SYSTEMS = {"dw4": (make_dw4, 2, 4.0), "lj13": (make_lj13, 3, 1.0)}


def find_minima(name, count, seed=0):
    """Return the minima of the energy next to scattered configurations, (count, N, 3) in nm, and their energies in kJ/mol."""
    make, dimensions, size = SYSTEMS[name]
    system = make()
    # Reference is double precision and deterministic, so everyone gets the same.
    platform = openmm.Platform.getPlatform("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    random = np.random.default_rng(seed)
    minima, energies = [], []
    for _ in range(count):
        positions = np.zeros((system.getNumParticles(), 3))
        positions[:, :dimensions] = random.normal(scale=size, size=(len(positions), dimensions))
        context.setPositions(positions)
        openmm.LocalEnergyMinimizer.minimize(context, tolerance=0.001)
        state = context.getState(positions=True, energy=True)
        positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        minima.append(positions - positions.mean(axis=0))
        energies.append(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
    return np.array(minima), np.array(energies)


def make_topology(count):
    """Return a Topology of argon atoms."""
    topology = app.Topology()
    chain = topology.addChain()
    argon = app.Element.getBySymbol("Ar")
    for _ in range(count):
        topology.addAtom("Ar", argon, topology.addResidue("Ar", chain))
    return topology


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SYSTEMS)
    name = parser.parse_args().name
    system = SYSTEMS[name][0]()
    minima, energies = find_minima(name, NUM_MINIMA)
    folder = EXAMPLES / name
    folder.mkdir(exist_ok=True)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with open(folder / "topology.pdb", "w") as file:
        positions = minima[energies.argmin()] * unit.nanometer
        app.PDBFile.writeFile(make_topology(system.getNumParticles()), positions, file)
    different = np.unique(energies.round(3))
    print(f"{folder}: {system.getNumParticles()} particles; minima in kJ/mol: {different[:6].tolist()}")


if __name__ == "__main__":
    main()
