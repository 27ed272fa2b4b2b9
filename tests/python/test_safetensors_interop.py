"""The file of a flow against the safetensors package: each reads what the other has written."""

import json

import numpy as np
import pytest
from openmm import OpenMMException
from safetensors import safe_open
from safetensors.numpy import save_file

import openmmflow

HIDDEN, BINS = 3, 4


@pytest.fixture
def tensors():
    """A flow of three atoms (two bonds, one angle), written down from docs/file-format.md."""
    random = np.random.default_rng(1)
    result = {
        "coordinates.placements": np.array([[0, -1, -1, -1], [1, 0, -1, -1], [2, 1, 0, -1]], dtype=np.int64),
        "coordinates.circular": np.zeros(3, dtype=np.uint8),
        "coordinates.center": np.array([0.1, 0.11, 1.8]),
        "coordinates.scale": np.array([0.003, 0.003, 0.05]),
        "coordinates.torsion_lower": np.zeros(0),
        "coordinates.torsion_upper": np.zeros(0),
        "coordinates.torsion_kind": np.zeros(0, dtype=np.uint8),
    }
    for coupling, mask in enumerate(([1, 0, 1], [0, 1, 0])):
        features, outputs = 3 - sum(mask), sum(mask) * (3 * BINS - 1)
        result[f"couplings.{coupling}.transformed"] = np.array(mask, dtype=np.uint8)
        for layer, shape in {"input": (HIDDEN, features), "output": (outputs, HIDDEN)}.items():
            result[f"couplings.{coupling}.{layer}.weight"] = random.normal(size=shape).astype(np.float32)
            result[f"couplings.{coupling}.{layer}.bias"] = random.normal(size=shape[0]).astype(np.float32)
    return result


@pytest.fixture
def metadata():
    configuration = {
        "couplings": 2,
        "hidden": HIDDEN,
        "blocks": 0,
        "bins": BINS,
        "activation": "silu",
        "tail_bound": 5.0,
        "min_bin_fraction": 1e-3,
        "min_derivative": 1e-3,
        "atom_names": ["H1", "O", "H2"],
    }
    return {
        "format": "openmm-flow",
        "format_version": "1",
        "family": "internal",
        "configuration": json.dumps(configuration),
        "metadata.temperature": "300 K \u00b1 1",
    }


def test_each_reads_what_the_other_has_written(tmp_path, tensors, metadata):
    save_file(tensors, tmp_path / "theirs.safetensors", metadata)
    flow = openmmflow.Flow.load(str(tmp_path / "theirs.safetensors"))
    assert flow.num_particles == 3
    assert dict(flow.metadata) == {"temperature": "300 K \u00b1 1"}
    flow.save(str(tmp_path / "ours.safetensors"))
    with safe_open(tmp_path / "ours.safetensors", framework="numpy") as file:
        assert set(file.keys()) == set(tensors)
        for name, expected in tensors.items():
            found = file.get_tensor(name)
            assert found.dtype == expected.dtype and found.shape == expected.shape, name
            np.testing.assert_array_equal(found, expected)
        stored = file.metadata()
    assert json.loads(stored.pop("configuration")) == json.loads(metadata.pop("configuration"))
    assert stored == metadata


def test_other_files_of_the_ecosystem_are_refused_as_such(tmp_path):
    save_file({"weight": np.zeros((2, 2), dtype=np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(OpenMMException, match="is a safetensors file, but not that of a flow"):
        openmmflow.Flow.load(str(tmp_path / "other.safetensors"))
