"""Numerical derivatives, which the tests compare computed gradients with."""

import numpy as np


def central_differences(f, array, step):
    """Return df/darray, the derivatives of f() by each element, of shape (*array.shape, *shape of f()).

    `f` reads the array, which is changed in place and restored.
    """
    derivatives = []
    for i in np.ndindex(array.shape):
        value = array[i]
        array[i] = value + step
        above = f()
        array[i] = value - step
        below = f()
        array[i] = value
        derivatives.append((above - below) / (2 * step))
    return np.reshape(derivatives, (*array.shape, *np.shape(derivatives[0])))
