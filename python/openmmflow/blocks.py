"""Long calls in blocks, so that Ctrl-C is handled between them and temporary memory stays bounded."""

import numpy as np

# Configurations in a block: enough to keep every thread and SIMD lane busy, less than a second of most flows.
BLOCK = 8192


def fill_in_blocks(function, count, shapes, lock):
    """Return an array (count, *shape) for each of `shapes`, made by function(start, stop) block by block."""
    arrays = [np.empty((count, *shape)) for shape in shapes]
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        with lock:
            results = function(start, stop)
        for array, result in zip(arrays, results, strict=True):
            array[start:stop] = result.reshape(array[start:stop].shape)
    return arrays
