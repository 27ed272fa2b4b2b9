"""What commands say of arrays and units that will not do: one sentence, and no traceback."""

import numpy as np
import peroxide
import pytest
from click.testing import CliRunner
from openmm import OpenMMException

from openmmflow.commands import main
from openmmflow.commands.lengths import find_bonds
from openmmflow.commands.trajectories import load_positions, load_training_data
from openmmflow.npz import read_npz

NOT_NUMBERS = [
    np.array(["a", "b", "c"]),
    np.array([b"1", b"2", b"3"]),
    np.array([1.0, None, {}], dtype=object),
    np.array([1j, 2, 3]),
    np.array(["2020-01-01"] * 3, dtype="datetime64"),
]


def run(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("wrong", NOT_NUMBERS, ids=lambda array: str(array.dtype))
def test_arrays_that_are_not_numbers(tmp_path, wrong):
    path = tmp_path / "data.npz"
    positions = peroxide.make_positions(3)
    np.savez(path, positions=positions, weights=wrong)
    with pytest.raises(OpenMMException, match=r'"weights" in .*data\.npz does not hold real numbers'):
        load_training_data([path])
    assert load_positions(path).shape == (3, 4, 3)
    np.savez(path, positions=np.resize(wrong, (3, 4, 3)))
    with pytest.raises(OpenMMException, match='"positions" in'):
        load_positions(path)


def test_numbers_and_labels(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, weights=np.array([True, False]), blocks=np.array(["first", "second"]), other=np.zeros(3))
    arrays = read_npz(path, ("weights", "energies"), ("blocks",))
    assert sorted(arrays) == ["blocks", "weights"]
    np.savez(path, blocks=np.array([None, {}]))
    with pytest.raises(OpenMMException, match='"blocks"'):
        read_npz(path, (), ("blocks",))
    np.save(tmp_path / "data.npy", np.zeros(3))
    (tmp_path / "data.npy").rename(path)
    with pytest.raises(OpenMMException, match="not an NPZ file"):
        read_npz(path, ("weights",))


def test_reweight(files, ensemble):
    data = files / "drawn.npz"
    arguments = (
        "reweight",
        files / "flow.safetensors",
        files / "system.xml",
        data,
        "-T",
        300,
        "-o",
        files / "e",
    )
    np.savez(data, positions=np.full((2, 4, 3), "x"))
    result = run(*arguments)
    assert result.exit_code == 1 and "does not hold real numbers" in result.output
    np.savez(data, positions=10 * ensemble.positions)
    result = run(*arguments)
    assert result.exit_code == 1 and "looks like Angstrom: divide" in result.output
    assert len(result.output.splitlines()) == 1 and not (files / "e").exists()
    np.savez(data, positions=ensemble.positions)
    assert run(*arguments).exit_code == 0


def test_train_refuses_angstrom_in_any_file(files):
    pytest.importorskip("openmmflow_training")
    good, bad = files / "good.npz", files / "bad.npz"
    np.savez(good, positions=peroxide.make_positions(500))
    np.savez(bad, positions=10 * peroxide.make_positions(50))
    result = run(
        "train", files / "system.xml", files / "topology.pdb", "-T", 300, "--data", good, "--data", bad,
        "-o", files / "out",
    )  # fmt: skip
    assert result.exit_code == 1 and "bad.npz" in result.output and "Angstrom" in result.output


def test_bonds(system, topology):
    assert find_bonds(system, topology) == [(0, 1), (1, 2), (2, 3)] == find_bonds(system)
