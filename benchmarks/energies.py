"""Energies and forces of many configurations: BatchedPotential against a C++ loop over OpenMM Contexts, in one run.

Run by `make bench`. For each System it prints configurations per second of BatchedPotential and of one Context per core
(Threads=1) on Reference and on CPU, the ratio to the better of the two, the processor cycles that BatchedPotential spends on
each pair of particles, everything included, and the share of the cores' peak that its operations (operations.cpp) amount to;
on one core and on all. Every figure is the median of five interleaved rounds.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import openmm
from openmm import app, unit

HERE = os.path.dirname(os.path.abspath(__file__))
DIPEPTIDE = os.path.join(HERE, "../examples/alanine-dipeptide/vacuum/topology.pdb")
CHIGNOLIN = os.path.join(HERE, "chignolin.pdb")

# Name, PDB file, force field, copies of the molecule side by side, cutoff in nm.
SYSTEMS = [
    ("alanine dipeptide, OBC1 (CustomGBForce)", DIPEPTIDE, ["amber96.xml", "implicit/obc1.xml"], 1, None),
    ("alanine dipeptide, OBC2 (CustomGBForce)", DIPEPTIDE, ["amber96.xml", "implicit/obc2.xml"], 1, None),
    ("alanine dipeptide, OBC2 (GBSAOBCForce)", DIPEPTIDE, ["amber96.xml", "amber96_obc.xml"], 1, None),
    ("alanine dipeptide, GBn2 (CustomGBForce)", DIPEPTIDE, ["amber14-all.xml", "implicit/gbn2.xml"], 1, None),
    ("alanine dipeptide, vacuum", DIPEPTIDE, ["amber96.xml"], 1, None),
    ("chignolin, OBC2 (GBSAOBCForce)", CHIGNOLIN, ["amber96.xml", "amber96_obc.xml"], 1, None),
]
# To see where a single Context overtakes.
GROWING = [
    (
        f"{138 * copies} atoms, {solvent}, {cutoff or 'no'} cutoff",
        CHIGNOLIN,
        ["amber96.xml", *solvents],
        copies,
        cutoff,
    )
    for solvent, solvents in (("OBC2", ["amber96_obc.xml"]), ("vacuum", []))
    for cutoff in (None, 1.0)
    for copies in (1, 2, 4, 8, 16, 36)
]


def build(pdb, files, copies, cutoff):
    """Return a System without constraints and positions (nm) of copies of a molecule, packed as in a liquid."""
    molecule = app.PDBFile(pdb)
    modeller = app.Modeller(molecule.topology, molecule.positions)
    start = np.array(molecule.positions.value_in_unit(unit.nanometer))
    spacing = np.ptp(start, axis=0) + 0.3
    for copy in range(1, copies):
        shift = spacing * np.array([copy % 3, copy // 3 % 3, copy // 9])
        modeller.add(molecule.topology, (start + shift) * unit.nanometer)
    system = app.ForceField(*files).createSystem(
        modeller.topology,
        nonbondedMethod=app.NoCutoff if cutoff is None else app.CutoffNonPeriodic,
        nonbondedCutoff=(cutoff or 1.0) * unit.nanometer,
        constraints=None,
        rigidWater=False,
    )
    return system, np.array(modeller.positions.value_in_unit(unit.nanometer))


def sample(system, positions, count):
    """Return configurations at 300 K, (count, N, 3), a few steps of dynamics apart."""
    integrator = openmm.LangevinMiddleIntegrator(300, 10, 0.0005)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("CPU"))
    context.setPositions(positions)
    openmm.LocalEnergyMinimizer.minimize(context, maxIterations=20)
    context.setVelocitiesToTemperature(300, 2)
    configurations = []
    for _ in range(count):
        integrator.step(5)
        state = context.getState(positions=True)
        configurations.append(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    return np.array(configurations)


def number(*command):
    """Return the number that a program prints."""
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measure(program, files, threads, seconds, precision):
    """Return what energies.cpp prints, by its first words."""
    command = [program, *files, str(threads), str(seconds), precision]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split(" ", 1) for line in output.splitlines())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the folder of the compiled energies.cpp, operations.cpp and peak.cpp")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--precision", default="single", choices=["single", "double"])
    parser.add_argument("--growing", action="store_true", help="larger and larger Systems instead")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print("configurations per second, energies and forces, one Context per core")
    print(f"{'':42s} cores   batched  Reference        CPU   ratio  cycles/pair  share of peak")
    for name, pdb, files, copies, cutoff in GROWING if options.growing else SYSTEMS:
        system, start = build(pdb, files, copies, cutoff)
        n = system.getNumParticles()
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/system.xml", "w") as file:
                file.write(openmm.XmlSerializer.serialize(system))
            sample(system, start, max(4, min(256, 20000 // n))).tofile(f"{folder}/positions")
            files = [f"{folder}/system.xml", f"{folder}/positions"]
            operations = number(f"{options.build}/operations", *files)
            for threads in [1] if options.growing else sorted({1, cores}):
                rates = measure(
                    f"{options.build}/energies", files, threads, options.seconds, options.precision
                )
                batched, reference, cpu = (float(rates[key]) for key in ("batched", "Reference", "CPU"))
                if not rates["implementation"].startswith("batched"):
                    sys.exit(f"{name}: {rates['implementation']}")
                cycles = 1e9 * number(f"{options.build}/peak", "--clock") * threads / batched
                share = batched * operations / (1e9 * number(f"{options.build}/peak") * threads)
                print(
                    f"{name:42s} {threads:5d} {batched:9.0f}  {reference:9.0f}  {cpu:9.0f}  "
                    f"{batched / max(reference, cpu):6.1f}  {cycles / (n * (n - 1) / 2):11.1f}  {share:13.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
