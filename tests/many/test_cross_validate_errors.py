"""`cross_validate` when fits or evaluations fail, when it is interrupted, and with wrong arguments."""

import math

import numpy as np
import pytest

import fastbp
from fastbp import (
    DataError,
    DivergenceError,
    ParameterError,
    ShapeError,
    UnknownArgumentError,
    cross_validate,
)
from fastbp._many import _cross_validation, fit_many
from fastbp.history import History
from helpers.cross_validated import HALVES, classifier, labeled, measured, regressor


@pytest.fixture
def rows(rng):
    return labeled(rng)


@pytest.fixture
def numbers(rng):
    return measured(rng)


def exploding(seed):
    """A network that diverges if its seed is 1."""
    rate = 1e30 if seed == 1 else 1e-3
    return fastbp.Network([4, 8, 2], optimizer=fastbp.SGD(rate), seed=seed)


def test_a_failed_fit_is_nan_and_an_error(numbers):
    result = cross_validate(exploding, *numbers, folds=HALVES, seeds=3, epochs=5)
    assert sorted(result.errors) == [(0, 1), (1, 1)]
    assert all(isinstance(error, DivergenceError) for error in result.errors.values())
    for name in result:
        assert np.isnan(result[name]).tolist() == [[False, True, False]] * 2
        assert math.isnan(result.mean[name])
    assert [[fit is None for fit in fold] for fold in result.histories] == [[False, True, False]] * 2
    assert "2 of 6 fits failed" in repr(result)


def test_if_all_fits_fail_the_first_error_is_raised(numbers):
    with pytest.raises(DivergenceError) as caught:
        cross_validate(exploding, *numbers, folds=HALVES, seeds=[1], epochs=5)
    assert caught.value.__notes__ == ["2 of 2 fits failed; this is the error of the first."]
    with pytest.raises(ParameterError, match="epochs is 0"):
        cross_validate(regressor, *numbers, epochs=0)


def test_a_metric_that_raises_is_an_error_of_its_network(rows):
    def picky(output, target):
        if target[0] == 0:
            raise KeyError("no")
        return 1.0

    X, y = rows
    first, other = np.flatnonzero(y == 0)[:10], np.flatnonzero(y == 1)[:10]
    folds = [(other, first), (first, other)]
    result = cross_validate(classifier, X, y, folds=folds, metrics=picky)
    assert list(result.errors) == [(0, 0)]
    assert isinstance(result.errors[0, 0], KeyError)
    assert np.isnan(result["loss"]).tolist() == [[True], [False]]
    assert result.histories[0][0].stopped == "epochs"


def test_rows_held_out_without_any_weight_cannot_be_scored(rows):
    weights = np.repeat([1.0, 0.0], [40, 20])
    folds = [(range(20), range(20, 40)), (range(40), range(40, 60))]
    result = cross_validate(classifier, *rows, folds=folds, sample_weight=weights)
    assert list(result.errors) == [(1, 0)]
    assert isinstance(result.errors[1, 0], DataError)


def test_networks_that_had_no_time_are_not_scored(rows, monkeypatch):
    def without_last(networks, *arguments, **options):
        return [*fit_many(networks[:-1], *arguments, **cut(options)), History(stopped="max_seconds")]

    def cut(options):
        return options | {"splits": options["splits"][:-1]}

    monkeypatch.setattr(_cross_validation, "fit_many", without_last)
    result = cross_validate(classifier, *rows, folds=3, seeds=2)
    assert list(result.errors) == [(2, 1)]
    assert "max_seconds was over before the fit began" in str(result.errors[2, 1])
    assert np.isnan(result["loss"]).tolist() == [[False, False], [False, False], [False, True]]
    assert len(result.histories[2][1]) == 0


def test_no_time_at_all_is_an_error(rows):
    with pytest.raises(fastbp.Error, match="max_seconds was over before the fit began"):
        cross_validate(classifier, *rows, max_seconds=1e-9)
    with pytest.raises(ParameterError, match="max_seconds is 0"):
        cross_validate(classifier, *rows, max_seconds=0)


def test_ctrl_c_is_raised(rows):
    def interrupt(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(classifier, *rows, folds=3, epochs=3, callbacks=interrupt)


def test_ctrl_c_in_a_metric_is_raised(rows):
    def interrupt(output, target):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(classifier, *rows, folds=3, metrics=interrupt)


def test_failed_evaluations_keep_no_rows(rows):
    """The error of a network holds the lines of code, not the arrays."""

    def failing(output, target):
        if len(target) == 7:
            raise ValueError("seven")
        return 0.0

    folds = [(range(20), range(20, 27)), (range(20), range(20, 28))]
    error = cross_validate(classifier, *rows, folds=folds, metrics=failing).errors[0, 0]
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    assert frames[-1].f_code.co_name == "failing"
    assert not any(isinstance(value, np.ndarray) for frame in frames for value in frame.f_locals.values())


# ---- wrong arguments ---------------------------------------------------------------------------------------


def shared(net=classifier(0)):  # noqa: B008  # the same network at each call
    return lambda seed: net


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (classifier(0), r"make_network is .*, expected a function that takes a seed"),
        (lambda seed: "net", r"make_network\(0\) returned a str, expected a fastbp.Network"),
        (shared(), r"make_network\(1\) returned a network that it had returned before"),
        (
            lambda seed: fastbp.Network([4, 3], loss=["cross_entropy", "mse"][seed]),
            r"make_network\(1\) returned a network with the loss MSE\(\), expected CrossEntropy\(",
        ),
        (
            lambda seed: fastbp.Network([4, 3], loss=fastbp.CrossEntropy(label_smoothing=seed / 10)),
            r"with the loss CrossEntropy\(label_smoothing=0.1\)",
        ),
        (
            lambda seed: fastbp.Network([4, 3 + seed], loss="cross_entropy"),
            "with the number of outputs 4, expected 3 as the first network has",
        ),
    ],
    ids=["no function", "no network", "the same network", "other loss", "other options", "other outputs"],
)
def test_wrong_networks(rows, make, words):
    with pytest.raises(ParameterError, match=words):
        cross_validate(make, *rows, seeds=2)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"seeds": 0}, ParameterError, "seeds is 0, expected an integer >= 1 .*, or a list of seeds"),
        ({"seeds": "12"}, ParameterError, "seeds is '12', expected"),
        ({"seeds": 1.5}, ParameterError, "seeds is 1.5, expected"),
        ({"seeds": []}, ParameterError, r"seeds is \(\), expected 1 to 100000 different seeds"),
        ({"seeds": [1, 2, 1]}, ParameterError, r"seeds is \(1, 2, 1\), expected 1 to 100000 different seeds"),
        ({"seeds": [0, -1]}, ParameterError, r"seeds\[1\] is -1, expected an integer >= 0"),
        ({"adapt": 1}, ParameterError, "adapt is 1, expected True or False, or a mapping"),
        ({"adapt": {"centre": True}}, UnknownArgumentError, "adapt has no argument centre, .*center"),
        ({"adapt": {"center": 0}}, ParameterError, r"adapt\['center'\] is 0, expected True or False"),
        ({"adapt": {"targets": True}}, ParameterError, "y is given with the loss 'cross_entropy'"),
        ({"metrics": ["r2"]}, ParameterError, "metrics has 'r2' with the loss 'cross_entropy'"),
        ({"return_networks": 1}, ParameterError, "return_networks is 1, expected True or False"),
        ({"sample_weight": np.ones(3)}, ShapeError, r"sample_weight has shape \(3,\)"),
        ({"epoch": 3}, UnknownArgumentError, "cross_validate has no argument epoch, .*did you mean epochs"),
        ({"splits": 3}, UnknownArgumentError, "cross_validate has no argument splits"),
        ({"resume": "run.safetensors"}, UnknownArgumentError, "cross_validate has no argument resume"),
        ({"folds": 61}, DataError, "folds is 61 for 60 rows"),
    ],
    ids=str,
)
def test_wrong_arguments(rows, options, error, words):
    with pytest.raises(error, match=words):
        cross_validate(classifier, *rows, **options)


def test_wrong_data_are_refused_before_other_networks_are_made(rows):
    made = []

    def make(seed):
        made.append(seed)
        return classifier(seed)

    X, y = rows
    with pytest.raises(ShapeError, match="X has 3 columns, expected 4"):
        cross_validate(make, X[:, :3], y)
    with pytest.raises(DataError, match=r"y\[0\] is 9"):
        cross_validate(make, X, y + 9 - y[0])
    assert made == [0, 0]


@pytest.mark.parametrize("argument", [0, 1, 2], ids=["X", "y", "sample_weight"])
@pytest.mark.parametrize("when", ["made", "trained"])
def test_arrays_that_are_resized_during_the_call(rows, argument, when):
    arrays = [*rows, np.ones(60)]

    def resize(_):
        arrays[argument].resize(10**6, refcheck=False)  # NumPy moves the numbers to other memory

    def make(seed):
        if when == "made" and seed == 1:
            resize(seed)
        return classifier(seed)

    X, y, weights = arrays
    with pytest.raises(DataError, match="resized"):
        cross_validate(
            make,
            X,
            y,
            sample_weight=weights,
            folds=HALVES,
            seeds=2,
            callbacks=resize if when == "trained" else (),
        )
