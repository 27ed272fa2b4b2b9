"""Reads configurations from trajectory files, through MDTraj, and from NPZ files."""

from pathlib import Path

import numpy as np
from openmm import OpenMMException

from openmmflow.npz import read_npz

# The formats of MDTraj that hold a topology themselves.
SELF_CONTAINED = {".h5", ".hdf5", ".pdb", ".cif", ".pdbx", ".gro", ".lh5"}


def load_positions(path, topology=None):
    """Read the positions of a trajectory.

    Parameters
    ----------
    path : str
        DCD, XTC, HDF5 or whatever else MDTraj reads, or an NPZ file with an array "positions" in nm
    topology : str, optional
        a PDB or mmCIF file; formats without a topology of their own need it

    Returns
    -------
    (count, N, 3) in nm
    """
    if Path(path).suffix.lower() == ".npz":
        return _load_npz(path)["positions"]
    import mdtraj

    if topology is None and Path(path).suffix.lower() not in SELF_CONTAINED:
        raise OpenMMException(
            f"{path} holds no topology of its own: name a PDB or mmCIF file with --topology."
        )
    options = {} if Path(path).suffix.lower() in SELF_CONTAINED else {"top": str(topology)}
    try:
        trajectory = mdtraj.load(str(path), **options)
    except FileNotFoundError:
        raise
    except Exception as error:  # the readers of MDTraj raise whatever their parsing meets
        raise OpenMMException(f"{path} could not be read as a trajectory: {error}") from error
    return trajectory.xyz


def load_training_data(paths, topology=None, check=None):
    """Read trajectories to train on, in the order given.

    An NPZ file may hold "weights" (count,) and "blocks" (count,) besides: a weight for each frame, and which
    uncorrelated part of the data it belongs to. Frames of different files never share a block. A file without
    blocks is one trajectory, and is cut into 20.

    Parameters
    ----------
    paths : list of str
    topology : str, optional
        as for load_positions()
    check : callable, optional
        check(path, positions) raises if the positions of a file will not do

    Returns
    -------
    positions (count, N, 3), weights (count,) or None, blocks (count,)
    """
    positions, weights, blocks = [], [], []
    next_block = 0
    for path in paths:
        arrays = _load_npz(path, "weights", labels=("blocks",)) if Path(path).suffix.lower() == ".npz" else {}
        frames = arrays["positions"] if arrays else load_positions(path, topology)
        if positions and frames.shape[1] != positions[0].shape[1]:
            raise OpenMMException(
                f"{path} has {frames.shape[1]} particles, but {paths[0]} has {positions[0].shape[1]}."
            )
        if check is not None:
            check(path, frames)
        count = len(frames)
        for name in ("weights", "blocks"):
            if name in arrays and arrays[name].shape != (count,):
                raise OpenMMException(
                    f'"{name}" in {path} has shape {arrays[name].shape} where ({count},) is needed.'
                )
        block = arrays["blocks"] if "blocks" in arrays else np.arange(count) * 20 // max(count, 1)
        _, block = np.unique(block, return_inverse=True)
        positions.append(frames)
        weights.append(arrays.get("weights"))
        blocks.append(block + next_block)
        next_block += int(block.max(initial=-1)) + 1
    if all(weight is None for weight in weights):
        weights = None
    else:
        weights = [
            np.ones(len(frames)) if weight is None else weight
            for weight, frames in zip(weights, positions, strict=True)
        ]
    return (
        np.concatenate(positions),
        None if weights is None else np.concatenate(weights),
        np.concatenate(blocks),
    )


def _load_npz(path, *numbers, labels=()):
    arrays = read_npz(path, ("positions", *numbers), labels)
    positions = arrays.get("positions")
    if positions is None or positions.ndim != 3 or positions.shape[2] != 3:
        raise OpenMMException(f'{path} needs an array "positions" of shape (count, N, 3), in nm.')
    return arrays
