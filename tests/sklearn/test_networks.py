"""What scikit-learn's networks do not have: dropout, activations of layers, losses, optimizers, schedules."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

import fastbp
from fastbp import activations
from helpers.estimators import MLPClassifier, MLPRegressor, answers, fit, rows

X = rows(60)
LABELS, BINARY, NUMBERS = (answers(X, task) for task in ("multiclass", "binary", "regression"))
FEW = {"max_iter": 3, "random_state": 0, "hidden_layer_sizes": (6, 5)}
#: One step over all rows that changes next to nothing: its loss is that of the weights.
STILL = {"max_iter": 1, "random_state": 0, "solver": "sgd", "learning_rate_init": 1e-13, "alpha": 0.0}


@pytest.mark.parametrize(("kind", "y"), [(MLPClassifier, LABELS), (MLPRegressor, NUMBERS)])
def test_dropout(kind, y):
    plain = fit(kind(**FEW), X, y)
    same = fit(kind(dropout=0.5, **FEW), X, y)
    by_layer = fit(kind(dropout=[0.0, 0.25], **FEW), X, y)
    assert [layer.dropout for layer in same.network_.layers] == [0.5, 0.5, 0.0]
    assert [layer.dropout for layer in by_layer.network_.layers] == [0.0, 0.25, 0.0]
    assert len({estimator.loss_curve_[0] for estimator in (plain, same, by_layer)}) == 3
    assert same.loss_curve_[0] != pytest.approx(plain.loss_curve_[0], rel=1e-6)
    np.testing.assert_array_equal(same.predict(X), same.predict(X))  # predictions drop nothing
    expected = fastbp.Network([5, 6, 5, same.n_outputs_], loss=same.network_.loss, dtype="float64")
    for target, source in zip(
        expected.weights + expected.biases, same.coefs_ + same.intercepts_, strict=True
    ):
        target[...] = source
    outputs = same.predict_proba(X) if kind is MLPClassifier else same.predict(X)[:, None]
    np.testing.assert_allclose(outputs, expected.predict(X), rtol=1e-12)


def test_lists_per_layer_have_one_entry_per_hidden_layer():
    for options in ({"dropout": [0.1]}, {"activation": ["tanh"] * 3}):
        (name,) = options
        with pytest.raises(ValueError, match=rf"{name}.*expected a list of 2, one entry per hidden layer"):
            MLPClassifier(**FEW, **options).fit(X, LABELS)
    for options in (
        {"dropout": 1.0},
        {"dropout": [0.1, -0.1]},
        {"activation": "rule"},
        {"output_activation": "exo"},
    ):
        (name,) = options
        with pytest.raises(ValueError, match=name):
            MLPClassifier(**FEW, **options).fit(X, LABELS)


def test_activations_of_layers():
    mixed = fit(MLPRegressor(activation=["tanh", fastbp.LeakyReLU(0.2)], **FEW), X, NUMBERS)
    assert [layer.activation.name for layer in mixed.network_.layers] == ["tanh", "leaky_relu", "identity"]
    hidden = np.tanh(X @ mixed.coefs_[0] + mixed.intercepts_[0])  # (n, 6)
    hidden = hidden @ mixed.coefs_[1] + mixed.intercepts_[1]  # (n, 5)
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    outputs = hidden @ mixed.coefs_[2] + mixed.intercepts_[2]  # (n, 1)
    np.testing.assert_allclose(mixed.predict(X), outputs[:, 0], rtol=1e-12)


def test_activations_by_every_name():
    for name in (*activations.ACTIVATIONS, "logistic"):
        if name in ("softmax", "step"):
            continue  # of output layers only; cannot be trained
        estimator = fit(MLPClassifier(activation=name, **FEW), X / 4, LABELS)
        assert np.isfinite(estimator.predict_proba(X)).all(), name


def test_output_activation():
    positive = fit(MLPRegressor(output_activation="softplus", **FEW), X, NUMBERS**2)
    assert positive.out_activation_ == "softplus"
    assert (positive.predict(X) > 0).all()
    bounded = fit(MLPRegressor(output_activation="logistic", **FEW), X, BINARY)
    assert bounded.out_activation_ == "logistic"
    assert ((bounded.predict(X) > 0) & (bounded.predict(X) < 1)).all()
    with pytest.raises(ValueError, match="tanh"):
        MLPClassifier(output_activation="tanh", **FEW).fit(X, LABELS)


@pytest.mark.parametrize("loss", ["mae", "absolute_error", fastbp.MAE()])
def test_absolute_error(loss):
    estimator = fit(MLPRegressor(loss, **STILL), X, NUMBERS)
    assert estimator.loss_ == pytest.approx(np.abs(NUMBERS - estimator.predict(X)).mean(), rel=1e-9)


def test_median_of_outliers():
    """The absolute error leads to the median, the squared one to the mean."""
    y = np.r_[np.zeros(50), np.full(10, 60.0)]
    options = {"max_iter": 500, "random_state": 0, "learning_rate_init": 0.2, "tol": 0.0, "alpha": 0.0}
    nothing = np.zeros((60, 1))
    median, mean = (
        fit(MLPRegressor(loss, **options), nothing, y).predict([[0]]) for loss in ("mae", "squared_error")
    )
    assert median == pytest.approx(0, abs=0.5)
    assert mean == pytest.approx(10, abs=0.5)


def test_huber_with_its_parameter():
    estimator = fit(MLPRegressor(fastbp.Huber(delta=0.3), **STILL), X, NUMBERS)
    distance = np.abs(NUMBERS - estimator.predict(X))
    expected = np.where(distance <= 0.3, distance**2 / 2, 0.3 * (distance - 0.15)).mean()
    assert estimator.loss_ == pytest.approx(expected, rel=1e-9)


def squared(output, target):
    """Half the squared error, as scikit-learn's: the mean over rows."""
    difference = output - target.reshape(output.shape)
    return 0.5 * np.mean(difference**2), difference / len(output)


def test_custom_loss():
    options = {
        "max_iter": 8,
        "random_state": 0,
        "solver": "sgd",
        "learning_rate_init": 0.05,
        "shuffle": False,
    }
    own, known = (fit(MLPRegressor(loss, **options), X, NUMBERS) for loss in (squared, "squared_error"))
    np.testing.assert_allclose(own.loss_curve_, known.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(own.predict(X), known.predict(X), rtol=1e-9)


def test_losses_by_every_name():
    for name in (
        "squared_error",
        "poisson",
        "mse",
        "half_sse",
        "huber",
        "log_cosh",
        "quantile",
        fastbp.Quantile(0.9),
    ):
        predicted = fit(MLPRegressor(name, **FEW), X, np.abs(NUMBERS)).predict(X)
        assert predicted.shape == NUMBERS.shape, name
    smoothed = fit(MLPClassifier(loss=fastbp.CrossEntropy(label_smoothing=0.3), **FEW), X, LABELS)
    plain = fit(MLPClassifier(**FEW), X, LABELS)
    assert smoothed.loss_curve_[0] != plain.loss_curve_[0]
    for kind, name in ((MLPClassifier, "mae0"), (MLPRegressor, "log_los"), (MLPRegressor, 3)):
        with pytest.raises(ValueError, match="loss"):
            kind(loss=name, **FEW).fit(X, LABELS)


def test_one_cross_entropy_output_per_class_for_two_classes():
    """By name, two classes have one output, as in scikit-learn; the loss as a value has one per class."""
    by_name = fit(MLPClassifier(**FEW), X, BINARY)
    assert (by_name.n_outputs_, by_name.out_activation_) == (1, "logistic")
    by_value = fit(MLPClassifier(loss="cross_entropy", **FEW), X, BINARY)
    assert by_value.predict_proba(X).shape == (60, 2)
    np.testing.assert_allclose(by_value.predict_proba(X).sum(axis=1), 1)


def test_rmsprop():
    """The first step of RMSprop is lr g / (sqrt((1 - alpha) g^2) + eps): the same length for every weight."""
    for optimizer in ("rmsprop", fastbp.RMSprop(0.01, epsilon=1e-13)):
        rate = 0.01
        options = {"random_state": 0, "alpha": 0.0, "activation": "tanh", "max_iter": 1}
        start = fit(MLPRegressor(**STILL | {"activation": "tanh"}), X, NUMBERS).coefs_
        moved = fit(MLPRegressor(optimizer=optimizer, **options), X, NUMBERS)
        length = np.abs(moved.coefs_[0] - start[0])
        if optimizer != "rmsprop":
            np.testing.assert_allclose(length, rate / np.sqrt(1 - optimizer.alpha), rtol=1e-3)
        assert isinstance(moved.network_.optimizer, fastbp.RMSprop)


def test_optimizers_by_every_name():
    for name in fastbp.optimizers.OPTIMIZERS:
        estimator = fit(MLPRegressor(optimizer=name, batch_size=60, **FEW), X, NUMBERS)
        assert type(estimator.network_.optimizer).__name__.lower() == name
        assert estimator.n_iter_ == 3


def test_levenberg_marquardt():
    options = {"alpha": 0.0, "max_iter": 20, "random_state": 0, "hidden_layer_sizes": 4, "activation": "tanh"}
    best = fit(MLPRegressor(optimizer=fastbp.LevenbergMarquardt(), **options), X, NUMBERS)
    adam = fit(MLPRegressor(**options), X, NUMBERS)
    assert best.loss_ < 0.5 * adam.loss_
    with pytest.raises(ValueError, match="alpha"):
        MLPRegressor(optimizer=fastbp.LevenbergMarquardt(), **options | {"alpha": 0.1}).fit(X, NUMBERS)


def test_schedules_by_name():
    """They run over all steps of max_iter epochs, from the first rate of the solver."""
    schedules = fastbp.schedules
    options = {"max_iter": 6, "batch_size": 25, "learning_rate_init": 0.01, "power_t": 0.3, "random_state": 0}
    steps = 6 * 3  # of 60 rows
    expected = {
        "cosine": schedules.Cosine(0.01, steps),
        "one_cycle": schedules.OneCycle(0.01, steps),
        "step": schedules.Step(0.01, every=6),
        "exponential": schedules.Exponential(0.01, decay=0.01, every=steps),
        "inverse_scaling": schedules.InverseScaling(0.01, 0.3),
    }
    assert {"constant", *expected} == set(schedules.SCHEDULES)
    for name, schedule in expected.items():
        for solver in ("sgd", "adam"):
            named = fit(MLPRegressor(solver=solver, learning_rate=name, **options), X, NUMBERS)
            assert named.network_.optimizer.learning_rate == schedule, name
    with pytest.raises(ValueError, match="learning_rate is 'cosine' in partial_fit"):
        MLPRegressor(learning_rate="cosine").partial_fit(X, NUMBERS)


def test_parameters_of_the_solver_beside_an_optimizer():
    changed = {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.01,
        "power_t": 0.4,
        "momentum": 0.8,
        "nesterovs_momentum": False,
        "beta_1": 0.8,
        "beta_2": 0.99,
        "epsilon": 1e-7,
        "max_fun": 100,
    }
    for name, value in changed.items():
        for kind in (MLPClassifier, MLPRegressor):
            with pytest.raises(ValueError, match=rf"\b{name}\b.*optimizer") as caught:
                kind(optimizer="rmsprop", **{name: value}).fit(X, BINARY)
            assert "default" in str(caught.value)


def test_schedules():
    """A schedule of fastbp, and a function of the epoch, set the rates of SGD and ADAM."""
    options = {"max_iter": 4, "random_state": 0, "shuffle": False, "alpha": 0.0}
    for solver in ("sgd", "adam"):
        constant = fit(MLPRegressor(solver=solver, learning_rate_init=0.01, **options), X, NUMBERS)
        for rate in (fastbp.schedules.Constant(0.01), lambda epoch: 0.01):
            same = fit(MLPRegressor(solver=solver, learning_rate=rate, **options), X, NUMBERS)
            np.testing.assert_allclose(same.loss_curve_, constant.loss_curve_, rtol=1e-12)
        halved = fit(
            MLPRegressor(solver=solver, learning_rate=lambda epoch: 0.01 / 2**epoch, **options), X, NUMBERS
        )
        assert halved.loss_curve_[1] == pytest.approx(constant.loss_curve_[1], rel=1e-12)
        assert halved.loss_curve_[2] != pytest.approx(constant.loss_curve_[2], rel=1e-9)
    with pytest.raises(ValueError, match="learning_rate"):
        MLPRegressor(learning_rate="sometimes").fit(X, NUMBERS)


def test_alpha_is_scikit_learns_with_every_optimizer():
    """The penalty alpha / 2n |W|^2 is in the loss, whatever the optimizer is."""
    for optimizer in (None, "rmsprop", "adamw"):
        options = {"optimizer": optimizer, "max_iter": 1, "random_state": 0, "dropout": 0.0}
        with_penalty, without = (fit(MLPRegressor(alpha=a, **options), X, NUMBERS) for a in (5.0, 0.0))
        start = fit(MLPRegressor(**STILL), X, NUMBERS).coefs_
        penalty = 5.0 / 2 / len(X) * sum((W**2).sum() for W in start)
        assert with_penalty.loss_ - without.loss_ == pytest.approx(penalty, rel=1e-6)


def test_optimizer_replaces_the_solver_for_partial_fit():
    estimator = MLPRegressor(optimizer=fastbp.Adam(0.01), random_state=0)
    for _ in range(3):
        estimator.partial_fit(X, NUMBERS)
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]
    assert estimator.t_ == 180
