"""Numerical derivatives, which the tests compare computed gradients with."""

import numpy as np

# where a derivative of some order jumps: numerical differences must not straddle it
KINKS = {
    "relu": (0,), "relu6": (0, 6), "leaky_relu": (0,), "elu": (0,), "selu": (0,), "celu": (0,), "step": (0,),
    "softsign": (0,), "hard_sigmoid": (-3, 3), "hard_swish": (-3, 3), "hard_tanh": (-1, 1),
    "mae": (0,), "huber": (-1, -0.3, 0.3, 1), "quantile": (0,), "quantiles": (0,), "hinge": (0,),
}  # fmt: skip


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
