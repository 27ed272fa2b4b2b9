"""Flow moves mixed with dynamics of alanine dipeptide agree with replica exchange, and examples/mixing runs."""

import json
import subprocess
import sys
import time

import mdtraj
import numpy as np
import openmm
import pytest
from conftest import DIPEPTIDE, SOURCE
from openmm import unit
from scipy.stats import chi2

import openmmflow

EXAMPLES = SOURCE / "examples" / "mixing"
# The error of the time step, which falls with its square, was -0.13 +- 0.09 kJ/mol with 2 fs (examples/alanine-dipeptide):
# below 0.02 with this one, a fifth of the standard error of the chain's mean energy.
STEP_SIZE = 0.0005
MOVES = 30_000
FREQUENCY = 60


@pytest.fixture(scope="module")
def reference():
    return json.loads((DIPEPTIDE / "reference.json").read_text())


@pytest.fixture(scope="module")
def chain():
    """Positions and energies after every move of a chain, and the statistics of the moves."""
    system = openmm.XmlSerializer.deserialize((DIPEPTIDE / "system.xml").read_text())
    flow = openmmflow.Flow.load(DIPEPTIDE / "flow.safetensors")
    move = openmmflow.MonteCarloFlowMove(flow, 300 * unit.kelvin, frequency=FREQUENCY)
    move.setRandomNumberSeed(11)
    system.addForce(move)
    integrator = openmm.LangevinMiddleIntegrator(300, 5, STEP_SIZE)
    integrator.setRandomNumberSeed(12)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference"))
    positions, log_q = openmmflow.FlowContext(flow).sample(10, seed=13)
    context.setPositions(positions[np.isfinite(log_q)][0])
    context.setVelocitiesToTemperature(300, 14)
    frames, energies = np.empty((MOVES, 22, 3)), np.empty(MOVES)
    for k in range(MOVES):
        integrator.step(FREQUENCY)
        state = context.getState(positions=True, energy=True)
        frames[k] = state.getPositions(asNumpy=True)._value
        energies[k] = state.getPotentialEnergy()._value
    return frames, energies, move.getStatistics(context)


@pytest.fixture(scope="module")
def blocks(states):
    return states.make_blocks(np.zeros(MOVES, dtype=int), 50)


def test_moves_are_accepted(chain):
    statistics = chain[2]
    assert statistics.attempts == MOVES
    assert statistics.acceptance > 0.5


def test_populations_agree_with_replica_exchange(chain, blocks, states, reference):
    assigned = states.assign(chain[0])
    for index, name in enumerate(states.STATES):
        value, error = states.mean((assigned == index).astype(float), blocks)
        expected = reference["states"][name]
        assert abs(value - expected["population"]) < 3 * np.hypot(error, expected["population_error"]), name


def test_average_energy_agrees_with_replica_exchange(chain, blocks, states, reference):
    value, error = states.mean(chain[1], blocks)
    expected = reference["potential_energy_kJ_mol"]
    assert error < 0.15
    assert abs(value - expected["mean"]) < 3 * np.hypot(error, expected["standard_error"])


def assert_same_distribution(histograms, counts, errors):
    """Chi-square of a histogram, in blocks, and one with errors, where both are well populated: p > 1e-3."""
    histograms, counts, errors = (np.asarray(x, dtype=float) for x in (histograms, counts, errors))
    scale = histograms.sum() / counts.sum()
    variance = len(histograms) * histograms.var(axis=0, ddof=1) + (scale * errors) ** 2
    populated = (scale * counts > 20) & (counts > 20)
    assert scale * counts[populated].sum() > 0.95 * histograms.sum()
    difference = histograms.sum(axis=0) - scale * counts
    statistic = np.sum(difference[populated] ** 2 / variance[populated])
    freedom = np.count_nonzero(populated) - 1
    assert freedom > 30
    assert chi2.sf(statistic, freedom) > 1e-3


def test_ramachandran_histogram_agrees_with_replica_exchange(chain, blocks, states, reference):
    histograms = [states.histogram(chain[0][blocks == block]) for block in np.unique(blocks)]
    assert_same_distribution(
        histograms, reference["ramachandran_counts_phi_psi"], reference["ramachandran_standard_errors"]
    )


def test_energy_histogram_agrees_with_replica_exchange(chain, blocks, reference):
    expected = reference["energy_histogram_kJ_mol"]
    edges = expected["first_edge"] + expected["width"] * np.arange(len(expected["counts"]) + 1)
    histograms = [np.histogram(chain[1][blocks == block], edges)[0] for block in np.unique(blocks)]
    assert_same_distribution(histograms, expected["counts"], expected["standard_errors"])


def run(script, *arguments, folder):
    command = [sys.executable, EXAMPLES / script, *map(str, arguments)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_example_of_a_simulation_goes_on_where_it_stopped(tmp_path):
    arguments = ("--frequency", 50, "--platform", "Reference", "-o")
    run("mix.py", "--steps", 500, *arguments, "once", folder=tmp_path)
    run("mix.py", "--steps", 300, *arguments, "twice", folder=tmp_path)
    output = run("mix.py", "--steps", 500, *arguments, "twice", "--resume", folder=tmp_path)
    assert "C7ax" in output
    assert "phi changed its sign" in output
    for name in ("checkpoint.bin", "trajectory.dcd", "moves.csv", "state.csv"):
        assert (tmp_path / "twice" / name).stat().st_size > 0
    once, twice = ((tmp_path / name / "trajectory.dcd").read_bytes() for name in ("once", "twice"))
    # The frames, without the header, which tells when the file was made.
    assert once[-2000:] == twice[-2000:]


def test_example_of_a_simulation_goes_on_where_it_was_killed(tmp_path):
    arguments = ("--frequency", 20, "--platform", "Reference", "-o")
    run("mix.py", "--steps", 400, *arguments, "once", folder=tmp_path)
    command = [sys.executable, EXAMPLES / "mix.py", "--steps", "1000000", *map(str, arguments), "killed"]
    process = subprocess.Popen(command, cwd=tmp_path)
    checkpoint = tmp_path / "killed" / "checkpoint.bin"
    while not checkpoint.exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.kill()
    process.wait()
    run("mix.py", "--steps", 400, *arguments, "killed", "--resume", folder=tmp_path)
    once, killed = (
        mdtraj.load_dcd(str(tmp_path / name / "trajectory.dcd"), top=str(DIPEPTIDE / "topology.pdb"))
        for name in ("once", "killed")
    )
    assert once.n_frames == 20
    # As many as there are, or one that was written before the checkpoint twice.
    assert killed.n_frames in (20, 21)
    assert np.array_equal(killed.xyz[-1], once.xyz[-1])


@pytest.mark.parametrize("script, arguments, words", [
    ("mix.py", ("--frequency", 0), "0 is not positive"),
    ("mix.py", ("--resume", "-o", "nowhere"), "no checkpoint.bin in nowhere"),
    ("gas.py", ("--steps", 200), "400 or more"),
    ("anneal.py", ("--trajectories", 1), "2 or more"),
])  # fmt: skip
def test_examples_say_what_they_need(tmp_path, script, arguments, words):
    command = [sys.executable, EXAMPLES / script, *map(str, arguments)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert result.returncode == 2
    assert words in result.stderr


def test_example_of_a_part_of_the_system(tmp_path):
    output = run("gas.py", "--steps", 1000, folder=tmp_path)
    assert "volume" in output
    assert "of 5 flow moves" in output


def test_example_of_annealing(tmp_path):
    output = run("anneal.py", "--trajectories", 30, "--steps", 20, folder=tmp_path)
    values = [line.split("=")[1].split(",")[0].split("+-") for line in output.splitlines()]
    (annealed, error), (reweighted, other) = ([float(number) for number in pair] for pair in values)
    assert abs(annealed - reweighted) < 4 * np.hypot(error, other)
