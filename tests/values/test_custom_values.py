"""Classes of values that users write: fields hide properties, checks are inherited, mistakes are named."""

import copy
import dataclasses
import inspect
import pickle
import pydoc
import typing
from typing import ClassVar

import numpy as np
import pytest

import fastbp
from fastbp import SGD, Adam, Dense, HalfSSE, LeakyReLU, LevenbergMarquardt, ParameterError, losses, schedules
from fastbp._base.fields import number
from fastbp._base.value import Value
from fastbp.losses import Loss, SumLoss
from fastbp.optimizers import GradientOptimizer, Optimizer

# ---- fields in place of properties -------------------------------------------------------------------------


class ByRows(HalfSSE):
    divisor: str = "rows"


class Parametrized(SumLoss):
    """With a default for what is a property of the base."""

    name = "huber"
    parameter: float = 2.0

    def terms(self, h, t):
        return self.parameter * (h - t)

    def slopes(self, h, t):
        return self.parameter + 0 * h

    def curvatures(self, h, t, r):
        return 0 * r


class Bounded(Parametrized):
    """With a checked field in the place of the property."""

    parameter: float = number(default=3.0, above=0)


class Direct(SumLoss):
    """With a checked field in the place of the property, straight below the class that has it."""

    name = "huber"
    parameter: float = number(default=2.0, above=0)
    terms, slopes, curvatures = Parametrized.terms, Parametrized.slopes, Parametrized.curvatures


class Numbers(SGD):
    hyperparameters: tuple = (0.5,)


class Free(Loss):
    """With fields for all that is abstract in the base."""

    name = "free"
    divisor: str = "rows"

    def __call__(self, output, target):
        return 0.0

    def gradient(self, output, target):
        return 0 * output


class Listed(schedules.Schedule):
    """With a field that has no default in the place of an abstract property."""

    row = "step"
    parameters: tuple


HIDDEN = {
    "ByRows(divisor='rows'": lambda: ByRows(),
    "ByRows(divisor='one'": lambda: ByRows(divisor="one"),
    "Parametrized(parameter=2.0": lambda: Parametrized(),
    "Parametrized(parameter=4.0": lambda: Parametrized(4.0),
    "Bounded(parameter=3.0": lambda: Bounded(),
    "Bounded(parameter=5.0": lambda: Bounded(5.0),
    "Direct(parameter=2.0": lambda: Direct(),
    "Direct(parameter=3.0": lambda: Direct(3),
    "Numbers(hyperparameters=(0.5,)": lambda: Numbers(),
    "Free(divisor='rows'": lambda: Free(),
    "Listed(parameters=(3, 0.5)": lambda: Listed(0.1, (3, 0.5)),
}


@pytest.mark.parametrize("text", HIDDEN)
def test_a_field_hides_a_property_of_a_base(text):
    value = HIDDEN[text]()
    name, _, field = text.partition("(")
    field, _, expected = field.partition("=")
    assert type(value).__name__ == name
    assert repr(getattr(value, field)) == expected
    assert f"{field}={expected}" in repr(value)
    for twin in (copy.copy(value), pickle.loads(pickle.dumps(value)), dataclasses.replace(value)):
        assert twin == value
        assert repr(getattr(twin, field)) == expected


def test_a_field_in_place_of_a_property_is_what_training_uses():
    x, y = np.full((2, 1), 3.0), np.zeros((2, 1))
    assert ByRows()(x, y) == 4.5
    assert Direct(3.0)(x, y) == 9
    assert fastbp.Network([1, 1], optimizer=Numbers(0.1)).fit(x, y).loss


def test_defaults_written_as_in_dataclasses_stay_on_the_class():
    assert (ByRows.divisor, Parametrized.parameter, Numbers.hyperparameters) == ("rows", 2.0, (0.5,))


@pytest.mark.parametrize("owner", [Direct, object.__new__(Direct)], ids=["class", "empty object"])
def test_a_declared_field_has_no_value_but_that_of_the_constructor(owner):
    with pytest.raises(AttributeError, match="'Direct' has no value for the field 'parameter'"):
        owner.parameter  # noqa: B018
    assert not hasattr(owner, "parameter")


# ---- a class's own `__init__` ------------------------------------------------------------------------------


class Scaled(Free):
    """With a default on the class, and a field that its `__init__` sets."""

    name = "x"
    scale: float = 2.0
    other: float

    def __init__(self, other):
        self._set(other=other)


def test_a_default_on_the_class_serves_an_own_init():
    value = Scaled(1.0)
    assert (value.scale, Scaled.scale, value.other) == (2.0, 2.0, 1.0)
    assert repr(value) == "Scaled(divisor='rows', scale=2.0, other=1.0)"
    assert value == Scaled(1.0) != Scaled(2.0)
    assert hash(value) == hash(Scaled(1.0))


class Halving(schedules.Schedule):
    """In the style before fields had declarations: `__init__` passes its field on by name."""

    row = "step"
    n: int

    def __init__(self, learning_rate, n=3):
        super().__init__(learning_rate, n=n)

    @property
    def parameters(self):
        return self.n, 0.5


class Plain(GradientOptimizer):
    """In the same style; its fields are the numbers of the row."""

    row = "momentum"
    momentum: float

    def __init__(self, learning_rate=0.1, momentum=0.5, **clipping):
        super().__init__(learning_rate, momentum=momentum, **clipping)


class Later(Plain):
    """With one more field, which is set before the constructor of the base runs."""

    extra: int = 1

    def __init__(self, extra):
        self._set(extra=extra)
        super().__init__(0.25)


def test_an_own_init_passes_on_fields_that_have_a_type_alone():
    value = Halving(0.1)
    assert (value.learning_rate, value.n, value.parameters) == (0.1, 3, (3, 0.5))
    assert dataclasses.replace(value, n=4) == Halving(0.1, 4) == pickle.loads(pickle.dumps(Halving(0.1, 4)))
    with pytest.raises(ParameterError, match="learning_rate is -1, expected a finite number > 0"):
        Halving(-1)
    optimizer = Plain(clip_norm=1.0)
    assert optimizer.hyperparameters == (0.1, 0.5)
    assert dataclasses.replace(optimizer, momentum=0.25).hyperparameters == (0.1, 0.25)
    net = fastbp.Network([1, 1], optimizer=optimizer, seed=1)
    same = fastbp.Network([1, 1], optimizer=SGD(0.1, 0.5, clip_norm=1.0), seed=1)
    for each in (net, same):
        each.fit(np.ones((2, 1)), np.zeros((2, 1)))
    assert np.array_equal(net.parameters, same.parameters)
    assert Later(5).extra == 5


class Lost(schedules.Schedule):
    row = "step"
    n: int
    parameters = ()

    def __init__(self, *args, **named):
        super().__init__(*args, **named)


def test_an_own_init_that_passes_on_too_little_or_too_much():
    with pytest.raises(TypeError, match=r"^Lost: missing a required argument: 'learning_rate'$"):
        Lost(n=3)
    with pytest.raises(TypeError, match=r"^Lost: too many positional arguments$"):
        Lost(0.1, 3, 4)
    with pytest.raises(TypeError, match=r"^Lost: multiple values for argument 'learning_rate'$"):
        Lost(0.1, learning_rate=3)


# ---- redeclared fields -------------------------------------------------------------------------------------


class MyAdam(Adam):
    beta1: float = 0.5
    clip_norm: float = 1


class Typed(MyAdam):
    beta1: float


def test_a_redeclared_field_keeps_its_check():
    assert (MyAdam().beta1, MyAdam().clip_norm, MyAdam.beta1) == (0.5, 1.0, 0.5)
    assert [*inspect.signature(MyAdam).parameters] == [*inspect.signature(Adam).parameters]
    for kind in (MyAdam, Typed):
        assert kind().beta1 == 0.5
        with pytest.raises(ParameterError, match=r"beta1 is 1.5, expected a finite number >= 0 and < 1"):
            kind(beta1=1.5)
    with pytest.raises(TypeError, match="too many positional"):
        MyAdam(0.1, 0.9, 0.9, 1e-8, True, 1.0)  # clip_norm is still given by name
    with pytest.raises(ParameterError, match=r"beta1 is 2.0, expected"):
        type("Bad", (Adam,), {"__annotations__": {"beta1": float}, "beta1": 2.0})


class Leakier(LeakyReLU):
    alpha: float = 0.25


def test_a_redeclared_default_may_be_that_of_an_activation():
    assert (Leakier().alpha, Leakier().name, Leakier()(-1.0)) == (0.25, "leaky_relu", -0.25)
    with pytest.raises(ParameterError, match="alpha is -1"):
        Leakier(-1)


# ---- mistakes ----------------------------------------------------------------------------------------------


def make(annotations, base=Value, **values):
    """Make the class `Made` with these annotations and values."""
    return type(base)("Made", (base,), {"__annotations__": annotations, **values})


@pytest.mark.parametrize("optimizer", [Adam, SGD])
def test_a_field_without_a_default_after_one_with_a_default(optimizer):
    with pytest.raises(
        TypeError, match=r"the field n of Made has no default, but follows \w+, which has one"
    ):
        make({"n": int}, optimizer)
    with pytest.raises(TypeError, match="the field b of Made has no default, but follows a, which"):
        make({"a": int, "b": int}, a=1)
    assert make({"a": int, "b": int}, a=number(default=1.0, kw_only=True))(2).b == 2
    assert make({"n": int}, optimizer, __init__=lambda self, n: self._set(n=n))(2).n == 2


@pytest.mark.parametrize(
    ("annotation", "values", "text"),
    [
        (float, {"x": dataclasses.field(default=1.0)}, r"Made.x is a dataclasses.field, expected a type and"),
        (dataclasses.KW_ONLY, {}, "Made.x is written with KW_ONLY or InitVar .*, expected an __init__"),
        ("KW_ONLY", {}, "KW_ONLY or InitVar"),
        ("dataclasses.KW_ONLY", {}, "KW_ONLY or InitVar"),
        (dataclasses.InitVar, {}, "KW_ONLY or InitVar"),
        (dataclasses.InitVar[int], {}, "KW_ONLY or InitVar"),
        ("InitVar[int]", {}, "KW_ONLY or InitVar"),
        ("dc.InitVar", {}, "KW_ONLY or InitVar"),
        (
            list,
            {"x": []},
            r"Made.x has the default \[\], which can be changed, expected a constant ",
        ),
        (dict, {"x": {}}, "has the default {}"),
        (set, {"x": set()}, r"has the default set\(\)"),
        ("bytearray", {"x": bytearray()}, "has the default bytearray"),
    ],
)
def test_what_only_dataclasses_know_is_refused(annotation, values, text):
    with pytest.raises(TypeError, match=text):
        make({"x": annotation}, **values)


@pytest.mark.parametrize(
    ("annotation", "is_field"),
    [
        (ClassVar, False),
        (ClassVar[int], False),
        ("ClassVar", False),
        ("ClassVar[int]", False),
        ("typing.ClassVar[int]", False),
        ("t.ClassVar", False),
        ("ClassVariable", True),
        ("MyClassVar[int]", True),
        ("my.InitVariable", True),
        ("list[ClassVar]", True),
        (typing.Any, True),
    ],
)
def test_class_variables_are_no_fields(annotation, is_field):
    kind = make({"x": annotation}, x=1)
    assert [field.name for field in dataclasses.fields(kind)] == ["x"] * is_field
    assert kind.x == kind().x == 1


# ---- what users see ----------------------------------------------------------------------------------------


def test_optimizers_without_a_learning_rate_have_nan():
    value = LevenbergMarquardt()
    assert np.isnan([value.learning_rate, value.base_rate, LevenbergMarquardt.learning_rate]).all()
    assert "learning_rate" not in repr(value)


def test_the_type_of_a_converted_field_is_plain():
    signature = inspect.signature(Dense)
    assert signature.parameters["activation"].annotation == "str | Activation | None"
    assert Dense.__annotations__["activation"] == "Activation | None"
    assert {f.name: f.type for f in dataclasses.fields(Dense)}["activation"] == "Activation | None"
    assert "Converted" not in pydoc.plain(pydoc.render_doc(Dense))


@pytest.mark.parametrize("kind", [Adam, Dense, losses.Huber, schedules.Step, Optimizer, MyAdam])
def test_help_shows_no_private_names(kind):
    shown = pydoc.plain(pydoc.render_doc(kind))
    names = [line.lstrip(" |").partition(" ")[0].partition("(")[0] for line in shown.splitlines()]
    assert [name for name in names if name.startswith("_") and not name.endswith("__")] == []


@pytest.mark.parametrize("kind", [Adam, Dense, losses.Huber, schedules.Step])
def test_fields_are_no_attributes_of_the_class(kind):
    """`help` would list them as methods."""
    assert not {*dir(kind)} & {*kind._names}


class Based(Free):
    scale = 2.0


class TypedAgain(Based):
    scale: float


def test_a_value_of_a_base_is_the_default_of_a_field_with_a_type_alone():
    assert (TypedAgain().scale, TypedAgain("one", 3.0).scale, TypedAgain.scale) == (2.0, 3.0, 2.0)


def test_own_match_args_stay():
    assert make({"a": int, "b": int}, __match_args__=("b",)).__match_args__ == ("b",)
