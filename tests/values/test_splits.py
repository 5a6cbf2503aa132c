"""Splits of the rows of a fit: how many rows, which, and what is refused."""

import math

import numpy as np
import pytest

from fastbp import DataError, ParameterError, ShuffledSplit, StratifiedSplit
from fastbp._base.philox import permutation
from fastbp.losses import LOSSES, CrossEntropy
from fastbp.splits import LastRows, in_proportion

KINDS = [LastRows, ShuffledSplit, StratifiedSplit]
CROSS_ENTROPY, BINARY, HINGE = LOSSES["cross_entropy"], LOSSES["binary_cross_entropy"], LOSSES["hinge"]


def rows(split, y, loss=CROSS_ENTROPY, seed=7):
    """Return the indices of both parts."""
    n = np.arange(len(y))
    return tuple(n[part] for part in split.parts(y, loss, seed))


def labels(*counts):
    """Return labels with these numbers of rows per class, mixed."""
    y = np.repeat(np.arange(len(counts)), counts)
    return y[permutation(3, 0, len(y))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("share", [0.1, 0.2, 1 / 3, 0.5, 0.7])
@pytest.mark.parametrize("n", [20, 57, 1000])
def test_every_row_is_on_one_side(kind, share, n):
    training, held_out = rows(kind(share), labels(n // 2, n - n // 2))
    assert len(training) == math.floor(n * (1 - share))  # as Keras rounds
    assert np.array_equal(np.sort(np.concatenate([training, held_out])), np.arange(n))
    assert (np.diff(training) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_the_last_share_are_the_last_rows():
    assert LastRows(0.2).parts(np.zeros(11), LOSSES["mse"], 0) == (slice(8), slice(8, 11))
    assert np.array_equal(LastRows(0.2).held_out(np.zeros(11), LOSSES["mse"], 0), [8, 9, 10])


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.__name__)
def test_the_seed_alone_chooses(kind):
    y = labels(40, 40, 20)
    first, again, other = (rows(kind(0.3), y, seed=seed)[1].tolist() for seed in (1, 1, 2**64 - 1))
    assert first == again != other


def test_the_rows_that_a_seed_holds_out():
    """They are the same in every version and on every machine: written down once."""
    y = labels(6, 8, 6)
    assert rows(ShuffledSplit(0.25), y, seed=0)[1].tolist() == [4, 5, 6, 16, 18]
    assert rows(StratifiedSplit(0.25), y, seed=0)[1].tolist() == [4, 5, 7, 9, 16]


def test_shuffled_rows_are_spread_evenly():
    """Every row is held out about equally often: chi-squared over many seeds."""
    counts = np.zeros(20)
    for seed in range(2000):
        counts[rows(ShuffledSplit(0.25), np.zeros(20), seed=seed)[1]] += 1
    chi_squared = ((counts - 500) ** 2 / (500 * 0.75)).sum()
    assert chi_squared < 50  # 19 degrees of freedom: exceeded with a probability of 1e-4


@pytest.mark.parametrize("n", [30, 100, 401])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.8])
def test_classes_are_in_proportion(n, share):
    y = labels(n // 2, n // 3, n - n // 2 - n // 3)
    training, held_out = rows(StratifiedSplit(share), y)
    expected = np.bincount(y) * (len(held_out) / n)
    assert (np.abs(np.bincount(y[held_out]) - expected) < 1).all()
    assert len(training) == math.floor(n * (1 - share))


@pytest.mark.parametrize(
    ("counts", "total", "expected"),
    [
        ([100, 50, 50], 40, [20, 10, 10]),
        ([50, 30, 20], 9, [4, 3, 2]),  # shares of 4.5, 2.7 and 1.8
        ([97, 3], 10, [9, 1]),
        ([999, 2], 10, [9, 1]),  # a small class is on both sides
        ([2, 2, 2, 2], 1, [1, 1, 1, 1]),  # even if that changes the total
        ([2, 2, 2, 2], 7, [1, 1, 1, 1]),
        ([10, 1], 2, [2, 0]),  # a single row is trained on
        ([10, 1, 1, 1], 6, [5, 0, 0, 0]),  # of 4.6, not more to make up for the others
        ([100, *[2] * 50], 40, [20, *[1] * 50]),  # and not less
        ([1, 1], 1, [0, 0]),
        ([5, 3], 7, [4, 2]),
    ],
)
def test_rows_of_each_class(counts, total, expected):
    assert in_proportion(np.array(counts), total).tolist() == expected


@pytest.mark.parametrize(
    ("loss", "kinds"),
    [
        (CROSS_ENTROPY, ["labels", "byte-swapped", "one-hot"]),
        (BINARY, ["0, 1", "column", "bool"]),
        (HINGE, ["-1, 1"]),
    ],
    ids=str,
)
def test_the_same_rows_for_each_form_of_classes(loss, kinds):
    y = labels(30, 12)
    forms = {
        "labels": y,
        "byte-swapped": y.astype(">i2"),
        "one-hot": np.eye(2)[y],
        "0, 1": y.astype(np.float16)[:, None],
        "column": np.asfortranarray(y[:, None].astype(">f4")),
        "bool": y.astype(bool)[:, None],
        "-1, 1": (2.0 * y - 1)[:, None],
    }
    expected = rows(StratifiedSplit(0.3), y)[1]
    for kind in kinds:
        assert np.array_equal(rows(StratifiedSplit(0.3), forms[kind], loss)[1], expected), kind


def test_unknown_targets_are_a_class():
    y = np.where(np.arange(40) % 4 == 0, -1, labels(20, 20))
    _, held_out = rows(StratifiedSplit(0.5), y, CrossEntropy())
    assert np.bincount(y[held_out] + 1)[0] == 5
    unknown = np.where(y < 0, np.nan, y).astype(np.float32)[:, None]
    assert np.isnan(unknown[rows(StratifiedSplit(0.5), unknown, BINARY)[1]]).sum() == 5


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_without_classes_are_refused_by_name(name):
    loss = LOSSES[name]
    y = np.ones((12, 1))
    y[::2] = loss.targets.classes[0] if loss.targets.classes else 0
    if loss is CROSS_ENTROPY or loss.targets.classes:
        rows(StratifiedSplit(), np.arange(12) % 3 if loss is CROSS_ENTROPY else y, loss)
    else:
        with pytest.raises(ParameterError, match=f"validation_split is .* the loss '{name}', which has no"):
            rows(StratifiedSplit(), y, loss)


@pytest.mark.parametrize(
    ("y", "loss", "error", "words"),
    [
        (np.full((6, 1), 0.5), BINARY, DataError, r"y\[0\] is .0.5., expected 0 or 1 with StratifiedSplit"),
        (np.array([[1.0, 0]] * 5 + [[0.2, 0.8]]), CROSS_ENTROPY, DataError, r"y\[5\] is .0.2 0.8., expec"),
        (np.ones((6, 2)), BINARY, ParameterError, "2 outputs, expected one output"),
        (np.arange(6), CROSS_ENTROPY, DataError, "one row per class"),
    ],
)
def test_what_has_no_classes_is_refused(y, loss, error, words):
    with pytest.raises(error, match=words):
        rows(StratifiedSplit(0.5), y, loss)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_too_few_rows_are_refused(kind):
    with pytest.raises(DataError, match=r"0\.2 of 1 rows, which leaves 0 to train on and 1 to validate on"):
        rows(kind(0.2), np.zeros(1, int))
    with pytest.raises(DataError, match="leaves 0 to train on and 9"):
        rows(kind(0.9), np.zeros(9, int))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, math.nan, "0.2", None, True])
def test_other_shares_are_refused(kind, share):
    with pytest.raises(ParameterError, match=r"share is .*expected a finite number > 0 and < 1"):
        kind(share)
