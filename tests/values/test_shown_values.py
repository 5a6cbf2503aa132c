"""Values in error messages: one short line for every value."""

import sys
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import (
    Adam,
    Dense,
    Error,
    Network,
    ParameterError,
)
from fastbp._base import arguments
from fastbp._base.shown import shown

X, Y = np.ones((4, 3)), np.ones((4, 1))


BIG = np.ones((300, 300))


class Raising:
    """A value whose repr raises."""

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
