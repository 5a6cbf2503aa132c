"""Networks, data and parity for the tests of sample and class weights and of unknown targets."""

import numpy as np
import pytest

import fastbp
from fastbp import losses, reference
from helpers.isas import ISAS, using
from helpers.problems import fitting, targets

LOSSES = [
    *losses.LOSSES.values(),
    fastbp.HalfSSE(reduction="mean"),
    fastbp.CrossEntropy(label_smoothing=0.1),
    fastbp.Quantiles([0.3, 0.9]),
]
#: Losses that ignore NaN in their targets
IGNORING = [
    *(type(loss)(ignore_nan=True) for loss in losses.LOSSES.values() if loss.name != "cross_entropy"),
    fastbp.HalfSSE("mean", ignore_nan=True),
    fastbp.Quantiles([0.3, 0.9], ignore_nan=True),
]
SHAPES = {"narrow": (3, 5, 2), "wide": (3, 33, 17, 3), "one output": (3, 33, 1)}

BATCHES = [  # rows, batch_size, shuffle
    (41, 7, True),
    (41, 7, False),
    (41, None, True),
    (1, 1, True),
    (9, 1, False),
]


def in_every_shape(among):
    """Parametrize with losses and sizes that go together: cross_entropy has classes, two at least."""
    return pytest.mark.parametrize(
        ("sizes", "loss"),
        [
            pytest.param(sizes, loss, id=f"{name}-{loss}")
            for loss in among
            for name, sizes in SHAPES.items()
            if sizes[-1] > 1 or loss.name != "cross_entropy"
        ],
    )


def some_weights(rows, rng):
    """Random weights, a third of them 0; the last one is not."""
    weights = rng.uniform(0.1, 3, rows)
    weights[:-1][rng.random(rows - 1) < 1 / 3] = 0
    return weights


def tolerance(dtype):
    return 1e-10 if dtype == "float64" else 1e-4


def make(network_class, sizes, loss, dtype="float64", **options):
    options = {"activation": "tanh", "optimizer": fastbp.SGD(1e-3), "seed": 1} | options
    return network_class(list(fitting(sizes, loss)), loss=loss, dtype=dtype, **options)


def weighted_problem(sizes, loss, rows, rng):
    """Return inputs (rows, sizes[0]) and targets in float64."""
    X = rng.standard_normal((rows, sizes[0]))
    return X, targets(rng, rows, fitting(sizes, loss)[-1], loss)


def results(net, X, y, weights, batch_size, shuffle):
    """Return the losses of all calls that take weights, the parameters and the gradients."""
    fit = net.fit(X, y, epochs=2, batch_size=batch_size, shuffle=shuffle, sample_weight=weights)
    found = [*fit.loss, net.train_on_batch(X, y, sample_weight=weights)]
    parameters = net.parameters.copy()
    gradients = net.loss_and_gradients(X, y, sample_weight=weights)[1].copy()
    return [*found, net.evaluate(X, y, [], sample_weight=weights)["loss"]], parameters, gradients


def assert_parity(sizes, loss, dtype, batches, rng, weights_of=None):
    """Compare the engines over batches (rows, batch_size, shuffle); by default, with weights of rows."""
    optimizer = fastbp.SGD(1e-5 if loss.divisor == "one" else 1e-3)
    for rows, batch_size, shuffle in batches:
        X, y = weighted_problem(sizes, loss, rows, rng)
        weights = weights_of(y.shape, rng) if weights_of else some_weights(rows, rng)

        def found(network_class, data=(X, y, weights, batch_size, shuffle)):
            return results(make(network_class, sizes, loss, dtype, optimizer=optimizer), *data)

        numpy = found(reference.Network)
        scale = max(np.abs(numpy[2]).max(), 1e-3)
        for isa in ISAS:
            with using(isa):
                native = found(fastbp.Network)
                np.testing.assert_allclose(native[0], numpy[0], rtol=tolerance(dtype), atol=1e-14)
                np.testing.assert_allclose(native[1], numpy[1], rtol=0, atol=tolerance(dtype))
                np.testing.assert_allclose(native[2], numpy[2], rtol=0, atol=tolerance(dtype) * scale)


def problem_with_nan(sizes, loss, rows, rng, share=0.4):
    """Return inputs and targets, a share of which is unknown; the last row has one that is known."""
    X, y = weighted_problem(sizes, loss, rows, rng)
    y = y.astype(float)
    known = y[-1, -1]
    y[rng.random(y.shape) < share] = np.nan
    y[-1, -1] = known
    return X, y
