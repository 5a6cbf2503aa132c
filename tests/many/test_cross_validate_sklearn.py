"""`cross_validate` beside scikit-learn's, with its splitters."""

import numpy as np
import pytest

import fastbp
from fastbp import cross_validate

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn import model_selection
from sklearn.base import BaseEstimator

SPLITTERS = {
    "KFold": model_selection.KFold(4),
    "StratifiedKFold": model_selection.StratifiedKFold(4, shuffle=True, random_state=0),
    "ShuffleSplit": model_selection.ShuffleSplit(3, test_size=0.3, random_state=0),
    "RepeatedKFold": model_selection.RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "GroupKFold": model_selection.GroupKFold(3),
    "LeavePGroupsOut": model_selection.LeavePGroupsOut(2),
}


class Wrapped(BaseEstimator):
    """A network as an estimator of scikit-learn: a new one for each fit, scored by its accuracy."""

    def fit(self, X, y):
        self.net_ = make(0)
        self.net_.adapt(X)
        self.net_.fit(X, y, epochs=4, batch_size=16)
        return self

    def score(self, X, y):
        return self.net_.evaluate(X, y)["accuracy"]


def make(seed):
    return fastbp.Network([5, 8, 3], loss="cross_entropy", seed=seed)


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(90, 5))
    return X, np.argmax(X[:, :3] + rng.normal(size=(90, 3)), axis=1), np.arange(90) % 5


@pytest.mark.parametrize("splitter", SPLITTERS.values(), ids=SPLITTERS.keys())
def test_the_scores_are_those_of_scikit_learn(rows, splitter):
    X, y, groups = rows
    groups = groups if "Group" in type(splitter).__name__ else None
    theirs = model_selection.cross_validate(Wrapped(), X, y, groups=groups, cv=splitter)["test_score"]
    ours = cross_validate(make, X, y, groups=groups, folds=splitter, adapt=True, epochs=4, batch_size=16)
    assert ours["accuracy"][:, 0].tolist() == theirs.tolist()
    assert len(set(theirs)) > 1
    pairs = splitter.split(X, y, groups)
    again = cross_validate(make, X, y, folds=pairs, adapt=True, epochs=4, batch_size=16)
    assert again["loss"].tobytes() == ours["loss"].tobytes()


@pytest.mark.parametrize("counts", [(40, 50), (60, 23, 7), (4, 4, 4)], ids=str)
def test_folds_have_as_many_rows_of_each_class_as_theirs(counts):
    """By their rule the folds get the same numbers of rows; only the fold that gets one more may differ."""
    y = np.repeat(np.arange(len(counts)), counts)
    X = np.zeros((len(y), 2))
    theirs = model_selection.StratifiedKFold(4).split(X, y)

    def net(seed):
        return fastbp.Network([2, len(counts)], loss="cross_entropy", seed=seed)

    ours = cross_validate(net, X, y, folds=4).folds
    n = len(counts)
    found, expected = (
        np.sort([np.bincount(y[held_out], minlength=n) for _, held_out in folds], axis=0)
        for folds in (ours, theirs)
    )
    assert np.array_equal(found, expected)
