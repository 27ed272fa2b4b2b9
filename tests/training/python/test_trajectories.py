"""Trajectory files as training data."""

import mdtraj
import numpy as np
import peroxide
import pytest
from openmm import OpenMMException

from openmmflow.commands.trajectories import load_positions, load_training_data


@pytest.fixture
def trajectory():
    topology = mdtraj.Topology.from_openmm(peroxide.make_topology())
    return mdtraj.Trajectory(peroxide.make_positions(40, seed=4), topology)


@pytest.mark.parametrize("suffix, tolerance", [(".dcd", 1e-6), (".xtc", 1e-3), (".h5", 1e-6), (".pdb", 1e-3)])
def test_formats(folder, trajectory, suffix, tolerance):
    path = folder / f"trajectory{suffix}"
    trajectory.save(str(path))
    found = load_positions(path, None if suffix in (".h5", ".pdb") else folder / "topology.pdb")
    assert np.abs(found - trajectory.xyz).max() < tolerance


def test_topology_is_asked_for(folder, trajectory):
    trajectory.save(str(folder / "trajectory.dcd"))
    with pytest.raises(OpenMMException, match="--topology"):
        load_positions(folder / "trajectory.dcd")


def test_damaged_files(folder):
    for name in ("trajectory.dcd", "trajectory.npz", "trajectory.h5"):
        (folder / name).write_bytes(b"nothing")
        with pytest.raises(OpenMMException, match=name):
            load_positions(folder / name, folder / "topology.pdb")
    np.savez(folder / "trajectory.npz", coordinates=np.zeros((3, 4, 3)))
    with pytest.raises(OpenMMException, match='"positions"'):
        load_positions(folder / "trajectory.npz")


def test_files_do_not_share_blocks(folder):
    positions = peroxide.make_positions(40)
    np.savez(folder / "a.npz", positions=positions, blocks=np.repeat([7, 3], 20), weights=np.full(40, 2.0))
    np.savez(folder / "b.npz", positions=positions[:10])
    joined, weights, blocks = load_training_data([folder / "a.npz", folder / "b.npz"])
    assert joined.shape == (50, 4, 3)
    assert weights.tolist() == [2.0] * 40 + [1.0] * 10
    assert set(blocks[:40]) == {0, 1} and len(set(blocks[:20])) == 1
    assert min(blocks[40:]) == 2 and (np.diff(blocks[40:]) >= 0).all()
    assert load_training_data([folder / "b.npz"])[1] is None


def test_files_of_different_molecules(folder):
    np.savez(folder / "a.npz", positions=np.zeros((2, 4, 3)))
    np.savez(folder / "b.npz", positions=np.zeros((2, 5, 3)))
    with pytest.raises(OpenMMException, match="5 particles"):
        load_training_data([folder / "a.npz", folder / "b.npz"])
