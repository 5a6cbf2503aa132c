"""Class weights, which stand for sample weights."""

import numpy as np
import pytest

import fastbp
from fastbp import activations
from helpers.inside import row_weights
from helpers.weighted import make

LABELS = np.array([0, 1, 1, 3, 3, 3, 0, 1, 3, 3], np.uint8)
YES = np.array([0, 1, 1, 1, 0, 1, 1, 1, 1, 1.0])

CLASSIFIERS = {  # sizes, loss, y, the label of each row
    "labels": ((3, 5, 4), "cross_entropy", LABELS, LABELS),
    "one-hot": ((3, 5, 4), "cross_entropy", np.eye(4)[LABELS], LABELS),
    "one-hot bools": ((3, 5, 4), "cross_entropy", np.eye(4, dtype=bool)[LABELS], LABELS),
    "yes or no": ((3, 5, 1), "binary_cross_entropy", YES, YES),
    "signs": ((3, 5, 1), "hinge", 2 * YES - 1, 2 * YES - 1),
    "column of signs": ((3, 5, 1), "hinge", (2 * YES - 1).astype(int)[:, None], 2 * YES - 1),
}


@pytest.mark.parametrize(("sizes", "loss", "y", "labels"), CLASSIFIERS.values(), ids=CLASSIFIERS)
@pytest.mark.parametrize("sample_weight", [None, np.array([1, 0, 2, 1, 1, 0.5, 1, 1, 0, 1])])
@pytest.mark.parametrize("class_weight", ["balanced", {1: 3}, {np.int8(0): 0, 1: 0.5}])
def test_class_weights_stand_for_sample_weights(
    sizes, loss, y, labels, sample_weight, class_weight, network_class
):
    if loss == "hinge" and isinstance(class_weight, dict) and 0 in class_weight:
        class_weight = {-1: class_weight[0], 1: class_weight[1]}
    X = np.random.default_rng(0).standard_normal((10, 3))
    rows = np.ones(10) if sample_weight is None else sample_weight
    if class_weight == "balanced":
        found, counts = np.unique(labels[rows > 0], return_counts=True)
        table = {label: counts.sum() / (len(found) * n) for label, n in zip(found, counts, strict=True)}
    else:
        table = class_weight
    same = rows * [table.get(label, 1.0) for label in labels]
    results = []
    for weights in ({"sample_weight": sample_weight, "class_weight": class_weight}, {"sample_weight": same}):
        net = make(network_class, sizes, loss)
        history = net.fit(X, y, epochs=3, batch_size=4, **weights)
        value = net.train_on_batch(X, y, **weights), net.loss_and_gradients(X, y, **weights)[0]
        results.append((history.loss, value, net.parameters.tobytes()))
    assert results[0] == results[1]


def test_balanced_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is not installed")
    y = np.array([0, 2, 2, 2, 3, 3])  # no class 1
    expected = sklearn.compute_sample_weight("balanced", y)
    net = fastbp.Network([1, 4], loss="cross_entropy")
    weights = row_weights(net, y, class_weight="balanced")
    np.testing.assert_array_equal(weights.values, expected)


def test_class_weights_are_pytorchs(network_class, rng, torch):
    X, y = rng.standard_normal((30, 3)), rng.integers(0, 4, 30)
    class_weight = {0: 0.5, 1: 2.0, 2: 1.0, 3: 0.0}
    net = make(network_class, (3, 4), "cross_entropy", optimizer=fastbp.SGD(0.1))
    W, b = (torch.tensor(array[0].copy(), requires_grad=True) for array in (net.weights, net.biases))
    criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor(list(class_weight.values())).double())
    optimizer = torch.optim.SGD([W, b], 0.1)
    for _ in range(100):
        optimizer.zero_grad()
        theirs = criterion(torch.tensor(X) @ W + b, torch.tensor(y))
        theirs.backward()
        optimizer.step()
        assert net.train_on_batch(X, y, class_weight=class_weight) == pytest.approx(theirs.item(), rel=1e-9)
    np.testing.assert_allclose(net.weights[0], W.detach().numpy(), rtol=1e-9)


def test_several_labels_a_row(network_class, rng):
    """binary_cross_entropy with one column per label learns rows with several labels."""
    X = rng.uniform(-1, 1, (500, 2))
    y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X.sum(axis=1) > 0])
    net = network_class([2, 16, 3], loss="binary_cross_entropy", optimizer=fastbp.Adam(0.02), seed=0)
    net.fit(X, y, epochs=30)
    assert (net.predict_classes(X) == y).all(axis=1).mean() > 0.9
    assert net.layers[-1].activation == activations.get("sigmoid")
