"""Data sets: the digits, and `stratified_split`."""

import numpy as np
import pytest

from fastbp import DataError, DTypeError, ParameterError, ShapeError
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


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("rows", [(2, 2), (2, 50), (3, 7, 2)])
def test_every_class_is_in_both_parts(rows, fraction):
    y = np.repeat(np.arange(len(rows)), rows)
    _, _, y_train, y_test = stratified_split(y, y, test_fraction=fraction)
    assert set(y_train) == set(y_test) == set(y)
    assert len(y_train) + len(y_test) == len(y)


@pytest.mark.parametrize(
    "y", [[0.0, 1.0] * 5, [False, True] * 5, list("ab") * 5, np.array(["a", "b"] * 5, object)]
)
def test_what_classes_are(y):
    _, _, y_train, y_test = stratified_split(np.arange(10), y)
    assert (len(y_train), len(y_test)) == (8, 2)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.linspace(0, 1, 10), DataError, r"y\[1\] is 0\.1.*, expected a class"),
        (
            [1.5, 2.5] * 5,
            DataError,
            r"y\[0\] is 1.5, expected a class: an integer, bool, text or a whole float",
        ),
        ([1.0, np.nan] * 5, DataError, r"y\[1\] is nan, expected a class"),
        (np.arange(10.0), DataError, r"y has one row of the class 0\.0, expected at least two"),
        (
            [*"aabbaabba", "rare" * 99],
            DataError,
            r"y has one row of the class (rare){10}, expected at least two",
        ),
        ([1, None] * 5, DTypeError, r"y has dtype object, expected classes of one type"),
        (iter(range(10)), DTypeError, r"y is a generator"),
    ],
)
def test_split_names_what_is_no_class(y, error, message):
    with pytest.raises(error, match=message):
        stratified_split(np.arange(10), y)


def test_split_takes_any_array_as_x():
    for X in (np.array(list("abcd")), np.zeros((4, 2, 3)), [["a", None]] * 4):
        X_train, X_test, _, _ = stratified_split(X, [0, 0, 1, 1])
        assert len(X_train) == len(X_test) == 2
