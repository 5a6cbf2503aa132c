"""`cross_validate`: against loops of fit and evaluate, bit for bit; data of any kind, scaling, validation."""

import math
import warnings

import numpy as np
import pytest

import fastbp
import fastbp.reference
from fastbp import ParameterError, cross_validate
from fastbp.callbacks import EarlyStopping
from helpers.cross_validated import HALVES, classifier, labeled, measured, regressor


@pytest.fixture
def rows(rng):
    return labeled(rng)


@pytest.fixture
def numbers(rng):
    return measured(rng)


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


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_frame_names_the_inputs(rows, library):
    module = pytest.importorskip(library)
    X, y = rows
    columns = dict(zip("abcd", X.T, strict=True))
    frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    result = cross_validate(classifier, frame, y, folds=3, epochs=2, adapt=True, return_networks=True)
    assert result.networks[0][0].feature_names == ("a", "b", "c", "d")
    expected = cross_validate(classifier, X, y, folds=3, epochs=2, adapt=True)
    assert result["loss"].tobytes() == expected["loss"].tobytes()


def test_a_frame_is_read_by_names_that_the_networks_have(rows):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    frame = pandas.DataFrame(X, columns=list("abcd"), index=range(100, 160))

    def make(seed):
        net = classifier(seed)
        net.adapt(frame.iloc[:1], center=False)  # for the names; the scales of one row are 1
        return net

    result = cross_validate(make, frame[list("dbca")], pandas.Series(y), folds=3, epochs=2)
    assert result["loss"].tobytes() == cross_validate(make, X, y, folds=3, epochs=2)["loss"].tobytes()


def test_rows_in_a_file(rows, tmp_path):
    X, y = rows
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    found, expected = (
        cross_validate(classifier, X, y, folds=3, epochs=2, adapt=True) for X in (mapped, rows[0])
    )
    assert found["loss"].tobytes() == expected["loss"].tobytes()


def test_the_reference_scores_the_same(rows):
    def reference(seed):
        return fastbp.reference.Network([4, 8, 3], loss="cross_entropy", dtype="float64", seed=seed)

    def native(seed):
        return fastbp.Network([4, 8, 3], loss="cross_entropy", dtype="float64", seed=seed)

    found, expected = (cross_validate(make, *rows, folds=2, epochs=2) for make in (reference, native))
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-10)


def test_lists_and_sparse_rows(rows):
    X, y = rows
    expected = cross_validate(classifier, X, y, folds=3, epochs=2)
    lists = cross_validate(classifier, X.tolist(), y.tolist(), folds=3, epochs=2)
    assert lists["loss"].tobytes() == expected["loss"].tobytes()
    weighted = [cross_validate(classifier, X, y, sample_weight=w, folds=3) for w in (np.ones(60), [1.0] * 60)]
    assert weighted[0]["loss"].tobytes() == weighted[1]["loss"].tobytes()
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
    with pytest.raises(ParameterError, match="callbacks is a list of 1 for 4 networks"):
        cross_validate(classifier, *rows, folds=HALVES, seeds=2, callbacks=[print])


def test_progress_is_that_of_fit_many(rows, capsys):
    cross_validate(classifier, *rows, folds=3, verbose=0)
    assert capsys.readouterr() == ("", "")
    cross_validate(classifier, *rows, folds=3, verbose=2)
    assert "".join(capsys.readouterr())


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


def test_it_warns_of_nothing(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(cross_validate(classifier, *rows, folds=[HALVES[0]]))
