"""FANN 2.2 through ctypes (Debian: libfann2): plain gradient descent, with single samples or full batches."""

from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, byref, c_double, c_float, c_int, c_uint, c_void_p

import numpy as np

import fastbp
from fastbp.cli.bench import Workload
from fastbp.cli.rivals import UnsupportedError, activations, first_parameters

VERSION = "FANN 2.2"
INCREMENTAL, BATCH = 0, 1
LINEAR_ERROR = 0
# FANN's number of the function, and the steepness that gives the usual formula
ACTIVATIONS = {"identity": (0, 1.0), "sigmoid": (3, 0.5), "tanh": (5, 1.0)}


def library(name: str) -> CDLL:
    """Return a build of FANN, with the types of the functions used here."""
    try:
        fann = CDLL(name)
    except OSError as error:
        raise UnsupportedError(f"{error} (Debian: apt install libfann2)") from None
    fann.fann_create_standard_array.restype = c_void_p
    fann.fann_create_train_from_callback.restype = c_void_p
    fann.fann_train_epoch.restype = c_float
    return fann


LIBRARIES = {
    "float32": (library("libfloatfann.so.2"), c_float),
    "float64": (library("libdoublefann.so.2"), c_double),
}


class Training:
    rtol = 1e-6  # FANN sums its loss in single precision

    def __init__(self, workload: Workload) -> None:
        plain = isinstance(workload.optimizer, fastbp.SGD)
        if not plain or workload.batch_size > 1 < workload.batches or workload.shuffle:
            raise UnsupportedError("no batches but all rows and one row, and no Adam")
        if not set(activations(workload)) <= set(ACTIVATIONS):
            raise UnsupportedError(f"not all of these activations: {', '.join(activations(workload))}")
        self._fann, self._real = LIBRARIES[workload.dtype]
        self._elements = workload.layers[-1]  # its error is a mean over these
        rows = workload.batch_size * workload.batches
        self._create(workload)
        self._set_data(*workload.data())

        # its gradient is h - t: the slope of half_sse, or that of mse times elements / 2
        rate = workload.optimizer.learning_rate
        self._factor = 1.0
        if workload.loss == "half_sse":
            self._factor = 0.5 * self._elements * workload.batch_size
        else:
            rate *= 2 / self._elements
        is_incremental = workload.batch_size == 1
        if not is_incremental:
            rate *= rows  # FANN divides by them
        self._call("set_training_algorithm", c_int(INCREMENTAL if is_incremental else BATCH))
        self._call("set_train_error_function", c_int(LINEAR_ERROR))
        self._call("set_learning_rate", c_float(rate))
        self._call("set_learning_momentum", c_float(0))

    def _call(self, function, *arguments):
        return getattr(self._fann, f"fann_{function}")(c_void_p(self._network), *arguments)

    def _create(self, workload):
        sizes = workload.layers
        self._network = self._fann.fann_create_standard_array(len(sizes), (c_uint * len(sizes))(*sizes))
        for i, name in enumerate(activations(workload), start=1):
            number, steepness = ACTIVATIONS[name]
            self._call("set_activation_function_layer", c_int(number), c_int(i))
            self._call("set_activation_steepness_layer", self._real(steepness), c_int(i))

        class Connection(Structure):
            _fields_ = (("source", c_uint), ("target", c_uint), ("weight", self._real))

        # neurons are numbered layer by layer; the last of a layer is its bias
        first = np.cumsum([0, *(n + 1 for n in sizes)])
        weights = {}
        for i, (W, b) in enumerate(first_parameters(workload)):
            for source, row in enumerate([*W, b], start=first[i]):
                weights |= {(source, target): w for target, w in enumerate(row, start=first[i + 1])}
        self._connections = (Connection * self._call("get_total_connections"))()
        self._call("get_connection_array", byref(self._connections))
        for connection in self._connections:
            connection.weight = weights[connection.source, connection.target]

    def _set_data(self, X, y):
        row = POINTER(self._real)

        def fill(i, n_in, n_out, x, t):
            np.ctypeslib.as_array(x, (n_in,))[:] = X[i]
            np.ctypeslib.as_array(t, (n_out,))[:] = y[i]

        sizes = map(c_uint, (len(X), X.shape[1], y.shape[1]))
        callback = CFUNCTYPE(None, c_uint, c_uint, c_uint, row, row)(fill)
        self._data = self._fann.fann_create_train_from_callback(*sizes, callback)

    def reset(self):
        self._call("set_weight_array", byref(self._connections), c_uint(len(self._connections)))

    def train(self, epochs):
        train, network, data = self._fann.fann_train_epoch, c_void_p(self._network), c_void_p(self._data)
        for _ in range(epochs):
            error = train(network, data)
        return error * self._factor
