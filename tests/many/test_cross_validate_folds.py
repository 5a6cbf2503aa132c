"""Folds of a cross-validation: random ones, those of groups, those of the user."""

import numpy as np
import pytest

from fastbp import DataError, DTypeError, ParameterError, ShapeError
from fastbp._base.philox import permutation
from fastbp._many._folds import folds_of
from fastbp.losses import LOSSES

CROSS_ENTROPY, MSE = LOSSES["cross_entropy"], LOSSES["mse"]


def folds(given, y, *, loss=CROSS_ENTROPY, groups=None, seed=0):
    return folds_of(given, np.zeros((len(y), 1)), y, groups, targets=y, loss=loss, seed=seed)


def labels(*counts):
    """Labels with these numbers of rows per class, mixed."""
    y = np.repeat(np.arange(len(counts)), counts)
    return y[permutation(3, 0, len(y))]


def check_partition(found, n):
    """Every row is held out once, and trained on in all other folds; rows ascend."""
    assert np.array_equal(np.sort(np.concatenate([held_out for _, held_out in found])), np.arange(n))
    for training, held_out in found:
        assert np.array_equal(np.sort(np.concatenate([training, held_out])), np.arange(n))
        assert (np.diff(training) > 0).all()
        assert (np.diff(held_out) > 0).all()


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, MSE], ids=lambda loss: loss.name)
@pytest.mark.parametrize(("n", "k"), [(2, 2), (7, 3), (40, 5), (57, 10), (9, 9)])
def test_each_row_is_held_out_once_and_folds_have_equal_sizes(n, k, loss):
    y = labels(n // 2, n - n // 2)
    found = folds(k, y, loss=loss)
    assert len(found) == k
    check_partition(found, n)
    sizes = [len(held_out) for _, held_out in found]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("counts", [(50, 50), (90, 10), (31, 17, 5), (1, 60)], ids=str)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_classes_have_equal_shares(counts, k):
    y = labels(*counts)
    per_fold = np.array([np.bincount(y[held_out], minlength=len(counts)) for _, held_out in folds(k, y)])
    assert (np.ptp(per_fold, axis=0) <= 1).all()


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("cross_entropy", np.eye(2)[labels(90, 10)]),
        ("binary_cross_entropy", labels(90, 10)[:, None].astype(float)),
        ("hinge", 2.0 * labels(90, 10)[:, None] - 1),
    ],
    ids=["one-hot rows", "yes and no", "signs"],
)
def test_targets_of_any_form_tell_classes(loss, y):
    kinds = (y[:, -1] > 0).astype(int)
    for _, held_out in folds(10, y, loss=LOSSES[loss]):
        assert np.bincount(kinds[held_out]).tolist() == [9, 1]


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("cross_entropy", np.full((20, 2), 0.5)),
        ("binary_cross_entropy", np.full((20, 1), 0.5)),
        ("binary_cross_entropy", np.ones((20, 2))),
        ("mse", np.repeat([[0.0], [1.0]], 10, axis=0)),
    ],
    ids=["probabilities", "a probability", "two questions", "numbers"],
)
def test_targets_without_classes_are_all_alike(loss, y):
    same = folds(4, y, loss=LOSSES[loss])
    for fold, other in zip(same, folds(4, np.zeros((20, 1)), loss=MSE), strict=True):
        assert np.array_equal(fold.held_out, other.held_out)


def test_the_seed_alone_chooses():
    y = labels(40, 40, 20)
    first, again, other = ([h.tolist() for _, h in folds(5, y, seed=s)] for s in (1, 1, 2**64 - 1))
    assert first == again != other


def test_the_folds_of_a_seed():
    """They are the same in every version and on every machine: written down once."""
    assert [h.tolist() for _, h in folds(3, labels(6, 4), seed=0)] == [[1, 4, 6, 8], [3, 5, 7], [0, 2, 9]]
    assert [h.tolist() for _, h in folds(2, np.zeros(6), loss=MSE, seed=0)] == [[2, 4, 5], [0, 1, 3]]
    groups = list("aabbcccdee")
    assert [h.tolist() for _, h in folds(2, np.zeros(10), loss=MSE, groups=groups)] == [
        [0, 1, 4, 5, 6],
        [2, 3, 7, 8, 9],
    ]


def test_rows_are_spread_evenly():
    """Every row is in the first fold about equally often: chi-squared over many seeds."""
    counts = np.zeros(20)
    for seed in range(2000):
        counts[folds(4, np.zeros(20), loss=MSE, seed=seed)[0].held_out] += 1
    assert np.square(counts - 500).sum() / (500 * 3 / 4) < 45  # 19 degrees of freedom: P < 0.001


# ---- groups ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [int, str, float])
def test_a_group_is_on_one_side(kind, rng):
    groups = rng.integers(0, 12, 200).astype(kind)
    found = folds(4, labels(100, 100), groups=groups)
    check_partition(found, 200)
    for training, held_out in found:
        assert not set(groups[training]) & set(groups[held_out])
    sizes = [len(held_out) for _, held_out in found]
    assert max(sizes) - min(sizes) <= 8  # less than half of a group


def test_large_groups_are_dealt_first():
    groups = np.repeat(np.arange(5), [60, 10, 20, 10, 20])
    assert sorted(len(held_out) for _, held_out in folds(2, labels(60, 60), groups=groups)) == [60, 60]


@pytest.mark.parametrize(
    ("groups", "error", "words"),
    [
        (np.arange(9), ShapeError, r"groups has shape \(9,\), expected \(10,\), one per row of X"),
        (np.zeros(10), DataError, "folds is 2 for 1 groups, expected at most one fold per group"),
        ([*range(9), None], DTypeError, "groups has dtype object, expected groups of one"),
    ],
)
def test_wrong_groups(groups, error, words):
    with pytest.raises(error, match=words):
        folds(2, labels(5, 5), groups=groups)


def test_pairs_need_no_groups():
    with pytest.raises(ParameterError, match=r"groups is .* with folds that are pairs, expected None"):
        folds([([0], [1])], labels(5, 5), groups=np.arange(10))


# ---- folds of the user -------------------------------------------------------------------------------------


def test_pairs_may_be_indices_masks_and_an_iterator():
    mask = np.arange(10) < 3
    pairs = iter([([5, 4, 4], range(3)), (~mask, mask), [np.array([9], np.uint8), (0,)]])
    found = folds(pairs, labels(5, 5))
    assert [(t.tolist(), h.tolist()) for t, h in found] == [
        ([5, 4, 4], [0, 1, 2]),
        ([3, 4, 5, 6, 7, 8, 9], [0, 1, 2]),
        ([9], [0]),
    ]
    assert all(rows.dtype == np.intp for fold in found for rows in fold)


def test_a_splitter_gets_what_the_user_gave():
    class Splitter:
        def split(self, X, y, groups):
            self.given = X, y, groups
            yield [0, 1], [2]

    X, y, groups, splitter = [[0], [1], [2]], [0, 1, 0], "abc", Splitter()
    found = folds_of(splitter, X, y, groups, targets=np.array(y), loss=CROSS_ENTROPY, seed=0)
    assert all(given is own for given, own in zip(splitter.given, (X, y, groups), strict=True))
    assert found[0].training.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (1, ParameterError, "folds is 1, expected an integer >= 2, an object with a method split, or pairs"),
        (True, ParameterError, "folds is True, expected"),
        (2.5, ParameterError, "folds is 2.5, expected"),
        ("5", ParameterError, "folds is '5', expected"),
        (None, ParameterError, "folds is None, expected"),
        (11, DataError, "folds is 11 for 10 rows, expected at most one fold per row"),
        ([], ParameterError, "folds has no pairs"),
        ([3], ParameterError, r"folds\[0\] is 3, expected a pair"),
        ([([1], [2]), ([1], [2], [3])], ParameterError, r"folds\[1\] is .*, expected a pair"),
        ([([1], [])], ShapeError, r"folds\[0\]\[1\] has no rows, expected at least one"),
        ([([[1]], [2])], ShapeError, r"folds\[0\]\[0\] has shape \(1, 1\)"),
        ([([1.0], [2])], DTypeError, r"folds\[0\]\[0\] has dtype float64, expected integers"),
        ([([1, -1], [2])], DataError, r"folds\[0\]\[0\] has the row -1, expected 0 to 9"),
        ([([1], [10])], DataError, r"folds\[0\]\[1\] has the row 10, expected 0 to 9"),
        ([([True], [2])], ShapeError, r"folds\[0\]\[0\] has 1 bools, expected 10, one per row of X"),
        ([(np.zeros(10, bool), [2])], ShapeError, r"folds\[0\]\[0\] has no rows"),
        ([([1, 2, 3], [4, 2])], DataError, r"folds\[0\] has row 2 in both parts"),
    ],
    ids=str,
)
def test_wrong_folds(given, error, words):
    with pytest.raises(error, match=words):
        folds(given, labels(5, 5))
