"""Copies and pickles of values go through their constructors; no crafted state bypasses them."""

import copy
import copyreg
import dataclasses
import inspect
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import (
    CELU,
    ELU,
    SGD,
    Adam,
    AdamW,
    CrossEntropy,
    Dense,
    HalfSSE,
    Huber,
    IRprop,
    LeakyReLU,
    LevenbergMarquardt,
    Network,
    ParameterError,
    Quantile,
)
from fastbp._base.value import Value
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from fastbp.exceptions import UnknownArgumentError
from fastbp.layers import Layer
from fastbp.losses import CustomLoss
from fastbp.metrics import TopK
from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step, Warmup

RELU = fastbp.activations.get("relu")
X, Y = np.ones((4, 3)), np.ones((4, 1))


# ---- custom values -----------------------------------------------------------------------------------------


class Doubled(SGD):
    """With a field of its own."""

    factor: float

    def __init__(self, learning_rate=0.1, factor=2.0, **others):
        super().__init__(learning_rate, **others)
        self._set(factor=factor)

    @property
    def hyperparameters(self):
        return (self.base_rate * self.factor,)


class Warm(SGD):
    """A value whose constructor takes no fields."""

    def __init__(self, rate):
        super().__init__(2 * rate)


def test_a_subclass_with_fields_is_a_value():
    value = Doubled(0.25, factor=4.0)
    assert dataclasses.replace(value, learning_rate=0.5) == Doubled(0.5, 4.0)
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
    assert Network([3, 1], optimizer=value).optimizer.factor == 4
    with pytest.raises(UnknownArgumentError, match=r"Doubled has no argument lr.*did you mean learning_rate"):
        Doubled(lr=0.5)


def test_a_subclass_whose_constructor_takes_no_fields_works_but_fails_when_it_is_copied():
    net = Network([3, 1], optimizer=Warm(rate=0.25))
    net.fit(X, Y)
    assert net.learning_rate == 0.5
    with pytest.raises(UnknownArgumentError, match="Warm has no argument lr, expected one of: rate"):
        Warm(lr=3)
    for work in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="learning_rate"):
            work(Warm(0.25))


# ---- states ------------------------------------------------------------------------------------------------

STATES = [
    (Cosine(0.1, 9, growth=2), {"growth": 0}),
    (Cosine(0.1, 9), {"growth": 0.5}),
    (Cosine(0.1, 9), {"steps": 0}),
    (Step(0.1, 9), {"every": 0}),
    (Exponential(0.1, 0.5), {"decay": 0.0}),
    (InverseScaling(0.1), {"power": float("nan")}),
    (OneCycle(0.1, 9), {"start_divisor": 0.0}),
    (Constant(0.1), {"learning_rate": -1.0}),
    (Warmup(0.1, 9), {"learning_rate": Warmup(0.1, 9)}),
    (Warmup(Step(0.1, 9), 9), {"steps": -1}),
    (SGD(), {"momentum": 1.0}),
    (SGD(), {"nesterov": True}),
    (Adam(), {"epsilon": 0.0}),
    (Adam(), {"beta2": float("nan")}),
    (Adam(), {"learning_rate": "0.1"}),
    (Adam(), {"lr": 0.1}),
    (AdamW(), {"clip_norm": 0.0}),
    (IRprop(), {"step_max": 1e-9}),
    (LevenbergMarquardt(), {"damping": 0.0}),
    (Huber(), {"delta": 0.0}),
    (Quantile(), {"q": 2.0}),
    (CrossEntropy(), {"label_smoothing": 1.0}),
    (HalfSSE(), {"reduction": "max"}),
    (CustomLoss(print), {"function": 3}),
    (LeakyReLU(), {"alpha": -1.0}),
    (LeakyReLU(), {"name": "celu"}),
    (ELU(), {"alpha": 0.0}),
    (CELU(), {"alpha": 0.0}),
    (RELU, {"name": "no such"}),
    (RELU, {"name": "celu", "alpha": 0.0}),
    (RELU, {"alpha": 0.5}),
    (Dense(3), {"units": 0}),
    (Dense(3), {"dropout": 2.0}),
    (Dense(3), {"activation": "no such"}),
    (EarlyStopping(), {"patience": 0}),
    (ReduceLROnPlateau(), {"factor": 2.0}),
    (TopK(3), {"k": 0}),
]


class Crafted:
    """An object that pickles as a value with any state."""

    def __init__(self, kind, state):
        self.kind, self.state = kind, state

    def __reduce__(self):
        return copyreg._reconstructor, (self.kind, object, None), self.state


@pytest.mark.parametrize(("value", "change"), STATES, ids=repr)
def test_no_state_makes_a_value_that_its_constructor_refuses(value, change):
    kind, state = type(value), value.__getstate__()
    assert pickle.loads(pickle.dumps(Crafted(kind, state), 2)) == value  # it is the change that is refused
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(ParameterError):
            pickle.loads(pickle.dumps(Crafted(kind, state | change), protocol))


@pytest.mark.parametrize("value", [value for value, _ in STATES], ids=repr)
def test_every_protocol_and_copy_makes_the_same_value(value):
    twins = [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in (*twins, copy.copy(value), copy.deepcopy(value), dataclasses.replace(value)):
        assert (type(twin), twin) == (type(value), value)
        assert vars(twin) == vars(value)


def test_a_state_changes_no_value_that_exists():
    for value in (Huber(), RELU, Adam()):
        before = repr(value)
        with pytest.raises(AttributeError, match="cannot set the state"):
            value.__setstate__(value.__getstate__())
        assert repr(value) == before


def kinds(base):
    """All concrete classes of values."""
    for kind in base.__subclasses__():
        yield from kinds(kind)
        if kind.__module__.startswith("fastbp.") and not inspect.isabstract(kind):
            yield kind


def test_a_value_without_a_state_has_no_numbers():
    """No class brings a number of its own for a field: what was never constructed cannot be computed with."""
    for kind in {*kinds(Value)}:
        empty = copyreg.__newobj__(kind)
        for name in kind._names:
            with pytest.raises(AttributeError):
                getattr(empty, name)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n_in": 0}, "n_in is 0"),
        ({"n_in": -4}, "n_in is -4"),
        ({"n_out": 0}, "n_out is 0"),
        ({"activation": "no such"}, "activation is 'no such'"),
        ({"activation": None}, "activation is None"),
        ({"l1": -1.0}, "l1 is -1.0"),
        ({"l2": float("inf")}, "l2 is inf"),
        ({"dropout": 2.0}, "dropout is 2.0"),
        ({"max_norm": 0.0}, "max_norm is 0.0"),
    ],
)
def test_layers_are_checked_however_they_are_made(change, text):
    fields = {
        "n_in": 3,
        "n_out": 2,
        "activation": RELU,
        "l1": 0.0,
        "l2": 0.0,
        "dropout": 0.0,
        "max_norm": None,
    }
    good, bad = Layer(**fields), tuple((fields | change).values())
    assert pickle.loads(pickle.dumps(good)) == copy.deepcopy(good) == good
    for make in (
        lambda: Layer(*bad),
        lambda: Layer._make(bad),
        lambda: good._replace(**change),
        lambda: copyreg.__newobj__(Layer, *bad),
    ):
        with pytest.raises(ParameterError, match=text):
            make()
