"""Arrays whose numbers lie across the borders of words give what others give."""

import numpy as np

from fastbp import inspect


def misaligned(array):
    """Return a copy whose memory begins one byte behind such a border."""
    memory = np.empty(array.nbytes + 1, np.uint8)[1:]
    copy = memory.view(array.dtype).reshape(array.shape)
    copy[...] = array
    assert not copy.flags.aligned
    return copy


def test_misaligned_arrays(network_class, data):
    X, y = (array.astype(np.float32) for array in data)
    net = network_class([4, 3, 2], activation="tanh")
    vector = np.linspace(-1, 1, net.n_parameters, dtype=np.float32)
    calls = {
        "diagnose": lambda X, y, v: net.diagnose(X, y).loss,
        "jacobian": lambda X, y, v: inspect.jacobian(net, X),
        "input_gradients": lambda X, y, v: inspect.input_gradients(net, X, y),
        "per_sample_gradients": lambda X, y, v: inspect.per_sample_gradients(net, X, y),
        "hessian_vector_product": lambda X, y, v: inspect.hessian_vector_product(net, X, y, v),
        "blame": lambda X, y, v: str(inspect.blame(net, X, y)),
        "feature_importance": lambda X, y, v: str(inspect.feature_importance(net, X, y)),
    }
    for name, call in calls.items():
        plain, odd = call(X, y, vector), call(*map(misaligned, (X, y, vector)))
        np.testing.assert_array_equal(plain, odd, err_msg=name)
