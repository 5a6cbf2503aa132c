"""Arguments that are refused, or taken though they look odd, and what errors show of them."""

import dataclasses
import inspect
import sys
from decimal import Decimal
from fractions import Fraction
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
    Error,
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
from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from fastbp.exceptions import UnknownArgumentError
from fastbp.metrics import TopK
from fastbp.optimizers import OPTIMIZERS
from fastbp.schedules import Cosine, OneCycle, Step

RELU = fastbp.activations.get("relu")
X, Y = np.ones((4, 3)), np.ones((4, 1))


# ---- unknown names -----------------------------------------------------------------------------------------

UNKNOWN = [
    *((type(value), "lr", "did you mean learning_rate?") for value in OPTIMIZERS.values()),
    *((type(value), "clipnorm", "did you mean clip_norm?") for value in OPTIMIZERS.values()),
    *((type(value), "row", "expected one of: learning_rate") for value in OPTIMIZERS.values()),
    *((kind, "weight_decay", "AdamW") for kind in (SGD, Adam, NAdam, RMSprop)),
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
    (partial(Step, 0.1), "step_size", "did you mean every?"),
    (partial(Cosine, 0.1), "T_max", "did you mean steps?"),
    (partial(OneCycle, 0.1), "pct_start", "did you mean warmup_share?"),
    (LeakyReLU, "negative_slope", "did you mean alpha?"),
    (LeakyReLU, "name", "expected one of: alpha"),
    (Huber, "beta", "did you mean delta?"),
    (fastbp.MSE, "reduction", "expected none"),
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
    assert not inspect.signature(fastbp.MSE).parameters
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
    """What is counted with them does not overflow where they would."""
    rows = np.linspace(0, 1, 1000).reshape(-1, 1)
    numbers = {"epochs": 3, "batch_size": 100, "patience": 2, "verbose": 0}
    losses = []
    for kind in (int, np.int8, np.uint8):
        options = {name: kind(number) for name, number in numbers.items()}
        losses.append(network_class([1, 1], seed=0).fit(rows, rows, tol=1e-9, **options).loss)
    assert losses[0] == losses[1] == losses[2]


# ---- layers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers",
    [
        lambda: np.array([3, 4, 1]),
        lambda: np.array([3, 4, 1], np.uint8),
        lambda: (3, 4, 1),
        lambda: range(3, 0, -1),
        lambda: (units for units in (3, 4, 1)),
        lambda: iter([3, Dense(4), np.int32(1)]),
        lambda: np.array([3, Dense(4), 1], object),
        lambda: [3, np.array(4), 1],
    ],
)
@pytest.mark.parametrize("kind", [Network, reference.Network])
def test_layers_in_any_iterable(kind, layers):
    net = kind(layers())
    assert (net.layers[0].n_in, net.layers[-1].n_out) == (3, 1)


@pytest.mark.parametrize(
    "layers",
    [
        b"\x04\x02",
        bytearray(b"\x04\x02"),
        memoryview(b"\x04\x02"),
        "42",
        {3: 4, 1: 2},
        {3, 1},
        3,
        None,
        [3],
        np.array(3),
    ],
    ids=repr,
)
def test_what_is_no_list_of_layers(layers):
    with pytest.raises(
        ParameterError, match=r"^layers is .*expected a list of the inputs .*like \[4, 8, 1\]"
    ):
        Network(layers)


@pytest.mark.parametrize("layers", [[10**400, 1], [3, 10**400, 1], [3, 10**5000], [3, Dense(10**400)]])
def test_sizes_beyond_the_largest_float(layers):
    with pytest.raises(
        ParameterError, match=r"^layers have .*1?e\+.* parameters, .*the address space"
    ) as caught:
        Network(layers)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "cross_entropy"},
        {"output_activation": "softmax"},
        {"layers": [3, Dense(1, "softmax")]},
        {"layers": [3, 4, Dense(1, "softmax")], "loss": "cross_entropy"},
        {"loss": lambda h, t: (0.0, h), "output_activation": "softmax"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [Network, reference.Network])
def test_a_softmax_of_one_unit_is_refused_with_the_remedy(kind, arguments):
    with pytest.raises(
        ParameterError, match=r"has 1 unit .*softmax.*sigmoid and the loss binary_cross_entropy"
    ):
        kind(**{"layers": [3, 1]} | arguments)


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
        with pytest.raises(ParameterError, match=r"verbose is .*expected an integer >= 0 and < 3"):
            call(X, Y, verbose=verbose)


# ---- what errors show --------------------------------------------------------------------------------------

BIG = np.ones((300, 300))


class Raising:
    """Whose repr fails."""

    def __repr__(self):
        raise RuntimeError


SHOWN = [
    (BIG, "<ndarray of shape (300, 300) and dtype float64: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, ...>"),
    (np.array(2), "<ndarray of shape () and dtype int64: 2>"),
    (np.ones((0, 3)), "<ndarray of shape (0, 3) and dtype float64>"),
    (np.ma.ones(2), "<MaskedArray of shape (2,) and dtype float64: 1.0, 1.0>"),
    ((BIG[0, :1], 1), "(<ndarray of shape (1,) and dtype float64: 1.0>, 1)"),
    ([3, 4, 1], "[3, 4, 1]"),
    (list(range(1000)), "[0, 1, 2, 3, 4, 5, ...]"),
    ("rleu", "'rleu'"),
    (0.1, "0.1"),
    (np.float64(0.1), "np.float64(0.1)"),
    (2**64, str(2**64)),
    (10**5000, "<int of about 5001 digits>"),
    (-(10**5000), "<int of about 5001 digits>"),
    (None, "None"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=[text for _, text in SHOWN])
def test_what_errors_show(value, text):
    assert shown(value) == text


def test_what_errors_show_is_one_short_line():
    recursive = np.empty(2, object)
    recursive[0] = recursive
    values = (
        [[[BIG] * 50] * 50] * 50,
        dict.fromkeys(range(99), BIG),
        "x" * 10**6,
        b"x" * 10**6,
        Raising(),
        recursive,
        np.array(["x" * 10**4]),
        np.array([10**5000]),
        partial(print, list(range(10**4))),
        10**400,
        type("Lines", (), {"__repr__": lambda self: "a\n" * 1000})(),
    )
    for value in values:
        assert "\n" not in shown(value)
        assert len(shown(value)) < 20_000


WRONG = [
    BIG,
    [BIG],
    (1.0, 2.0),
    "0.1" * 10**5,
    None,
    True,
    np.True_,
    np.array([0.5]),
    np.array(0.5),
    Decimal("0.5"),
    1j,
    10**400,
    10**5000,
    -(10**5000),
    float("nan"),
    Fraction(10**400),
    np.float64("nan"),
    np.datetime64("2020-01-01"),
    Raising(),
    {},
    object(),
]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
def test_errors_about_numbers_are_short(value):
    for call in (
        lambda: arguments.number("x", value, above=0),
        lambda: arguments.integer("x", value, at_least=1, below=99),
        lambda: Adam(value),
        lambda: Dense(8, dropout=value),
        lambda: Network([3, 1], seed=value if value is not None else -1),
        lambda: fastbp.set_num_threads(value),
        lambda: Network([3, 1]).fit(X, Y, epochs=value, shuffle=value),
    ):
        with pytest.raises(ParameterError) as caught:
            call()
        assert len(str(caught.value)) < 700
        assert "expected" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Network([3, 1], activation=BIG),
        lambda: Network([3, 1], loss=BIG),
        lambda: Network([3, 1], optimizer=BIG),
        lambda: Network([3, 1], dtype=BIG),
        lambda: Network([3, BIG]),
        lambda: Network(BIG.tolist()),
        lambda: Network(BIG),
        lambda: Network([3, 1]).fit(X, Y, callbacks=BIG),
        lambda: Network([3, 1]).fit(X, Y, callbacks=[BIG]),
        lambda: Network([3, 1]).fit(X, Y, metrics=BIG),
        lambda: Network([3, 1]).fit(X, Y, verbose=BIG),
        lambda: Network([3, 1]).evaluate(X, Y, metrics=[BIG.tolist()]),
        lambda: Network([3, 1]).evaluate(X, Y, metrics=lambda h, t: BIG),
        lambda: Network([3, 1], loss="binary_cross_entropy").fit(X, Y, class_weight=BIG.tolist()),
        lambda: fastbp.minimize(Network([3, 1]), X, Y, options=BIG.tolist()),
        lambda: Network([3, 1], loss=lambda h, t: (BIG, BIG, BIG)).fit(X, Y),
        lambda: Network([3, 1], loss=lambda h, t: (0.0, [*BIG, [1]])).fit(X, Y),
        lambda: Network([3, 1], loss=partial(lambda h, t, more: None, more=BIG.tolist())).fit(X, Y),
    ],
)
def test_no_error_prints_an_array(call):
    with pytest.raises(Error) as caught:
        call()
    assert len(str(caught.value)) < 1500
    assert str(caught.value).count("\n") < 3


@pytest.mark.skipif(sys.get_int_max_str_digits() != 4300, reason="Python was told another limit")
def test_a_number_of_threads_of_thousands_of_digits():
    with pytest.raises(
        ParameterError, match=r"^FASTBP_NUM_THREADS is '999.*999', expected an integer >= 1"
    ) as caught:
        fastbp._base.threads.default({"FASTBP_NUM_THREADS": "9" * 5000})
    assert len(str(caught.value)) < 200
