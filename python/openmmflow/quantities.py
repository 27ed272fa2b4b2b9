"""What callers pass (Quantity or numbers, any array type) as arrays that the C++ library takes, checked."""

import operator

import numpy as np
from openmm import OpenMMException, unit


def configurations(positions, num_particles):
    """Return positions as a contiguous float64 array (count, N, 3) in nm.

    Parameters
    ----------
    positions : array or Quantity of a length
    num_particles : int or None
        N; None accepts any
    """
    array = _numbers(positions, unit.nanometer, "Positions")
    particles = "N" if num_particles is None else num_particles
    if array.ndim == 2 and array.shape[1:] == (3,):
        raise OpenMMException(
            f"Positions have shape {array.shape}, one configuration; (count, {particles}, 3) is needed: "
            "pass positions[np.newaxis]."
        )
    if array.ndim != 3 or array.shape[2] != 3 or num_particles not in (None, array.shape[1]):
        raise OpenMMException(f"Positions have shape {array.shape} where (count, {particles}, 3) is needed.")
    return array


def sample_indices(count, seed, first):
    """Return the three integers that name samples, from anything that is an integer."""
    count, seed, first = operator.index(count), random_seed(seed), operator.index(first)
    if count < 0:
        raise OpenMMException(f"{count} samples cannot be drawn: give a count of 0 or more.")
    if first < 0 or first + count >= 2**64 or count >= 2**63:
        raise OpenMMException(
            f"Samples are numbered from 0 to 2^64-2: {count} of them cannot start at {first}."
        )
    return count, seed, first


def random_seed(seed):
    """Return anything that is an integer of 64 bits as an int."""
    seed = operator.index(seed)
    if not 0 <= seed < 2**64:
        raise OpenMMException(f"The seed must lie in 0 ... 2^64-1, and {seed} does not.")
    return seed


def per_sample(values, count, name):
    """Return dimensionless numbers, one for each of `count` samples, as a contiguous float64 array."""
    array = _numbers(values, unit.dimensionless, name)
    if array.shape != (count,):
        raise OpenMMException(f"{name} have shape {array.shape} where ({count},) is needed: one a sample.")
    return array


def replica_temperatures(temperatures):
    """Return temperatures in K, one for each replica, as a contiguous float64 array (replicas,)."""
    array = _numbers(temperatures, unit.kelvin, "Temperatures")
    if array.ndim != 1:
        raise OpenMMException(f"Temperatures have shape {array.shape} where one for each replica is needed.")
    return array


def integer(value, minimum, maximum, name):
    """Return anything that is an integer as an int, checked."""
    value = operator.index(value)
    if not minimum <= value <= maximum:
        raise OpenMMException(f"The {name} must lie in {minimum} to {maximum}, and {value} does not.")
    return value


def integers(values, name, shape=("count",), dtype=np.intc):
    """Return numbers of any integer type as a contiguous array of dtype and shape, of which the first may be "count"."""
    array = np.asarray(values)
    if array.size == 0:
        array = np.zeros((0, *shape[1:]), dtype)
    if array.dtype.kind not in "iu":
        raise OpenMMException(f"The {name} are of type {array.dtype}; whole numbers are needed.")
    if array.ndim != len(shape) or any(
        n not in ("count", m) for n, m in zip(shape, array.shape, strict=True)
    ):
        needed = str(shape).replace("'", "")
        raise OpenMMException(f"The {name} have shape {array.shape} where {needed} is needed.")
    limits = np.iinfo(dtype)
    if array.size > 0 and (array.max() > limits.max or array.min() < limits.min):
        raise OpenMMException(f"The {name} must lie in {limits.min} to {limits.max}, and not all do.")
    return np.ascontiguousarray(array, dtype=dtype)


def boolean(value, name):
    """Return True or False, and nothing else as one of them."""
    if not isinstance(value, (bool, np.bool_)):
        raise OpenMMException(f"The option {name} must be True or False, not {value!r}.")
    return bool(value)


def length(value, name):
    """Return a length in nm as a float."""
    return _number(value, unit.nanometer, name)


def number(value, name):
    """Return a dimensionless number as a float."""
    return _number(value, unit.dimensionless, name)


def replicas_of(values, value_unit, num_replicas, num_particles, name):
    """Return one vector for each particle of each replica, (replicas, N, 3); (N, 3) is taken for all replicas."""
    array = _numbers(values, value_unit, name)
    shape = (num_replicas, num_particles, 3)
    if array.shape not in (shape, shape[1:]):
        raise OpenMMException(f"{name} have shape {array.shape} where {shape} or {shape[1:]} is needed.")
    return np.ascontiguousarray(np.broadcast_to(array, shape))


def conformation(positions, num_particles):
    """Return the positions of one configuration as a contiguous float64 array (N, 3) in nm."""
    array = _numbers(positions, unit.nanometer, "Positions")
    if array.shape != (num_particles, 3):
        raise OpenMMException(f"Positions have shape {array.shape} where ({num_particles}, 3) is needed.")
    return array


def values_and_unit(values, count):
    """Return one number for each of `count` samples, (count,), and the unit they had, or None."""
    value_unit = values.unit if unit.is_quantity(values) else None
    array = _numbers(values, value_unit, "Values")
    if array.shape != (count,):
        raise OpenMMException(f"Values have shape {array.shape} where ({count},) is needed: one a sample.")
    return array, value_unit


def mask(region, count):
    """Return a boolean array (count,) that says which samples lie in a region."""
    array = np.ascontiguousarray(region)
    if array.dtype != bool or array.shape != (count,):
        raise OpenMMException(
            f"A region is {array.dtype} of shape {array.shape}; booleans of shape ({count},) are needed."
        )
    return array


def _number(value, value_unit, name):
    array = _numbers(value, value_unit, f"The {name}")
    if array.shape != ():
        raise OpenMMException(f"The {name} has shape {array.shape} where one number is needed.")
    return float(array)


def _numbers(values, value_unit, name):
    if isinstance(values, list | tuple) and any(unit.is_quantity(value) for value in values):
        # numpy would read these as bare numbers, whatever their units.
        return np.stack([_numbers(value, value_unit, name) for value in values])
    if unit.is_quantity(values):
        if not values.unit.is_compatible(value_unit):
            raise OpenMMException(f"{name} must be in {value_unit} or a multiple, not in {values.unit}.")
        values = values.value_in_unit(value_unit)
    try:
        values = np.asanyarray(values)
        if np.ma.is_masked(values):
            raise TypeError("some of them are masked")
        if values.dtype.kind not in "biufO":
            raise TypeError(f"they are of type {values.dtype}")
        return np.asarray(values, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise OpenMMException(f"{name} are not an array of real numbers: {error}.") from error
