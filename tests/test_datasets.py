import numpy as np
import pytest

from fastbp import ParameterError, ShapeError
from fastbp.datasets import load_digits, stratified_split


def test_digits_are_images_of_ink_and_their_labels():
    X, y = load_digits()
    assert (X.shape, X.dtype, X.min(), X.max()) == ((1797, 64), np.uint8, 0, 16)
    assert (y.shape, y.dtype) == ((1797,), np.int64)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (X[0].reshape(8, 8)[3] == [0, 4, 12, 0, 0, 8, 8, 0]).all()  # the left and right strokes of a zero
    assert y[:10].tolist() == list(range(10))


def test_digits_are_fresh_arrays_each_time():
    X, _ = load_digits()
    X[:] = 0
    assert load_digits()[0].max() == 16


@pytest.fixture
def table():
    y = np.repeat(["rare", "common"], [5, 20])
    return np.arange(len(y)), y


def test_split_loses_and_doubles_no_row(table):
    X, y = table
    X_train, X_test, y_train, y_test = stratified_split(X, y, seed=3)
    assert sorted(np.concatenate([X_train, X_test])) == sorted(X)
    assert (y_train == y[X_train]).all()
    assert (y_test == y[X_test]).all()


@pytest.mark.parametrize(("fraction", "rare", "common"), [(0.2, 1, 4), (0.5, 2, 10), (0.8, 4, 16)])
def test_split_takes_the_same_share_of_every_class(table, fraction, rare, common):
    _, _, _, y_test = stratified_split(*table, test_fraction=fraction)
    assert ((y_test == "rare").sum(), (y_test == "common").sum()) == (rare, common)


def test_split_is_a_function_of_the_seed(table):
    def split(seed):
        return [part.tolist() for part in stratified_split(*table, seed=seed)]

    assert split(7) == split(7)
    assert split(7) != split(8)


def test_split_mixes_the_classes(table):
    _, _, y_train, _ = stratified_split(*table, seed=0)
    assert (y_train[1:] != y_train[:-1]).sum() > 1  # sorted by class, there would be one change


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan"), "a fifth"])
def test_split_names_a_fraction_that_is_none(table, fraction):
    with pytest.raises(ParameterError, match=f"test_fraction is {fraction!r}, expected .* > 0 and < 1"):
        stratified_split(*table, test_fraction=fraction)


def test_split_names_the_shapes_that_do_not_match(table):
    X, y = table
    with pytest.raises(ShapeError, match=r"y has shape \(25,\).*X \(24,\)"):
        stratified_split(X[1:], y)
    with pytest.raises(ShapeError, match=r"y has shape \(5, 5\)"):
        stratified_split(X, y.reshape(5, 5))
    with pytest.raises(ShapeError, match=r"y has shape \(0,\)"):
        stratified_split(X[:0], y[:0])
