"""Arguments: unknown names and their hints, numbers of other types, labels as keys, `verbose`."""

import dataclasses
import inspect
from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Dense,
    Huber,
    IRprop,
    LeakyReLU,
    LevenbergMarquardt,
    Lion,
    NAdam,
    Network,
    ParameterError,
    Quickprop,
    RMSprop,
    reference,
)
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from fastbp.exceptions import UnknownArgumentError
from fastbp.metrics import TopK
from fastbp.optimizers import OPTIMIZERS
from fastbp.schedules import Cosine, OneCycle, Step

X, Y = np.ones((4, 3)), np.ones((4, 1))

# ---- unknown names -----------------------------------------------------------------------------------------

UNKNOWN = [
    *((type(value), "lr", "did you mean learning_rate?") for value in OPTIMIZERS.values()),
    *((type(value), "clipnorm", "did you mean clip_norm?") for value in OPTIMIZERS.values()),
    *((type(value), "row", "expected one of: learning_rate") for value in OPTIMIZERS.values()),
    *((kind, "weight_decay", "SGD, AdamW") for kind in (Adam, NAdam, RMSprop)),
    *((kind, "betas", "did you mean beta1 or beta2?") for kind in (Adam, AdamW, NAdam, Lion)),
    *((kind, "eps", "did you mean epsilon?") for kind in (Adam, RMSprop, Adagrad, Adadelta)),
    (Adam, "beta_1", "did you mean beta1"),
    (Adam, "momentum", "did you mean beta1?"),
    (SGD, "nestrov", "did you mean nesterov?"),
    (Quickprop, "momentum", "SGD or RMSprop has it"),
    (IRprop, "etas", "did you mean eta_minus or eta_plus?"),
    (LevenbergMarquardt, "lr", "expected one of: bayesian, damping"),
    (Dense, "kernel_regularizer", "did you mean l1 or l2?"),
    (Dense, "unit", "did you mean units?"),
    (Dense, "lr_scale", "did you mean learning_rate_factor?"),
    (fastbp.CrossEntropy, "ignore_class", "did you mean ignore_index?"),
    (fastbp.StratifiedSplit, "test_size", "did you mean share?"),
    (fastbp.callbacks.CSVLogger, "filename", "did you mean path?"),
    (fastbp.callbacks.ExponentialMovingAverage, "ema_momentum", "did you mean decay?"),
    (fastbp.callbacks.StochasticWeightAveraging, "swa_start", "did you mean start_epoch?"),
    (partial(Step, 0.1), "step_size", "did you mean every?"),
    (partial(Cosine, 0.1), "T_max", "did you mean steps?"),
    (partial(OneCycle, 0.1), "pct_start", "did you mean warmup_share?"),
    (LeakyReLU, "negative_slope", "did you mean alpha?"),
    (LeakyReLU, "name", "expected one of: alpha"),
    (Huber, "beta", "did you mean delta?"),
    (fastbp.MSE, "reduction", "expected one of: ignore_nan"),
    (EarlyStopping, "restore_best_weights", "did you mean restore_best?"),
    (ReduceLROnPlateau, "min_lr", "did you mean min_learning_rate?"),
    (TopK, "n", "expected one of: k"),
    (partial(Network, [3, 1]), "lr", "optimizer=Adam(learning_rate=...) has it"),
    (partial(Network, [3, 1]), "batch_size", "fit has it"),
    (partial(reference.Network, [3, 1]), "hidden_layer_sizes", "did you mean layers?"),
    (partial(reference.Network, [3, 1]), "activations", "did you mean activation"),
]


@pytest.mark.parametrize(("make", "name", "hint"), UNKNOWN)
def test_unknown_arguments_are_named_with_those_that_may_be_meant(make, name, hint):
    with pytest.raises(UnknownArgumentError) as caught:
        make(**{name: 0.5})
    assert f"has no argument {name}, expected " in str(caught.value)
    assert hint in str(caught.value)
    assert isinstance(caught.value, (TypeError, ParameterError))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_takes_what_it_knows(optimizer):
    fields = {field.name: getattr(optimizer, field.name) for field in dataclasses.fields(optimizer)}
    clipping = {"clip_norm": 2.0, "clip_value": 3.0}
    made = type(optimizer)(**fields | clipping)
    assert {name: getattr(made, name) for name in fields} == fields | clipping


@pytest.mark.parametrize(
    "call",
    [
        lambda **named: Network([3, 1]).fit(X, Y, **named),
        lambda **named: Network([3, 1]).train_on_batch(X, Y, **named),
        lambda **named: Network([3, 1]).evaluate(X, Y, **named),
        lambda **named: Network([3, 1]).predict(X, **named),
        lambda **named: fastbp.minimize(Network([3, 1]), X, Y, **named),
        lambda **named: fastbp.activations.tanh(X, **named),
        lambda **named: fastbp.losses.mse(X, X, **named),
        lambda **named: fastbp.threads(1, **named),
    ],
)
def test_no_function_takes_an_unknown_argument(call):
    with pytest.raises(TypeError, match="'lr'"):
        call(lr=0.5)


def test_positional_arguments_are_counted():
    for kind in (fastbp.MSE, fastbp.Hinge):
        with pytest.raises(TypeError, match="positional"):
            kind(3)


def test_signatures_tell_the_arguments():
    assert next(iter(inspect.signature(Adam).parameters)) == "learning_rate"
    assert [*inspect.signature(fastbp.MSE).parameters] == ["ignore_nan"]
    assert [*inspect.signature(Network).parameters] == [*Network._names]


class Small(Network):
    """A network whose constructor takes other arguments."""

    def __init__(self, units, rate):
        super().__init__([3, units, 1], optimizer=SGD(rate))


def test_a_subclass_of_network_takes_its_own_arguments():
    assert Small(units=4, rate=0.5).learning_rate == 0.5
    with pytest.raises(UnknownArgumentError, match="has no argument unit, expected one of: units, rate"):
        Small(unit=4, rate=0.5)


# ---- numbers of other types --------------------------------------------------------------------------------


def test_options_of_a_fit_in_numpys_small_integers(network_class):
    """Sums and counts of them do not overflow."""
    rows = np.linspace(0, 1, 1000).reshape(-1, 1)
    numbers = {"epochs": 3, "batch_size": 100, "patience": 2, "verbose": 0}
    losses = []
    for kind in (int, np.int8, np.uint8):
        options = {name: kind(number) for name, number in numbers.items()}
        losses.append(network_class([1, 1], seed=0).fit(rows, rows, tol=1e-9, **options).loss)
    assert losses[0] == losses[1] == losses[2]


# ---- labels, verbose ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "labels", "dtypes"),
    [
        ("binary_cross_entropy", (0, 1), (bool, "i1", "u8", "f2", "f4", "f8")),
        ("hinge", (-1, 1), ("i1", "f2", "f4", "f8")),
        ("cross_entropy", (0, 1), (bool, "i1", "u8")),
    ],
)
def test_class_weight_takes_labels_as_unique_gives_them(loss, labels, dtypes):
    found = set()
    for dtype in dtypes:
        y = np.array([labels[0], labels[1], labels[1], labels[1]], dtype)
        for keys in (labels, np.unique(y), np.unique(y).tolist()):
            net = Network([3, 2 if loss == "cross_entropy" else 1], loss=loss, seed=0)
            weights = dict(zip(keys, (0.5, 3.0), strict=True))
            found.add(net.loss_and_gradients(X, y, class_weight=weights)[0])
    assert len(found) == 1


@pytest.mark.parametrize(
    "key", [0.5, float("nan"), float("inf"), -1.0, 2.0, "1", None, (1,), 1j, np.str_("1")], ids=repr
)
def test_keys_that_are_no_labels(key):
    with pytest.raises(ParameterError, match="a key of class_weight is"):
        Network([3, 1], loss="binary_cross_entropy").fit(X, Y, class_weight={key: 2.0})


@pytest.mark.parametrize("verbose", [True, np.True_, False, np.False_])
def test_verbose_may_be_a_flag(verbose, capsys):
    Network([3, 1]).fit(X, Y, verbose=verbose)
    shows = bool(capsys.readouterr().err)
    fastbp.minimize(Network([3, 1]), X, Y, max_iterations=2, verbose=verbose)
    assert shows == bool(capsys.readouterr().err) == bool(verbose)


@pytest.mark.parametrize("verbose", [3, -1, "1", None, 1.0])
def test_other_kinds_of_verbose_are_refused(verbose):
    for call in (Network([3, 1]).fit, partial(fastbp.minimize, Network([3, 1]))):
        with pytest.raises(ParameterError, match=r"verbose is .*expected an integer >= 0 and < 3, or 'auto'"):
            call(X, Y, verbose=verbose)


def test_paths_that_no_system_takes():
    """The error of the system would show the whole path."""
    for path in ("x" * 100_000, "a/" * 2048):
        for call in (fastbp.load, fastbp.Network([2, 1], seed=0).save, fastbp.callbacks.CSVLogger):
            with pytest.raises(
                fastbp.ParameterError, match=r"^path is .* a path of at most 4095 bytes$"
            ) as caught:
                call(path)
            assert len(str(caught.value)) < 300
