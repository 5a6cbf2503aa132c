"""The derivatives of `fastbp.inspect`."""

import numpy as np

import fastbp
from fastbp import inspect
from inspections import Jobs, direction

VERSION = f"fastbp {fastbp.__version__}"


def jacobian(shape):
    net, (X, _) = shape.network(), shape.data()
    return lambda: inspect.jacobian(net, X)


def gradients(shape):
    net, (X, y) = shape.network(), shape.data()
    return lambda: inspect.per_sample_gradients(net, X, y)


def gradients_into(shape):
    net, (X, y) = shape.network(), shape.data()
    out = np.empty((len(X), net.parameters.size), net.dtype)
    return lambda: inspect.per_sample_gradients(net, X, y, out=out)


def norms(shape):
    net, (X, y) = shape.network(), shape.data()
    return lambda: inspect.per_sample_gradient_norms(net, X, y)


def product(shape):
    net, (X, y) = shape.network(), shape.data()
    v = direction(net.parameters.size)
    return lambda: inspect.hessian_vector_product(net, X, y, v)


MAKERS = {
    "jacobian": {"": jacobian},
    "per-sample gradients": {"": gradients},
    "per-sample gradients, out": {"": gradients_into},
    "per-sample norms": {"": norms},
    "Hessian-vector product": {"": product},
}
jobs = Jobs(MAKERS, np.asarray)
ways, result, count, seconds = jobs.ways, jobs.result, jobs.count, jobs.seconds
