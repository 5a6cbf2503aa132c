"""Unknown classes, NaN for custom losses, and unknown targets that are refused."""

import math
import pickle

import numpy as np
import pytest

import fastbp
from fastbp.exceptions import DataError, DTypeError, ParameterError
from helpers.problems import targets
from helpers.tables import DTYPES
from helpers.weighted import IGNORING, make, problem_with_nan

nan = math.nan

every_loss = pytest.mark.parametrize("loss", IGNORING, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


# ---- classes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignored", [-1, 1, 255, -(2**63)])
@pytest.mark.parametrize("sizes", [(3, 5, 3), (3, 40, 3), (3, 33)])
@every_dtype
def test_rows_of_the_ignored_label_are_absent(sizes, ignored, dtype, network_class, isa, rng):
    X, y = rng.normal(size=(40, 3)), rng.integers(0, sizes[-1], 40)
    gone = rng.random(40) < 0.4 if ignored != 1 else y == 1
    y[gone] = ignored
    X[gone] = 1e6
    loss = fastbp.CrossEntropy(0.1, ignore_index=ignored)
    here, alone = (make(network_class, sizes, loss, dtype) for _ in range(2))
    names = ["accuracy", "f1", "auc", fastbp.metrics.TopK(2)]
    for options in ({}, {"class_weight": "balanced"}, {"sample_weight": rng.uniform(0, 2, 40)}):
        own = options | (
            {"sample_weight": options["sample_weight"][~gone]} if "sample_weight" in options else {}
        )
        got = here.fit(X, y, epochs=2, batch_size=7, **options).loss
        assert got == alone.fit(X[~gone], y[~gone], epochs=2, batch_size=7, **own).loss
        assert here.parameters.tobytes() == alone.parameters.tobytes()
        options.pop("class_weight", None), own.pop("class_weight", None)
        found = here.evaluate(X, y, names, **options)
        assert found == pytest.approx(alone.evaluate(X[~gone], y[~gone], names, **own), rel=1e-12)
    h, value = here.predict(X), here.loss_and_gradients(X, y)[0]
    assert here.loss(h, y) == pytest.approx(value, rel=1e-6)
    gradient = loss.gradient(h, y)
    np.testing.assert_array_equal(gradient[~gone], loss.gradient(h[~gone], y[~gone]))
    assert (gradient[gone] == 0).all()


def test_labels_that_are_none(network_class, state_of):
    net = network_class([2, 3], loss=fastbp.CrossEntropy(ignore_index=-1), seed=0)
    X, before = np.ones((4, 2)), state_of(net)
    for y, text in (
        ([0, 1, 2, 3], r"y\[3\] is 3, expected a class label, 0 to 2 .*, or -1 \(ignore_index\)"),
        ([-1, -1, 1, -2], r"y\[3\] is -2, expected a class label"),
        ([-1, -1, -1, -1], "y has no known target"),
    ):
        for call in (net.fit, net.evaluate, net.loss_and_gradients):
            with pytest.raises(DataError, match=text):
                call(X, y)
    with pytest.raises(DTypeError, match="expected integers"):
        net.fit(X, [0, 1, nan, 1])
    for call in (net.loss, net.loss.gradient):
        with pytest.raises(DataError, match="target has no known value"):
            call(np.full((2, 3), 1 / 3), [-1, -1])
    with pytest.raises(
        DataError, match=r"y\[0\] is -1, expected a class label, 0 to 2 \(the network's outputs\)$"
    ):
        network_class([2, 3], loss="cross_entropy").fit(X, [-1, 1, 0, 0])
    assert state_of(net) == before
    assert net.evaluate(X, np.eye(3)[[0, 1, 2, 0]])["loss"] > 0  # probabilities have no label


# ---- a loss of one's own -----------------------------------------------------------------------------------


def known_error(output, target):
    there = np.isfinite(target)
    error = np.where(there, output - target, 0)
    return float((error**2).sum() / there.sum()), 2 * error / there.sum()


def test_a_custom_loss_gets_nan(network_class, rng):
    X, y = problem_with_nan((3, 2), fastbp.MSE(), 30, rng)
    nets = [
        make(network_class, (3, 4, 2), loss)
        for loss in (fastbp.CustomLoss(known_error, nan_targets=True), fastbp.MSE(ignore_nan=True))
    ]
    fits = [net.fit(X, y, epochs=2, batch_size=None).loss for net in nets]
    np.testing.assert_allclose(*fits, rtol=1e-12)
    assert nets[0].evaluate(X, y)["loss"] == pytest.approx(nets[1].evaluate(X, y)["loss"], rel=1e-12)


# ---- refusals and values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ("mse", "MSE(ignore_nan=True) leaves unknown targets out"),
        ("hinge", "Hinge(ignore_nan=True) leaves unknown targets out"),
        (known_error, "CustomLoss(function, nan_targets=True) hands NaN to the function"),
    ],
)
def test_without_the_option_the_error_names_it(loss, text, network_class, state_of):
    net = network_class([2, 2], loss=loss, seed=0)
    before = state_of(net)
    for call in (net.fit, net.evaluate, net.loss_and_gradients, net.train_on_batch):
        with pytest.raises(DataError) as caught:
            call(np.ones((2, 2)), [[1, 1], [nan, 1]])
        assert str(caught.value) == f"y[1, 0] is nan, expected a finite number; {text}"
    assert state_of(net) == before


@pytest.mark.parametrize("loss", [*IGNORING, fastbp.CustomLoss(known_error, nan_targets=True)], ids=repr)
def test_infinity_is_refused(loss, network_class, state_of):
    net = network_class([2, 2 * loss.outputs_per_target], loss=loss, seed=0)
    before = state_of(net)
    for number, text in ((np.inf, "y[2, 1] is inf, expected a finite number"), (1e39, "in float32")):
        y = np.array([[1, 1], [nan, 1], [1, number]])
        with pytest.raises(DataError) as caught:
            net.fit(np.ones((3, 2)), y)
        assert text in str(caught.value)
    assert state_of(net) == before


@every_loss
def test_all_unknown_is_refused(loss, network_class, state_of):
    net = network_class([2, 2 * loss.outputs_per_target], loss=loss, seed=0)
    before = state_of(net)
    for call in (net.fit, net.evaluate, net.loss_and_gradients, net.train_on_batch):
        with pytest.raises(
            DataError, match="y has no known target with a weight above 0, expected at least one"
        ):
            call(np.ones((2, 2)), np.full((2, 2), nan))
    n_out = net.layers[-1].n_out
    y, weights = targets(np.random.default_rng(0), 2, n_out, loss).astype(float), [0.0, 1.0]
    y[1] = nan
    with pytest.raises(DataError, match="sample_weight with the known targets has no known target"):
        net.fit(np.ones((2, 2)), y, sample_weight=weights)
    assert state_of(net) == before


def test_values_of_known_targets_are_checked(network_class):
    net = network_class([2, 1], loss=fastbp.BinaryCrossEntropy(ignore_nan=True), seed=0)
    with pytest.raises(DataError, match=r"y\[1, 0\] is 1.5, expected a probability"):
        net.fit(np.ones((3, 2)), [[nan], [1.5], [0]])
    net = network_class([2, 1], loss=fastbp.Hinge(ignore_nan=True), seed=0)
    with pytest.raises(DataError, match=r"y\[1, 0\] is 0.0, expected -1 or 1"):
        net.fit(np.ones((3, 2)), [[nan], [0], [1]])


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (fastbp.MSE(ignore_nan=True), "MSE(ignore_nan=True)"),
        (fastbp.MSE(), "MSE()"),
        (fastbp.CrossEntropy(ignore_index=-1), "CrossEntropy(label_smoothing=0.0, ignore_index=-1)"),
        (fastbp.CustomLoss(known_error, nan_targets=True), "nan_targets=True"),
    ],
)
def test_copies_keep_the_option(loss, text, rng):
    net = fastbp.Network([3, 2], loss=loss, seed=0)
    for twin in (net.clone(), pickle.loads(pickle.dumps(net))):
        assert twin.loss == loss
        assert text in repr(twin.loss)
    with pytest.raises(ParameterError, match="ignore_nan is 1, expected True or False"):
        fastbp.Huber(ignore_nan=1)
