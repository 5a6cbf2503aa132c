"""Derivatives of `fastbp.inspect` are the numerical ones, in float64, over all activations and losses."""

from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import Dense, activations, inspect, losses, reference
from helpers.differences import central_differences
from helpers.noted import noted
from helpers.problems import fitting, problem
from helpers.tables import ACTIVATIONS

SIZES, ROWS, STEP = (3, 5, 4, 2), 6, 1e-5
CASES = [(activation, "mse") for activation in ACTIVATIONS if activation.name != "step"]
CASES += [("tanh", loss) for loss in losses.LOSSES.values()]


def make(network_class, activation="tanh", loss="mse", *, layers=None, **options):
    """Return a network with the activation wherever it may stand, and data, in float64."""
    activation, loss = activations.get(activation), losses.get(loss)
    output = activation if losses.allowed(loss, activation) else None
    hidden = "tanh" if activation.name == "softmax" else activation
    options = {"activation": hidden, "output_activation": output, "dtype": "float64", "seed": 3} | options
    net = network_class(list(layers or fitting(SIZES, loss)), loss=loss, **options)
    rng = np.random.default_rng(2)
    net.parameters[:] += rng.normal(0, 0.3, net.parameters.size)  # biases, too
    X, y = problem((SIZES[0], net.layers[-1].n_out), ROWS, loss)
    return net, X.astype(np.float64), y if y.ndim == 1 else y.astype(np.float64)


def close(ours, numerical, rtol=1e-7):
    np.testing.assert_allclose(ours, numerical, rtol=rtol, atol=rtol * max(np.abs(numerical).max(), 1e-3))


class Numerical:
    """Central differences of what a network computes of some data."""

    def __init__(self, net, X, y, sample_weight=None):
        self.net, self.X, self.y = net, X, y
        self.weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.v = np.random.default_rng(7).normal(size=net.parameters.size)

    def input_gradients(self):
        return central_differences(lambda: self._loss(self.X, self.y), self.X, STEP)

    def jacobian(self):
        n = np.arange(len(self.X))
        by_all = central_differences(lambda: self.net.predict(self.X), self.X, STEP)  # (n, n_in, n, n_out)
        return by_all[n, :, n].swapaxes(1, 2)

    def per_sample_gradients(self):
        each = zip(np.split(self.X, len(self.X)), np.split(self.y, len(self.y)), strict=True)
        return [central_differences(partial(self._loss, x, t), self.net.parameters, STEP) for x, t in each]

    def hessian_vector_product(self):
        at, found = self.net.parameters.copy(), []
        for step in (STEP, -STEP):
            self.net.parameters[:] = at + step * self.v
            found.append(self.net.loss_and_gradients(self.X, self.y, **self.weighted)[1].copy())
        self.net.parameters[:] = at
        return (found[0] - found[1]) / (2 * STEP)

    def _loss(self, X, y):
        weighted = self.weighted if len(X) == len(self.X) else {}
        return self.net.evaluate(X, y, [], **weighted)["loss"]

    def check(self):
        """Compare all of these with `fastbp.inspect`."""
        data = self.net, self.X, self.y
        close(inspect.jacobian(self.net, self.X), self.jacobian())
        close(inspect.input_gradients(*data, **self.weighted), self.input_gradients())
        each = inspect.per_sample_gradients(*data)
        close(each, self.per_sample_gradients())
        close(inspect.per_sample_gradient_norms(*data), np.linalg.norm(each, axis=1), 1e-12)
        product = inspect.hessian_vector_product(*data, self.v, **self.weighted)
        close(product, self.hessian_vector_product())


@pytest.mark.parametrize(("activation", "loss"), CASES, ids=str)
def test_every_row(activation, loss):
    Numerical(*make(fastbp.Network, activation, loss)).check()


def test_a_step_lets_no_derivative_through():
    net, X, y = make(fastbp.Network, "step")
    numerical = Numerical(net, X, y)
    close(inspect.per_sample_gradients(net, X, y), numerical.per_sample_gradients())
    product = inspect.hessian_vector_product(net, X, y, numerical.v)
    assert not inspect.jacobian(net, X).any()
    assert not inspect.input_gradients(net, X, y).any()
    assert not product[: -net.weights[-1].size - net.biases[-1].size].any()


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "gaussian_nll"])
def test_the_reference(loss):
    Numerical(*make(reference.Network, loss=loss)).check()


def test_weights_of_rows_and_targets(network_class, rng):
    for loss in ("mse", "half_sse", "quantiles", "cross_entropy"):
        net, X, y = make(network_class, loss=loss)
        with noted(loss):
            Numerical(net, X, y, rng.uniform(0, 2, len(X))).check()
    net, X, y = make(network_class)
    Numerical(net, X, y, rng.uniform(0, 2, y.shape)).check()


def test_scaled_inputs_and_targets(network_class, rng):
    for loss in ("mse", "gaussian_nll", "quantiles"):
        net, X, y = make(network_class, loss=loss)
        X, y = 3 * X + 2, 5 * y - 7
        net.adapt(X, y)
        with noted(loss):
            Numerical(net, X, y).check()


def test_layers_without_bias(network_class):
    layers = [SIZES[0], Dense(5, "tanh", bias=False), Dense(4, "sigmoid"), Dense(2, bias=False)]
    Numerical(*make(network_class, layers=layers)).check()


def test_penalties_count_for_curvature_alone(network_class):
    layers = [SIZES[0], Dense(5, "tanh", l2=0.3), Dense(4, "sigmoid", l1=0.2), Dense(2, l2=0.1)]
    net, X, y = make(network_class, layers=layers)
    bare = make(network_class, layers=[SIZES[0], Dense(5, "tanh"), Dense(4, "sigmoid"), Dense(2)])[0]
    bare.parameters[:] = net.parameters
    numerical = Numerical(net, X, y)
    close(inspect.hessian_vector_product(net, X, y, numerical.v), numerical.hessian_vector_product())
    for function in (inspect.input_gradients, inspect.per_sample_gradients):
        np.testing.assert_array_equal(function(net, X, y), function(bare, X, y))


def test_penalties_divided_by_the_weight_of_the_rows(network_class, rng):
    layers = [SIZES[0], Dense(5, "tanh", l2=0.3, divide_penalty=True), Dense(2, l2=0.1)]
    net, X, y = make(network_class, layers=layers)
    for weights in (None, rng.uniform(0, 2, len(X)), rng.uniform(0, 2, y.shape)):
        numerical = Numerical(net, X, y, weights)
        product = inspect.hessian_vector_product(net, X, y, numerical.v, **numerical.weighted)
        close(product, numerical.hessian_vector_product())


def test_unknown_labels_and_class_probabilities(network_class, rng):
    net, X, _ = make(network_class, loss=fastbp.CrossEntropy(label_smoothing=0.1))
    Numerical(net, X, rng.dirichlet(np.ones(2), len(X))).check()
    net, X, y = make(network_class, loss=fastbp.CrossEntropy(ignore_index=-1))
    numerical = Numerical(net, X, np.where(np.arange(len(y)) == 2, -1, y))
    data = net, X, numerical.y
    close(inspect.input_gradients(*data), numerical.input_gradients())
    close(inspect.hessian_vector_product(*data, numerical.v), numerical.hessian_vector_product())
    assert not inspect.per_sample_gradients(*data)[2].any()


def test_a_frozen_layer_counts_like_any_other(network_class):
    layers = [SIZES[0], Dense(5, "tanh", l2=0.3, trainable=False), Dense(4, "sigmoid"), Dense(2)]
    net, X, y = make(network_class, layers=layers)
    free = make(network_class, layers=[SIZES[0], Dense(5, "tanh"), Dense(4, "sigmoid"), Dense(2)])[0]
    free.parameters[:] = net.parameters
    curvature = partial(inspect.hessian_vector_product, vector=Numerical(net, X, y).v)
    for function in (inspect.input_gradients, inspect.per_sample_gradients, curvature):
        # nor is its penalty part of the loss that is trained
        np.testing.assert_array_equal(function(net, X, y), function(free, X, y))


def test_a_custom_loss(network_class):
    def quartic(h, t):
        d = h - t
        return (d**4).mean(), 4 * d**3 / d.size

    Numerical(*make(network_class, loss=fastbp.CustomLoss(quartic))).check()


@pytest.mark.parametrize("second", [None, lambda z: -np.sin(z)], ids=["differences", "exact"])
def test_a_custom_activation(network_class, second):
    sine = fastbp.CustomActivation(np.sin, np.cos, "own sine", second_derivative=second)
    for loss in ("mse", "huber"):
        net, X, y = make(network_class, sine, loss)
        assert net.layers[-1].activation == sine
        with noted(loss):
            Numerical(net, X, y).check()
