"""`openmm-flow report --compare`."""

import json
import re

import numpy as np
import peroxide
import pytest
from click.testing import CliRunner
from conftest import DIPEPTIDE, SMALL

import openmmflow
from openmmflow.commands import main
from openmmflow.report.comparison import (
    clipped_effective_fraction,
    evidence_lower_bound,
    evidence_upper_bound,
    write_comparison,
)
from openmmflow.report.histograms import (
    frame_histogram_variances,
    histogram_variances,
    torsion_histogram,
    total_variation,
    total_variation_noise,
)


def run(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


@pytest.fixture
def compare(files, topology):
    """The command on two flows of hydrogen peroxide, as a function of further arguments."""
    data = peroxide.make_positions(2000, seed=1)
    wide = openmmflow.createInternalFlow(topology, data[0], **SMALL)
    history = {"energy_evaluations": [10, 5000], "seconds": [0, 90], "effective_sample_fraction": [None, 0.5]}
    stage = {
        "objective": "test",
        "steps": 1200,
        "energy_evaluations": 5000,
        "dynamics_energy_evaluations": 1000,
        "exploration": {"seconds": 130},
        "seconds": 90,
        "history": history,
    }
    wide.withMetadata("training", json.dumps([stage])).save(files / "wide.safetensors")
    flows = files / "flow.safetensors", files / "wide.safetensors"
    common = "--compare", "--topology", files / "topology.pdb", "--system", files / "system.xml", "-T", 300
    return lambda *arguments: run(*flows, *common, "-o", files / "page", "-n", 12000, *arguments)


def test_rows_are_those_of_the_ensembles(compare, files, sampler):
    frames = files / "reference.npz"
    # The torsion is not drawn from the target, which no flow minds.
    np.savez(frames, positions=peroxide.make_positions(3000, seed=5))
    result = compare("--reference", frames)
    assert result.exit_code == 0, result.output
    first, second = re.split(r"\n\S*wide.safetensors\n", result.output)
    ensemble = sampler.sample(12000)
    for text, part in (("10,000", ensemble.slice(0, 10000)), ("12,000", ensemble)):
        found = float(re.search(rf"Effective of {text} +(\S+)%, k", first)[1])
        assert found == pytest.approx(100 * part.effective_sample_fraction, abs=0.1)
    # The scales of the other flow are guessed, not measured.
    assert float(re.search(r"Effective of 12,000 +(\S+)%", second)[1]) < 0.5 * found
    exact = peroxide.log_partition_function()
    values = {
        name: tuple(map(float, re.search(rf"{name} +(\S+) ± ([0-9.]+)", first).groups()))
        for name in ("log Z", "ELBO")
    }
    assert abs(values["log Z"][0] - exact) < 4 * values["log Z"][1]
    assert values["ELBO"][0] < exact
    assert "Training 1" not in first
    assert "test: 1,200 steps, 6,000 energies, 4 minutes" in second
    page = (files / "page" / "comparison.html").read_text()
    assert page.count("data:image/png") == 2 and "wide.safetensors" in page and "Effective of 12,000" in page
    assert (files / "page" / "weights.png").stat().st_size > 1000


def test_bounds_enclose_log_z(sampler):
    exact = peroxide.log_partition_function()
    ensemble = sampler.sample(20000, seed=3)
    # Samples of the target itself: those of the flow, resampled.
    frames = ensemble.resample(20000, seed=4).positions
    log_weights = sampler.reweight(frames).log_weights
    value, error = evidence_upper_bound(log_weights)
    assert 0 < error < 0.1
    assert exact < value < exact + 1
    lower = evidence_lower_bound(ensemble.log_weights)
    assert exact - 1 < lower[0] < exact
    # Half of the samples without weight: the bound falls with log Z.
    half = np.where(np.arange(20000) % 2, ensemble.log_weights, -np.inf)
    assert evidence_lower_bound(half)[0] == pytest.approx(lower[0] - np.log(2), abs=0.02)
    # Against the average of the same quantity over the flow's own samples.
    expected = ensemble.expectation(ensemble.log_weights)
    assert abs(value - expected[0]) < 4 * np.hypot(error, expected[1])


def test_clipping_raises_the_effective_fraction():
    def make(log_weights):
        count = len(log_weights)
        return openmmflow.WeightedEnsemble.fromLogWeights(
            np.zeros((count, 4, 3)), log_weights, np.zeros(count), 300
        )

    rng = np.random.default_rng(0)
    log_weights = np.append(rng.normal(0, 0.1, 99_990), np.full(10, 8.0))
    fraction = make(log_weights).effective_sample_fraction
    assert fraction < 0.2
    # The ten largest of 100,000 are the tenth largest then, which is as large.
    assert clipped_effective_fraction(make(log_weights)) == pytest.approx(fraction)
    log_weights[-10] = 0.4
    assert clipped_effective_fraction(make(log_weights)) > 0.98


def test_noise_of_correlated_frames():
    rng = np.random.default_rng(1)
    independent = rng.normal(-60, 40, (2, 1000))
    repeated = np.repeat(independent, 20, axis=1)
    first, second = (np.sqrt(frame_histogram_variances(*angles)).sum() for angles in (independent, repeated))
    assert first == pytest.approx(second, rel=1e-9)
    equal = np.sqrt(histogram_variances(*independent, weights=np.ones(1000))).sum()
    assert first == pytest.approx(equal, rel=0.2)


def test_noise_is_the_distance_of_samples_of_one_distribution():
    rng = np.random.default_rng(0)
    distances, noises = [], []
    for _ in range(20):
        phi, psi = rng.normal(-60, 40, (2, 20_000))
        weights = rng.exponential(size=20_000)
        other = rng.normal(-60, 40, (2, 5_000))
        equal = np.ones(5_000)
        distances.append(
            total_variation(torsion_histogram(phi, psi, weights=weights), torsion_histogram(*other))
        )
        noises.append(
            total_variation_noise(
                histogram_variances(phi, psi, weights=weights), histogram_variances(*other, weights=equal)
            )
        )
    assert np.mean(distances) == pytest.approx(np.mean(noises), rel=0.1)


def test_alanine_dipeptide(tmp_path, dipeptide):
    result = run(
        DIPEPTIDE / "flow-small.safetensors", "--compare", "--topology", DIPEPTIDE / "topology.pdb",
        "--system", DIPEPTIDE / "system.xml", "-T", 300, "-n", 20000, "-o", tmp_path,
        "--reference", DIPEPTIDE / "reference.json", "--states", DIPEPTIDE / "states.yaml",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    distance, noise = map(float, re.search(r"Ramachandran +(\S+) \(noise (\S+)\)", result.output).groups())
    assert 0.5 * noise < distance < 2 * noise
    assert "F of" in result.output and "EUBO" not in result.output
    assert (tmp_path / "ramachandran-plot.png").exists()


def test_what_makes_no_sense_is_explained(compare, files, tmp_path):
    flow, topology = files / "flow.safetensors", files / "topology.pdb"
    for arguments, words in (
        ((flow, "--compare", "--topology", topology), "--system"),
        ((flow, flow, "--topology", topology), "--compare"),
        (
            (flow, flow, "--compare", "--topology", topology, "--system", files / "system.xml", "-T", 300),
            "twice",
        ),
        (
            (topology, "--compare", "--topology", topology, "--system", files / "system.xml", "-T", 300),
            "topology.pdb",
        ),
    ):
        result = run(*arguments, "-o", tmp_path / "page")
        assert result.exit_code != 0 and words in result.output + str(result.exception), arguments
    result = run(files / "e", "--topology", topology, "-T", 300)
    assert result.exit_code == 2


def test_frames_off_the_support_are_counted(tmp_path, dipeptide):
    system, topology, positions = dipeptide
    flow = openmmflow.Flow.load(DIPEPTIDE / "flow-small.safetensors")
    frames = np.tile(np.array(positions._value), (30, 1, 1))
    frames[7, :, 0] *= -1
    np.savez(tmp_path / "frames.npz", positions=frames)
    _, rows = write_comparison(
        system, {"$_a": flow}, 300.0, topology, tmp_path / "page", 300, reference=tmp_path / "frames.npz",
        load_positions=lambda path: np.load(path)["positions"],
    )  # fmt: skip
    [bound] = [row["values"][0] for row in rows if row["name"] == "EUBO"]
    assert bound.endswith("1 frames off the support: no bound")


def test_a_reference_of_another_molecule_is_not_compared(compare):
    result = compare("--reference", DIPEPTIDE / "reference.json")
    assert result.exit_code == 0, result.output
    assert "are not compared" in result.output and "Ramachandran  " not in result.output


@pytest.mark.parametrize(
    "training",
    ["{", "3", '[{"history": {}}]', '[{"seconds": "x", "exploration": 3, "history": []}]', '{"steps": 4}'],
)
def test_metadata_of_others_are_no_obstacle(tmp_path, system, topology, flow, training):
    foreign = flow.withMetadata("training", training)
    page, _ = write_comparison(system, {"_flow": foreign}, 300.0, topology, tmp_path, 300)
    assert "Not drawn: the flows" in page.read_text()


def test_free_energies_have_one_origin(tmp_path, dipeptide):
    system, topology, positions = dipeptide
    flow = openmmflow.Flow.load(DIPEPTIDE / "flow-small.safetensors")
    states = [{"name": "left", "phi": [-180, -80]}, {"name": "right"}]
    _, rows = write_comparison(
        system, {"a": flow, "b": flow.withMetadata("x", "y")}, 300.0, topology, tmp_path, 2000, states=states
    )
    energies = [row["values"] for row in rows if row["name"].startswith("F of")]
    assert sorted(values[0] == "0" for values in energies) == [False, True]
    assert all(values[0] == values[1] for values in energies)
