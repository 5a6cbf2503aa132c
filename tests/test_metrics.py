"""Metrics: by hand, against scikit-learn, by name for each loss, and callables of one's own."""

import math
import tracemalloc
import warnings

import numpy as np
import pytest

from fastbp import ParameterError, losses, metrics
from fastbp.metrics import TopK, at_least_half, positive

READERS = {"classes": metrics.most_probable, "yes/no": at_least_half, "signs": positive}


@pytest.fixture
def sklearn_metrics():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


@pytest.fixture(params=["one block", "several"])
def blocks(request, monkeypatch):
    """Few rows a block, or all."""
    if request.param == "several":
        monkeypatch.setattr(metrics, "BLOCK_ROWS", 7)


@pytest.fixture
def classes(rng):
    """Probabilities of three classes with ties, and labels."""
    output = rng.integers(1, 5, size=(100, 3)).astype(np.float32)
    return output / output.sum(axis=1, keepdims=True), rng.integers(3, size=100)


@pytest.fixture
def labels(rng):
    """Probabilities of four yes/no answers with ties, and these."""
    return rng.integers(0, 9, size=(100, 4)) / np.float32(8), rng.integers(2, size=(100, 4))


# ---- by hand -----------------------------------------------------------------------------------------------

P = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]])  # answers 0 1 0 2
T = np.array([0, 1, 1, 2])
YES = np.array([[0.9], [0.5], [0.4], [0.1]])  # answers yes yes no no
TRUE = np.array([[1.0], [0.0], [1.0], [0.0]])


def test_by_hand():
    assert metrics.accuracy(P, T) == 3 / 4
    assert metrics.f1(P, T) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert metrics.auc(P, T) == pytest.approx((1 + 1 + 1) / 3)
    assert TopK(2)(P, T) == 1
    assert metrics.accuracy(YES, TRUE, at_least_half) == 1 / 2
    assert metrics.f1(YES, TRUE, at_least_half) == 1 / 2
    assert metrics.auc(YES, TRUE, at_least_half) == 3 / 4
    assert metrics.r2(YES, TRUE) == pytest.approx(1 - (0.01 + 0.25 + 0.36 + 0.01))
    assert metrics.mae(YES, TRUE) == pytest.approx((0.1 + 0.5 + 0.6 + 0.1) / 4)


def test_signs():
    output, target = np.array([[2.0], [-0.5], [0.0], [0.1]]), np.array([[1], [-1], [-1], [-1]])
    assert metrics.accuracy(output, target, positive) == 3 / 4
    assert metrics.auc(output, target, positive) == 1
    assert metrics.f1(output, target, positive) == pytest.approx(2 / 3)


def test_r2_of_constant_targets():
    constant = np.full((4, 1), 3.0)
    assert metrics.r2(constant, constant) == 1
    assert metrics.r2(constant + 1, constant) == 0


def test_auc_of_ties_is_a_half():
    assert metrics.auc(np.full((4, 1), 0.3), TRUE, at_least_half) == 1 / 2


def test_without_yes_and_no_there_is_no_auc():
    assert math.isnan(metrics.auc(YES, np.ones((4, 1)), at_least_half))
    assert math.isnan(metrics.auc(P, np.zeros(4, int)))
    assert metrics.auc(P[:2], T[:2]) == 1  # of the classes 0 and 1; 2 is left out


def test_without_any_yes_there_is_no_f1():
    assert math.isnan(metrics.f1(np.zeros((4, 1)), np.zeros((4, 1)), at_least_half))
    assert metrics.f1(P[:2], T[:2]) == 1  # class 2 is left out


def test_of_equal_outputs_the_lower_class_counts_first():
    """As for `predict_classes`: a network that always says the same is right by chance alone."""
    output, target = np.ones((6, 3)), np.array([0, 0, 0, 1, 1, 2])
    assert TopK(1)(output, target) == metrics.accuracy(output, target) == 3 / 6
    assert TopK(2)(output, target) == 5 / 6


# ---- against NumPy and scikit-learn ------------------------------------------------------------------------


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, ">i4", bool])
def test_labels_of_any_integer_type_and_one_hot_rows(classes, dtype):
    output, target = classes
    target = target.astype(dtype)
    one_hot = np.eye(3)[target.astype(int)]
    assert metrics.accuracy(output, target) == np.mean(output.argmax(axis=1) == target)
    for metric in (metrics.accuracy, metrics.f1, metrics.auc, TopK(2)):
        assert metric(output, target) == metric(output, one_hot)


@pytest.mark.usefixtures("blocks")
def test_classes_as_scikit_learn(classes, sklearn_metrics):
    output, target = classes
    answers = output.argmax(axis=1)
    assert metrics.accuracy(output, target) == pytest.approx(sklearn_metrics.accuracy_score(target, answers))
    assert metrics.f1(output, target) == pytest.approx(
        sklearn_metrics.f1_score(target, answers, average="macro")
    )
    expected = sklearn_metrics.roc_auc_score(target, output, multi_class="ovr")
    assert metrics.auc(output, target) == pytest.approx(expected)


@pytest.mark.usefixtures("blocks")
def test_labels_as_scikit_learn(labels, sklearn_metrics):
    output, target = labels
    answers = output >= 0.5
    assert metrics.accuracy(output, target, at_least_half) == np.mean(answers == target)
    expected = sklearn_metrics.f1_score(target, answers, average="macro")
    assert metrics.f1(output, target, at_least_half) == pytest.approx(expected)
    expected = sklearn_metrics.roc_auc_score(target, output)
    assert metrics.auc(output, target, at_least_half) == pytest.approx(expected)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("k", [1, 2, 6])
def test_top_k_as_scikit_learn(rng, sklearn_metrics, k):
    output, target = rng.random((100, 7)), rng.integers(7, size=100)
    expected = sklearn_metrics.top_k_accuracy_score(target, output, k=k, labels=range(7))
    assert TopK(k)(output, target) == pytest.approx(expected)


@pytest.mark.usefixtures("blocks")
def test_numbers_as_scikit_learn(rng, sklearn_metrics):
    target = rng.normal(size=(100, 3))
    output = target + rng.normal(size=(100, 3))
    assert metrics.r2(output, target) == pytest.approx(sklearn_metrics.r2_score(target, output))
    assert metrics.mae(output, target) == pytest.approx(sklearn_metrics.mean_absolute_error(target, output))


# ---- by name -----------------------------------------------------------------------------------------------

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
    y = rng.integers(6, size=20) if request.param == "cross_entropy" else rng.integers(2, size=(20, 6))
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


def test_an_own_metric(make, data):
    net = make()
    calls = []

    def worst(output, target):
        calls.append((output, target))
        return np.abs(output - target).max()

    found = net.evaluate(*data, metrics=["mae", worst])
    assert found["worst"] == np.abs(net.predict(data[0]) - data[1]).max()
    assert type(found["worst"]) is float
    np.testing.assert_array_equal(calls[0][1], data[1])


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


def test_names_with_an_own_loss(make, data):
    net = make(loss=lambda output, target: (0.0, output))
    with pytest.raises(ParameterError, match="has 'accuracy' with the loss 'own', expected a callable"):
        net.evaluate(*data, metrics="accuracy")


def test_what_an_own_metric_returns_is_a_number(make, data):
    def pair(output, target):
        return output, target

    with pytest.raises(ParameterError, match="the metric 'pair' returned"):
        make().evaluate(*data, metrics=pair)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_nothing_as_large_as_the_outputs_is_allocated(rng, loss):
    output = rng.random((50_000, 20))
    target = rng.integers(20, size=50_000) if loss == "cross_entropy" else rng.integers(2, size=output.shape)
    for metric in metrics.named(losses.get(loss)).values():
        tracemalloc.start()
        try:
            metric.measure(output, target)
            assert tracemalloc.get_traced_memory()[1] < output.nbytes / 3
        finally:
            tracemalloc.stop()


def test_huge_numbers_warn_about_nothing():
    huge = np.full((2, 1), 1e300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.r2(huge, -huge) == 0
        assert metrics.mae(np.full((2, 1), np.inf), huge) == math.inf
