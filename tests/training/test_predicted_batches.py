"""Evaluations and predictions on batches from an iterable: the same numbers as on the arrays."""

import numpy as np
import pytest

import fastbp
from fastbp import DataError, ParameterError, ShapeError, losses
from helpers.batches import ROWS, SIZE, SIZES, Loader, again, cut
from helpers.problems import fitting, problem


def test_evaluate(network_class):
    for name in losses.LOSSES:
        sizes = fitting(SIZES, name)
        X, y = problem(sizes, ROWS, name)
        net = network_class(sizes, loss=name, seed=1)
        for weights in (None, 1.0 + np.arange(ROWS) % 3):
            expected = net.evaluate(X, y, sample_weight=weights)
            given = (X, y) if weights is None else (X, y, weights)
            for data in (cut(*given), Loader(cut(*given)), again(cut(*given), 1)):
                assert net.evaluate(data) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(DataError, match=r"^X has no batches"):
        net.evaluate(iter([]))
    with pytest.raises(DataError, match=r"^batch 2 of X: the batch is 7"):
        net.evaluate([cut(X, y)[0], 7])
    with pytest.raises(ParameterError, match=r"^sample_weight is .* with batches"):
        net.evaluate(cut(X, y), sample_weight=np.ones(ROWS))
    with pytest.raises(ParameterError, match=r"^X is a ndarray without y"):
        net.evaluate(X)


def test_evaluate_joins_weights_and_targets(network_class):
    X, y = problem(SIZES, ROWS)
    net = network_class(SIZES, seed=1, dtype="float64")
    each = 0.5 + np.arange(y.size).reshape(y.shape) % 4
    whole = np.vstack([np.ones((SIZE, 3)), each[SIZE : 2 * SIZE], np.repeat(each[2 * SIZE :, :1], 3, 1)])
    batches = cut(X, y)
    mixed = [batches[0], (*batches[1], each[SIZE : 2 * SIZE]), (*batches[2], each[2 * SIZE :, 0])]
    expected = net.evaluate(X, y, ["r2", "mae"], sample_weight=whole)
    assert net.evaluate(mixed, metrics=["r2", "mae"]) == pytest.approx(expected)
    labels = network_class(SIZES, loss="cross_entropy")
    one_hot = np.eye(3)[[0, 1]]
    with pytest.raises(ShapeError, match=r"^y has rows of the shapes"):
        labels.evaluate([(X[:2], [0, 1]), (X[2:4], one_hot)])


def test_evaluate_on_batches_in_the_same_arrays(network_class):
    X, y = problem(SIZES, ROWS)
    net, weights = network_class(SIZES, seed=1), 1.0 + np.arange(ROWS) % 3
    last = ROWS // SIZE * SIZE
    arrays = X[:last], y[:last], weights[:last]

    def filled():
        batch = tuple(np.empty_like(a[:SIZE]) for a in arrays)
        for new in cut(*arrays):
            for to, values in zip(batch, new, strict=True):
                to[:] = values
            yield batch

    expected = net.evaluate(*arrays[:2], ["r2", "mae"], sample_weight=arrays[2])
    assert net.evaluate(filled(), metrics=["r2", "mae"]) == pytest.approx(expected, rel=1e-12)


def test_predict_yields(network_class):
    X, y = problem(SIZES, ROWS, "cross_entropy")
    net = network_class(SIZES, loss="cross_entropy", seed=1)
    expected, classes = net.predict(X), net.predict_classes(X)
    for batches in (
        (x for x, _ in cut(X, y)),
        cut(X, y),
        [x for x, _ in cut(X, y)],
        iter(cut(X, y)),
        iter([[*batch] for batch in cut(X, y)]),
        Loader([(x,) for x, _ in cut(X, y)]),
        iter([x.tolist() for x, _ in cut(X, y)]),
        iter([(x.tolist(), t.tolist()) for x, t in cut(X, y)]),
        [(list(x), t) for x, t in cut(X, y)],
    ):
        assert np.array_equal(np.concatenate([*net.predict(batches)]), expected)
    assert np.array_equal(np.concatenate([*net.predict_classes(iter(cut(X, y)))]), classes)
    read = []
    outputs = net.predict(read.append(i) or X for i in range(3))
    assert read == []
    next(outputs)
    assert read == [0]
    with pytest.raises(ParameterError, match=r"^out is "):
        net.predict(iter(cut(X, y)), out=expected)
    with pytest.raises(ShapeError):
        next(net.predict(iter([X[:, :2]])))
    assert net.predict([row.tolist() for row in X]).shape == (ROWS, 3)  # a list is an array, as ever


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_predict_takes_batches_that_begin_with_a_frame(library):
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    X, y = problem(SIZES, ROWS)
    net = fastbp.Network(SIZES, seed=1)
    columns = dict(zip("abcde", X.T.tolist(), strict=True))
    frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    expected = net.predict(frame)
    for batches in ([frame, frame], [(frame, y)], iter([(frame, y), [frame]])):
        for output in net.predict(batches):
            assert np.array_equal(output, expected)
