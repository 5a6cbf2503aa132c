"""`cross_validate`: against loops of fit and evaluate, bit for bit; scaling, failures, wrong arguments."""

import math
import warnings

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
from fastbp.callbacks import EarlyStopping
from fastbp.history import History

HALVES = [(range(30), range(30, 60)), (range(30, 60), range(30))]


@pytest.fixture
def rows(rng):
    """60 rows of four inputs, with labels of three classes that follow from them."""
    X = rng.normal(size=(60, 4)) * [1, 10, 0.1, 3] + [0, 5, 0, -2]
    return X, np.argmax(X @ rng.normal(size=(4, 3)) / [1, 2, 3], axis=1)


@pytest.fixture
def numbers(rng):
    """60 rows of four inputs, with two targets of large scale."""
    X = rng.normal(size=(60, 4))
    return X, np.tanh(X @ rng.normal(size=(4, 2))) * 300 + [1000, -5]


def classifier(seed):
    return fastbp.Network([4, 8, 3], loss="cross_entropy", seed=seed)


def regressor(seed):
    return fastbp.Network([4, 8, 2], activation="tanh", dtype="float64", seed=seed)


def by_hand(make, X, y, folds, seeds, *, metrics=None, sample_weight=None, adapt=None, **options):
    """The networks and the scores of a loop of fit and evaluate."""
    networks, scores = [], []
    for training, held_out in folds:
        for seed in seeds:
            net = make(seed)
            if adapt is not None:
                adapt(net, X[training], y[training])
            weights = [
                None if sample_weight is None else sample_weight[rows] for rows in (training, held_out)
            ]
            net.fit(X[training], y[training], sample_weight=weights[0], **options)
            found = net.evaluate(X[held_out], y[held_out], metrics, sample_weight=weights[1])
            networks.append(net)
            scores.append(list(found.values()))
    return networks, np.array(scores)


def check_equal(result, networks, scores, state_of):
    """Scores and networks are those of the loop, bit for bit."""
    found = np.stack([result[name].reshape(-1) for name in result], axis=1)
    assert found.tobytes() == scores.tobytes()
    trained = [net for fold in result.networks for net in fold]
    assert [state_of(net) for net in trained] == [state_of(net) for net in networks]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_it_is_a_loop_of_fit_and_evaluate(rows, state_of, threads):
    X, y = rows
    options = {"epochs": 7, "batch_size": 8}
    with fastbp.threads(threads):
        result = cross_validate(
            classifier, X, y, folds=4, seeds=3, metrics=["accuracy", "f1"], return_networks=True, **options
        )
    assert list(result) == ["loss", "accuracy", "f1"]
    assert result["f1"].shape == (4, 3)
    check_equal(
        result,
        *by_hand(classifier, X, y, result.folds, range(3), metrics=["accuracy", "f1"], **options),
        state_of,
    )
    assert [[fit.stopped for fit in fold] for fold in result.histories] == [["epochs"] * 3] * 4
    assert result.histories[2][1].loss == result.networks[2][1].history.loss
    assert not result.errors


def test_with_weights_of_rows_and_of_targets(numbers, state_of, rng):
    X, y = numbers
    for weights in (rng.uniform(size=60), rng.integers(0, 3, (60, 2))):
        result = cross_validate(
            regressor, X, y, folds=3, sample_weight=weights, epochs=3, return_networks=True
        )
        found = by_hand(regressor, X, y, result.folds, [0], sample_weight=weights, epochs=3)
        check_equal(result, *found, state_of)
        assert list(result) == ["loss", "r2"]


def test_the_scaling_is_that_of_the_rows_to_train_on(numbers, state_of):
    X, y = numbers
    result = cross_validate(
        regressor, X, y, folds=HALVES, seeds=2, adapt=True, epochs=3, return_networks=True
    )
    found = by_hand(regressor, X, y, HALVES, range(2), adapt=lambda net, X, y: net.adapt(X, y), epochs=3)
    check_equal(result, *found, state_of)
    assert np.array_equal(result.networks[1][0].input_mean, regressor_scaled_on(X[30:], y[30:]).input_mean)


def regressor_scaled_on(X, y):
    net = regressor(0)
    net.adapt(X, y)
    return net


def test_options_of_the_scaling(numbers, rows):
    [[net]] = cross_validate(
        regressor, *numbers, folds=HALVES[:1], adapt={"center": False}, return_networks=True
    ).networks
    assert (net.input_mean == 0).all()
    assert (net.target_mean != 0).all()
    [[net]] = cross_validate(
        regressor, *numbers, folds=HALVES[:1], adapt={"targets": False}, return_networks=True
    ).networks
    assert (net.input_mean != 0).all()
    assert net.target_mean is None
    [[net]] = cross_validate(classifier, *rows, folds=HALVES[:1], adapt=True, return_networks=True).networks
    assert net.input_mean is not None
    assert net.target_mean is None  # of labels there is none
    [[net]] = cross_validate(classifier, *rows, folds=HALVES[:1], adapt=False, return_networks=True).networks
    assert net.input_mean is None


def test_custom_losses_keep_their_targets(numbers):
    def half_squares(output, target):
        return float(np.square(output - target).sum()) / 2, output - target

    def make(seed):
        return fastbp.Network([4, 2], loss=lambda h, t: half_squares(h, t), seed=seed)

    X, y = numbers
    options = {"folds": HALVES, "return_networks": True, "batch_size": None}
    result = cross_validate(make, X, y / 1000, adapt=True, **options)
    assert list(result) == ["loss"]
    assert np.isfinite(result["loss"]).all()
    assert result.networks[0][0].target_mean is None
    told = cross_validate(make, X, y, adapt={"targets": True}, **options)
    assert told.networks[0][0].target_mean is not None


def test_a_frame_names_the_inputs(rows):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    frame = pandas.DataFrame(X, columns=list("abcd"), index=range(100, 160))
    result = cross_validate(classifier, frame, pandas.Series(y), folds=3, epochs=2, return_networks=True)
    assert result.networks[0][0].feature_names == ("a", "b", "c", "d")
    assert result["loss"].tobytes() == cross_validate(classifier, X, y, folds=3, epochs=2)["loss"].tobytes()


def test_lists_and_sparse_rows(rows):
    X, y = rows
    expected = cross_validate(classifier, X, y, folds=3, epochs=2)
    lists = cross_validate(classifier, X.tolist(), y.tolist(), folds=3, epochs=2)
    assert lists["loss"].tobytes() == expected["loss"].tobytes()
    sparse = pytest.importorskip("scipy.sparse")
    X = np.where(np.abs(X) > 3, X, 0)
    expected = cross_validate(classifier, X, y, folds=3, epochs=2)
    for kind in (sparse.csr_array, sparse.csc_array):
        found = cross_validate(classifier, kind(X), y, folds=3, epochs=2, adapt={"center": False})
        dense = cross_validate(classifier, X, y, folds=3, epochs=2, adapt={"center": False})
        assert found["loss"].tobytes() == dense["loss"].tobytes()
        found = cross_validate(classifier, kind(X), y, folds=3, epochs=2)
        assert found["loss"].tobytes() == expected["loss"].tobytes()


def test_the_folds_of_a_result_can_be_used_again(rows):
    X, y = rows
    result = cross_validate(classifier, X, y, seeds=[7, 3], folds=3, epochs=2)
    assert result.seeds == (7, 3)
    again = cross_validate(classifier, X, y, seeds=[3], folds=result.folds, epochs=2)
    assert again["loss"][:, 0].tobytes() == result["loss"][:, 1].tobytes()
    other = cross_validate(classifier, X, y, seeds=[3], folds=3, epochs=2)
    assert any((a.held_out != b.held_out).any() for a, b in zip(other.folds, again.folds, strict=True))


def test_groups_stay_together(rows):
    groups = np.arange(60) // 5
    result = cross_validate(classifier, *rows, folds=3, groups=groups)
    for training, held_out in result.folds:
        assert not set(groups[training]) & set(groups[held_out])


def test_networks_are_made_one_per_fold_and_seed_in_order(rows):
    asked = []

    def make(seed):
        asked.append(seed)
        return classifier(seed)

    result = cross_validate(make, *rows, folds=2, seeds=(5, 9))
    assert asked == [5, 9, 5, 9]
    assert result.networks is None


def test_options_may_be_lists_of_one_per_network(rows):
    result = cross_validate(classifier, *rows, folds=HALVES, seeds=2, epochs=[1, 2, 3, 4])
    assert [[len(fit) for fit in fold] for fold in result.histories] == [[1, 2], [3, 4]]


# ---- validation during the fits ----------------------------------------------------------------------------


def test_the_rows_held_out_are_not_read_by_the_fits(rows):
    measured = []

    def noted(output, target):
        measured.append(len(target))
        return 0.5

    result = cross_validate(classifier, *rows, folds=[(range(40), range(40, 60))], metrics=noted, epochs=5)
    assert measured == [20]  # once, at the end
    assert "validation_loss" not in result.histories[0][0]
    assert result["noted"].tolist() == [[0.5]]


def test_validation_on_the_rows_held_out_must_be_asked_for(rows):
    stopping = EarlyStopping("validation_loss", patience=2, restore_best=True)
    result = cross_validate(
        classifier,
        *rows,
        folds=3,
        metrics=["f1"],
        epochs=300,
        batch_size=4,
        validation_every=1,
        callbacks=stopping,
    )
    for i, [fit] in enumerate(result.histories):
        assert len(fit) == 300 or fit.stopped == "early_stopping"
        assert {"validation_loss", "validation_f1"} < set(fit)
        assert result["loss"][i, 0] == min(fit.validation_loss)
    every = cross_validate(classifier, *rows, folds=3, epochs=4, validation_every=2).histories[0][0]
    assert [math.isnan(value) for value in every.validation_loss] == [True, False, True, False]


def test_validation_on_a_part_of_the_rows_to_train_on(rows, state_of):
    X, y = rows
    options = {
        "epochs": 60,
        "validation_split": 0.25,
        "callbacks": EarlyStopping("validation_accuracy", patience=3),
    }
    result = cross_validate(classifier, X, y, folds=3, metrics=["accuracy"], return_networks=True, **options)
    networks, scores = by_hand(
        lambda seed: classifier(seed), X, y, result.folds, [0], metrics=["accuracy"], **options
    )
    check_equal(result, networks, scores, state_of)
    sparse = cross_validate(
        classifier, X, y, folds=3, epochs=4, validation_split=0.25, validation_every=4
    ).histories[0][0]
    assert [math.isnan(value) for value in sparse.validation_loss] == [True] * 3 + [False]


def test_validation_on_other_data(rows):
    X, y = rows
    fit = cross_validate(classifier, X, y, folds=HALVES, epochs=2, validation_data=(X[:9], y[:9]))
    for [history] in fit.histories:
        assert len(history.validation_accuracy) == 2


# ---- failures ----------------------------------------------------------------------------------------------


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
    assert caught.value.__notes__ == ["All 2 fits failed; this is the error of the first."]
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


def test_it_warns_of_nothing(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(cross_validate(classifier, *rows, folds=[HALVES[0]]))
