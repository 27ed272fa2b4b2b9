"""Ensembles as DCD trajectories, which other programs read."""

import os
import warnings
from pathlib import Path

import numpy as np
from openmm import OpenMMException

from openmmflow.topologies import require_atoms_of


def refuse_dcd(path):
    """Raise OpenMMException if the name of a file for a weighted ensemble is that of a trajectory."""
    if os.fspath(path).lower().endswith(".dcd"):
        raise OpenMMException(
            f"{path} would be no DCD file or lose the weights: name a .safetensors file, and save a resampled "
            "ensemble as DCD."
        )


def save_dcd(path, ensemble, topology=None):
    """Write the positions of an ensemble to a DCD file, under a temporary name until it is complete."""
    # MDTraj takes a second to import, and only trajectories need it. It writes all frames in one call.
    from mdtraj.formats import DCDTrajectoryFile

    if topology is not None:
        require_atoms_of(topology, ensemble)
    if len(ensemble) == 0:
        raise OpenMMException("A DCD file cannot be empty, and there is no sample in this ensemble.")
    if not np.isfinite(ensemble.log_weights).any():
        raise OpenMMException("No sample of this ensemble has a positive weight: there is nothing to save.")
    with np.errstate(invalid="ignore"):
        equal = np.ptp(ensemble.log_weights) <= 1e-9
    if not equal:
        warnings.warn("A DCD file holds no weights: resample() the ensemble first.", stacklevel=3)
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    try:
        with DCDTrajectoryFile(str(temporary), "w", force_overwrite=True) as file:
            file.write((ensemble.positions * 10).astype(np.float32))
        os.replace(temporary, path)
    except OSError as error:
        raise OpenMMException(f"Cannot write {path}: {error.strerror or error}.") from error
    except TypeError as error:  # what MDTraj 1.11 makes of a full disk
        raise OpenMMException(f"Cannot write {path}: is the disk full?") from error
    finally:
        temporary.unlink(missing_ok=True)
