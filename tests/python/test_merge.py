"""`openmm-flow merge`: files of ensembles joined into one."""

import numpy as np
import pytest
from click.testing import CliRunner

import openmmflow
from openmmflow.commands import main


def merge(*arguments):
    return CliRunner().invoke(main, ["merge", *map(str, arguments)])


@pytest.fixture
def parts(tmp_path, sampler):
    """Files of the samples 0-299, 300-499 and 400-599 of a seed."""
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for path, count, first in zip(paths, (300, 200, 200), (0, 300, 400), strict=True):
        sampler.sample(count, seed=4, first=first).save(path)
    return paths


def test_parts_make_the_whole(parts, sampler, tmp_path):
    output = tmp_path / "whole.safetensors"
    result = merge(*parts[:2], "-o", output)
    assert result.exit_code == 0, result.output
    assert "500 samples" in result.output and "Pareto k" in result.output and str(output) in result.output
    merged, whole = openmmflow.WeightedEnsemble.load(output), sampler.sample(500, seed=4)
    for name in ("positions", "log_q", "reduced_potentials"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
    assert sum(count for _, _, count in merged.sample_ranges) == 500
    assert merged.metadata == whole.metadata


def test_samples_are_not_counted_twice(parts, tmp_path):
    output = tmp_path / "whole.safetensors"
    result = merge(*parts, "-o", output)
    assert result.exit_code == 1 and "already in the ensemble" in result.output
    result = merge(parts[0], tmp_path / ".." / tmp_path.name / parts[0].name, "-o", output)
    assert result.exit_code == 2 and "twice" in result.output
    assert not output.exists()


def test_copies_of_reweighted_ensembles_are_noticed(parts, sampler, tmp_path):
    positions = openmmflow.WeightedEnsemble.load(parts[0]).positions
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    sampler.reweight(positions).save(one)
    other.write_bytes(one.read_bytes())
    result = merge(one, other, "-o", tmp_path / "whole.safetensors")
    assert result.exit_code == 1 and "hold the same samples" in result.output


def test_inputs_are_kept(parts, tmp_path):
    before = parts[0].read_bytes()
    result = merge(*parts[:2], "-o", parts[0])
    assert result.exit_code == 1 and "also an input" in result.output
    assert parts[0].read_bytes() == before
    for output, message in (("whole.dcd", "lose the weights"), ("nowhere/whole.safetensors", "no folder")):
        result = merge(*parts[:2], "-o", tmp_path / output)
        assert result.exit_code == 1 and message in result.output
    assert sorted(tmp_path.iterdir()) == parts


def test_what_cannot_be_joined(parts, files, flow, tmp_path):
    assert merge(parts[0], "-o", tmp_path / "out").exit_code == 2
    assert merge(*parts[:2]).exit_code == 2
    result = merge(parts[0], files / "flow.safetensors", "-o", tmp_path / "out")
    assert result.exit_code == 1 and "flow.safetensors" in result.output
