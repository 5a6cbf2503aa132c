"""Metrics of a network: the names each loss takes, custom metrics, what is refused before training."""

import math

import numpy as np
import pytest

from fastbp import ParameterError, losses, metrics
from fastbp.metrics import TopK

OF_CLASSES = {"accuracy", "f1", "auc"}
OF_NUMBERS = {"r2", "mae"}

BY_LOSS = {
    "cross_entropy": OF_CLASSES | {"top_k"},
    "binary_cross_entropy": OF_CLASSES | OF_NUMBERS,
    "hinge": OF_CLASSES,
}

NAMES = OF_CLASSES | OF_NUMBERS | {"top_k"}


@pytest.fixture(params=sorted(losses.LOSSES))
def case(request, network_class, rng):
    """A network with this loss, and data for it."""
    net = network_class([3, 8, 6], loss=request.param, seed=0)
    X = rng.normal(size=(20, 3))
    shape = 20, 6 // net.loss.outputs_per_target
    y = rng.integers(6, size=20) if request.param == "cross_entropy" else rng.integers(2, size=shape)
    return net, X, 2 * y - 1 if request.param == "hinge" else y


def test_every_name_is_measured_or_refused_for_every_loss(case):
    net, X, y = case
    goes = BY_LOSS.get(net.loss.name, OF_NUMBERS)
    found = net.evaluate(X, y, metrics=sorted(goes))
    assert list(found) == ["loss", *sorted(goes)]
    assert all(type(value) is float for value in found.values())
    for name in NAMES - goes:
        with pytest.raises(
            ParameterError, match=rf"metrics has '{name}' with the loss '{net.loss.name}', exp"
        ):
            net.evaluate(X, y, metrics=[name])
    default = "accuracy" if "accuracy" in goes else "r2"
    assert net.evaluate(X, y) == net.evaluate(X, y, metrics=default)
    assert list(net.evaluate(X, y, metrics=[])) == ["loss"]


def test_measured_is_what_the_functions_say(network_class, rng):
    X, labels = rng.normal(size=(50, 4)), rng.integers(7, size=50)
    net = network_class([4, 7], loss="cross_entropy", seed=0)
    found = net.evaluate(X, labels, metrics=("accuracy", "f1", "auc", TopK(2)))
    output = net.predict(X)
    by_hand = (metrics.accuracy, metrics.f1, metrics.auc, TopK(2))
    assert list(found.values())[1:] == [metric(output, labels) for metric in by_hand]


def test_a_custom_metric(make, data):
    net = make()
    calls = []

    def worst(output, target):
        calls.append((output, target))
        return np.abs(output - target).max()

    found = net.evaluate(*data, metrics=["mae", worst])
    assert found["worst"] == np.abs(net.predict(data[0]) - data[1]).max()
    assert type(found["worst"]) is float
    np.testing.assert_array_equal(calls[0][1], data[1])


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f8"])
def test_what_a_custom_metric_gets_is_read_only(network_class, rng, dtype):
    """A metric cannot change y, the training, or the arguments of the next metric."""
    X = rng.normal(size=(20, 3))
    y = X[:, 0].astype(dtype)
    before = y.copy()

    def careless(output, target):
        target -= output

    def stubborn(output, target):
        for given in (output, target):
            with pytest.raises(ValueError, match="WRITEABLE"):
                given.flags.writeable = True
            with pytest.raises(ValueError, match="read-only"):
                given[0] = 0
        return np.abs(target - output).max()

    net, twin = (network_class([3, 4, 1], seed=0) for _ in range(2))
    for call in (
        lambda: net.evaluate(X, y, metrics=careless),
        lambda: net.fit(X, y, validation_data=(X, y), metrics=careless),
    ):
        with pytest.raises(ValueError, match="read-only"):
            call()
    net.reset()
    found = net.fit(X, y, epochs=3, validation_data=(X, y), metrics=[stubborn, "mae"])
    assert (
        found.validation_mae == twin.fit(X, y, epochs=3, validation_data=(X, y), metrics="mae").validation_mae
    )
    np.testing.assert_array_equal(y, before)


def test_nan_outputs_make_every_metric_nan(network_class, rng):
    X, labels = rng.normal(size=(10, 4)), rng.integers(7, size=10)
    net = network_class([4, 7], loss="cross_entropy", seed=0)
    net.parameters[0] = np.nan
    found = net.evaluate(X, labels, metrics=["accuracy", "f1", "auc", "top_k", lambda output, target: 0.0])
    assert len(found) == 6
    assert all(math.isnan(value) for value in found.values())


REFUSED = {
    "an unknown name": (
        "accurracy",
        r"metrics has 'accurracy' .* expected one of: accuracy, f1, auc, top_k;",
    ),
    "no callable": ([3], r"metrics has 3 "),
    "a class": ([TopK], r"metrics has <class .*TopK"),
    "one name twice": (["f1", "f1"], r"metrics has a second 'f1'"),
    "as many as outputs": (TopK(7), r"metrics has TopK\(k=7\), expected k < 7"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_training(network_class, rng, state_of, given, message):
    X, labels = rng.normal(size=(10, 4)), rng.integers(7, size=10)
    net = network_class([4, 7], loss="cross_entropy", seed=0)
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.evaluate(X, labels, metrics=given)
    with pytest.raises(ParameterError, match=message):
        net.fit(X, labels, validation_data=(X, labels), metrics=given)
    assert state_of(net) == before


def test_top_k_needs_classes(make, data):
    with pytest.raises(
        ParameterError, match=r"metrics has TopK\(k=1\) with the loss 'mse', expected one of: r2"
    ):
        make().evaluate(*data, metrics=TopK(1))
    with pytest.raises(ParameterError, match="k is 0"):
        TopK(0)


def test_metrics_without_validation_data(make, data):
    with pytest.raises(ParameterError, match="'r2' without validation_data, expected validation_data, too"):
        make().fit(*data, metrics="r2")


def test_names_with_a_custom_loss(make, data):
    net = make(loss=lambda output, target: (0.0, output))
    with pytest.raises(ParameterError, match="has 'accuracy' with the loss 'custom', expected a callable"):
        net.evaluate(*data, metrics="accuracy")


def test_what_a_custom_metric_returns_is_a_number(make, data):
    def pair(output, target):
        return output, target

    with pytest.raises(ParameterError, match="the metric 'pair' returned") as caught:
        make().evaluate(*data, metrics=pair)
    assert str(caught.value).count("ndarray of shape (23, 2)") == 2
    assert "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match=r"returned 10+.*, expected a number"):
        make().evaluate(*data, metrics=lambda output, target: 10**400)
