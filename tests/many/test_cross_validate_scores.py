"""The result of a cross-validation: means, spreads, standard error, table, columns."""

import math
import pickle

import numpy as np
import pytest

from fastbp._many._folds import Fold
from fastbp._many._scores import CrossValidation
from fastbp.history import History


def result(scores, *, name="accuracy", errors=None, stopped="epochs", folds=None):
    """A result with these scores (folds, seeds), each fold with 8 rows to train on and 2 held out."""
    scores = np.array(scores, float)
    n_folds, n_seeds = scores.shape
    return CrossValidation(
        {"loss": 10 * scores, name: scores},
        folds=folds or [Fold(np.arange(8), np.arange(8, 10))] * n_folds,
        seeds=range(n_seeds),
        histories=[[History({"loss": [1.0]}, stopped) for _ in range(n_seeds)] for _ in range(n_folds)],
        errors=errors or {},
        networks=None,
    )


SCORES = [[0.9, 0.8], [0.7, 0.8], [0.5, 0.3]]


def test_means_and_spreads():
    found = result(SCORES)
    assert found.mean == pytest.approx({"loss": 20 / 3, "accuracy": 2 / 3})
    assert found.std["accuracy"] == pytest.approx(np.std(SCORES, ddof=1))
    # of each column, then the mean of the variances; of each row likewise
    columns = [np.var([row[j] for row in SCORES], ddof=1) for j in range(2)]
    assert found.std_over_folds["accuracy"] == pytest.approx(math.sqrt(sum(columns) / 2))
    rows = [(a - b) ** 2 / 2 for a, b in SCORES]
    assert found.std_over_seeds["accuracy"] == pytest.approx(math.sqrt(sum(rows) / 3))
    assert found.std_over_seeds["loss"] == pytest.approx(10 * found.std_over_seeds["accuracy"])


def test_spreads_tell_folds_from_seeds():
    by_fold, by_seed = result([[1, 1], [3, 3]]), result([[1, 3], [1, 3]])
    assert by_fold.std_over_seeds["accuracy"] == by_seed.std_over_folds["accuracy"] == 0
    assert by_fold.std_over_folds["accuracy"] == by_seed.std_over_seeds["accuracy"] == math.sqrt(2)


def test_the_standard_error_is_that_of_nadeau_and_bengio():
    found = result(SCORES)
    of_means = np.var(np.mean(SCORES, axis=1), ddof=1)
    assert found.standard_error["accuracy"] == pytest.approx(math.sqrt((1 / 3 + 2 / 8) * of_means))
    unequal = [Fold(np.arange(8), np.arange(8, 10)), Fold(np.arange(5), np.arange(5, 10))]
    found = result(SCORES[:2], folds=unequal)
    of_means = np.var(np.mean(SCORES[:2], axis=1), ddof=1)
    assert found.standard_error["accuracy"] == pytest.approx(
        math.sqrt((1 / 2 + (2 / 8 + 5 / 5) / 2) * of_means)
    )


def test_one_score_has_no_spread():
    found = result([[0.5]])
    assert found.mean["accuracy"] == 0.5
    for spread in (found.std, found.std_over_folds, found.std_over_seeds, found.standard_error):
        assert math.isnan(spread["accuracy"])
    one_fold = result([[0.5, 0.7]])
    assert one_fold.std["accuracy"] == pytest.approx(one_fold.std_over_seeds["accuracy"])
    assert math.isnan(one_fold.std_over_folds["accuracy"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_not_left_out(value):
    found = result([[0.5, value], [0.25, 0.25]])
    assert not math.isfinite(found.mean["accuracy"])
    for spread in (found.std, found.std_over_folds, found.std_over_seeds, found.standard_error):
        assert math.isnan(spread["accuracy"])
    assert str(value) in repr(found)


def test_scores_by_name():
    found = result(SCORES)
    assert list(found) == ["loss", "accuracy"]
    assert found["accuracy"].tolist() == SCORES
    assert "accuracy" in found
    assert "f1" not in found
    with pytest.raises(KeyError, match="no score 'f1', expected one of: loss, accuracy"):
        found["f1"]
    with pytest.raises(ValueError, match="read-only"):
        found["accuracy"][0, 0] = 1


def test_the_table():
    assert repr(result(SCORES)).splitlines() == [
        "CrossValidation(3 folds, 2 seeds)",
        "                mean         std  over folds  over seeds  std. error",
        "loss           6.667       2.251       2.483           1       1.805",
        "accuracy      0.6667      0.2251      0.2483         0.1      0.1805",
    ]
    assert repr(result([[0.5], [0.75]], name="a_metric_of_mine")).splitlines() == [
        "CrossValidation(2 folds, 1 seed)",
        "                        mean         std  std. error",
        "loss                    6.25       1.768       1.531",
        "a_metric_of_mine       0.625      0.1768      0.1531",
    ]
    assert "std. error" not in repr(result([[0.5, 0.75]]))


def test_the_table_counts_what_went_wrong():
    failed = result([[0.5, math.nan], [0.5, 0.5]], errors={(0, 1): ValueError()}, stopped="max_seconds")
    assert repr(failed).splitlines()[-2:] == [
        "1 of 4 fits failed, see errors: their scores are nan",
        "3 of 4 fits ended early, by max_seconds",
    ]


def test_columns_with_an_entry_per_fit():
    columns = result(SCORES).to_dict()
    assert columns["fold"] == [0, 0, 1, 1, 2, 2]
    assert columns["seed"] == [0, 1, 0, 1, 0, 1]
    assert columns["accuracy"] == [0.9, 0.8, 0.7, 0.8, 0.5, 0.3]
    pandas = pytest.importorskip("pandas")
    assert pandas.DataFrame(columns).groupby("fold").accuracy.mean().tolist() == pytest.approx(
        [0.85, 0.75, 0.4]
    )


def test_it_can_be_pickled():
    found = result(SCORES)
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)
