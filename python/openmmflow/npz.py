"""Arrays from NPZ files, checked."""

import numpy as np
from openmm import OpenMMException

INTEGERS_AND_REALS = "biuf"


def read_npz(path, numbers, labels=()):
    """Read the named arrays of an NPZ file, of which any may be absent.

    Parameters
    ----------
    path : str
    numbers : sequence of str
        names of arrays of real numbers
    labels : sequence of str
        names of arrays of anything that can be compared

    Returns
    -------
    dict of arrays
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            members = {name: _read(file, name) for name in (*numbers, *labels) if name in file}
    except OSError:
        raise
    except Exception as error:  # zipfile and numpy have many ways to say that a file is damaged
        raise OpenMMException(f"{path} is not an NPZ file: {error}") from error
    for name, array in members.items():
        if array is None or (name in numbers and array.dtype.kind not in INTEGERS_AND_REALS):
            raise OpenMMException(
                f'"{name}" in {path} does not hold real numbers only: save it as an array of floats.'
            )
    return members


def _read(file, name):
    """Return an array, or None if it is one of Python objects, which only pickle could load."""
    try:
        return file[name]
    except ValueError as error:
        if "Object arrays" in str(error):
            return None
        raise
