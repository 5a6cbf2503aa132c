"""Arguments for tests of odd arrays, and the outcome of a call as a value."""

from functools import partial
from itertools import product

import numpy as np

import fastbp

REFUSED = (fastbp.Error, TypeError, ValueError)
ROWS = 5_000  # some pages of memory in each array
SIZES = [3, 4, 1]


class Arrays:
    """Honest arguments."""

    def __init__(self, rows=ROWS):
        rng = np.random.default_rng(0)
        self.X = rng.random((rows, 3), np.float32)
        self.y = rng.random((rows, 1), np.float32)
        self.weights = rng.random(rows)
        self.held_out_X, self.held_out_y = self.X.copy(), self.y.copy()
        self.out = np.zeros((rows, 1), np.float32)


def custom_loss(output, target):
    error = output - target.reshape(output.shape)
    return float(np.mean(error**2)), 2 * error / error.size


def network(**options):
    return fastbp.Network(SIZES, seed=0, **options)


def outcome(call, *args):
    """Return what came of a call as a value in a tuple, or None if it was refused."""
    try:
        return (value(call(*args)),)
    except REFUSED:
        return None


def value(result):
    if isinstance(result, np.ndarray):
        return result.shape, result.tobytes()
    if isinstance(result, fastbp.History):
        return result.loss
    if isinstance(result, tuple):
        return [value(part) for part in result]
    return result


def table(form, probe, *parts):
    """Return a probe for each combination of the parts."""
    return {form.format(*chosen): partial(probe, *chosen) for chosen in product(*parts)}


# ---- what may happen to an array ---------------------------------------------------------------------------


def reshape(array):
    array.shape = (array.size, 1) if array.ndim == 2 and array.shape[1] > 1 else (1, array.size)


def retype(array):
    array.dtype = np.int8 if array.dtype == np.float32 else np.int16


def shrink(array):
    array.resize(1, refcheck=False)


def grow(array):
    array.resize(array.size * 16, refcheck=False)


ATTACKS = {"reshape": reshape, "retype": retype, "shrink": shrink, "grow": grow}
