"""Networks and data for the tests of sample and class weights."""

import fastbp
from helpers.problems import fitting, targets


def make(network_class, sizes, loss, dtype="float64", **options):
    options = {"activation": "tanh", "optimizer": fastbp.SGD(1e-3), "seed": 1} | options
    return network_class(list(fitting(sizes, loss)), loss=loss, dtype=dtype, **options)


def weighted_problem(sizes, loss, rows, rng):
    """Return inputs (rows, sizes[0]) and targets in float64."""
    X = rng.standard_normal((rows, sizes[0]))
    return X, targets(rng, rows, fitting(sizes, loss)[-1], loss)
