"""Fields of values: constructor, checks, signature and documentation follow from one line each."""

import copy
import dataclasses
import inspect
import math
import pickle
import pydoc
import re
import subprocess
import sys

import pytest

import fastbp
from fastbp import SGD, Adam, Dense, Huber, IRprop, ParameterError, io, losses
from fastbp._base import arguments
from fastbp._base.fields import MISSING, checked_by, checked_later, fixed, number, one_of
from fastbp._base.value import Value
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from fastbp.exceptions import UnknownArgumentError
from fastbp.schedules import Step


def kinds(base=Value):
    """Yield the public classes of values that can be made."""
    for kind in base.__subclasses__():
        yield from kinds(kind)
        parts = [*kind.__module__.split("."), kind.__name__]
        is_public = parts[0] == "fastbp" and not parts[-1].startswith("_")
        if is_public and not inspect.isabstract(kind) and kind.__init__ is Value.__init__:
            yield kind


KINDS = sorted({*kinds()}, key=lambda kind: kind.__name__)


def documented(kind):
    """Return the text after each parameter's name, in the docstrings of a class and its bases."""
    found = {}
    for base in reversed(kind.__mro__):
        section = re.search(
            r"Parameters\n-+\n(.*?)(\n\n[A-Z]\w+\n---|\Z)", inspect.getdoc(base) or "", re.DOTALL
        )
        for names, text in re.findall(r"^(\w[\w, ]*) : (.*)$", section[1] if section else "", re.MULTILINE):
            found |= dict.fromkeys(names.split(", "), text)
    return found


def accepted(field):
    """Return the values that a field accepts, as written in docstrings: "float, >= 0 and < 1"."""
    bounds = [
        f"{sign} {written(bound)}"
        for sign, bound in zip((">", ">=", "<"), field.bounds, strict=True)
        if bound is not None
    ]
    optional = ["optional"] * (field.default is None)
    return ", ".join([field.kind, *([" and ".join(bounds)] if bounds else []), *optional])


def written(bound):
    """Return a number as text, large and small powers of 2 as 2**n."""
    mantissa, exponent = math.frexp(bound)
    sign = "-" if mantissa < 0 else ""
    return f"{sign}2**{exponent - 1}" if abs(mantissa) == 0.5 and abs(exponent) > 20 else f"{bound:g}"


def test_there_are_values_of_every_kind():
    assert {Adam, Step, Huber, Dense, EarlyStopping, fastbp.metrics.TopK, io.Table} < {*KINDS}
    assert len(KINDS) > 30


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_docstrings_have_the_declared_bounds(kind):
    texts = documented(kind)
    table = kind._table
    assert {name: texts.get(name) for name in table.checks} == {
        name: accepted(table.declared[name]) for name in table.checks
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_defaults_pass_their_checks(kind):
    """The constructor does not check them."""
    for name, check in kind._table.checks.items():
        default = kind._table.declared[name].default
        if default is not MISSING:
            kept = check(name, default)
            assert (type(kept), kept) == (type(default), default)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_signatures_are_those_of_the_fields(kind):
    parameters = inspect.signature(kind).parameters
    assert [*parameters] == [*kind._names]
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for name, parameter in parameters.items():
        is_named = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert is_named == fields[name].kw_only
        assert (parameter.default is parameter.empty) == (fields[name].default is dataclasses.MISSING)
    assert str(inspect.signature(kind)) in pydoc.plain(pydoc.render_doc(kind)) or not parameters


def test_arguments_by_position_and_by_name():
    assert Adam(0.1, 0.5, 0.25, 1e-3, True) == Adam(
        learning_rate=0.1, beta1=0.5, beta2=0.25, epsilon=1e-3, amsgrad=True
    )
    assert ReduceLROnPlateau("loss", 0.5, 3) == ReduceLROnPlateau(monitor="loss", patience=3, factor=0.5)
    assert IRprop(step_max=2.0, step_min=0.5) == IRprop(0.01, 0.5, 1.2, 0.5, 2)
    assert Dense(3, "relu", "he", l1=0.5).initializer == "he_uniform"
    for call, text in (
        (lambda: Adam(1, 2, 3, 4, 5, 6), "Adam: too many positional arguments"),
        (lambda: Dense(3, "relu", "he", 0.5), "Dense: too many positional arguments"),
        (lambda: Adam(0.1, learning_rate=0.2), "Adam: multiple values for argument 'learning_rate'"),
        (lambda: Step(0.1), "Step: missing a required argument: 'every'"),
        (lambda: Step(every=3), "Step: missing a required argument: 'learning_rate'"),
    ):
        with pytest.raises(TypeError, match=text):
            call()


def test_a_bound_may_be_another_field():
    for named in ({"step_max": 1e-7}, {"step_min": 51.0}, {"step_max": 0.25, "step_min": 0.5}):
        with pytest.raises(ParameterError, match=r"step_max is .*, expected a finite number >= "):
            IRprop(**named)


# ---- classes of the user -----------------------------------------------------------------------------------


def even(argument, value):
    if value % 2:
        raise ParameterError(f"{argument} is {value}, expected an even number")
    return value


class Sample(Value):
    """With a field of each kind."""

    plain: object
    low: float = number(at_least=0)
    high: float = checked_later("float, >= low", default=1.0)
    even: int = checked_by(even, "int, even", default=2)
    maybe: float | None = number(default=None, above=0, below=1)
    way: str = one_of("up", "down", default="up", kw_only=True)
    kind: str = fixed("sample")

    def __post_init__(self):
        self._set(high=arguments.number("high", self.high, at_least=self.low))


class Bigger(Sample):
    """With one more field, and another default."""

    low: float = number(default=0.5, at_least=0)
    more: float = number(default=3.0)


def test_fields_of_every_kind():
    value = Sample("x", 0, 2)
    assert repr(value) == "Sample(plain='x', low=0.0, high=2.0, even=2, way='up')"
    assert value.kind == Sample.kind == "sample"
    assert [field.name for field in dataclasses.fields(Sample)] == [*Sample.__annotations__]
    assert dataclasses.asdict(value)["even"] == 2
    assert dataclasses.replace(value, low=1.5, maybe=0.5) == Sample("x", 1.5, 2.0, maybe=0.5)
    assert value.__replace__(way="down").way == "down"
    assert Sample.__match_args__ == ("plain", "low", "high", "even", "maybe")
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert (twin, hash(twin)) == (value, hash(value))
    for named, text in (
        ({"low": -1.0}, "low is -1.0, expected a finite number >= 0"),
        ({"high": -1}, "high is -1, expected a finite number >= 0"),
        ({"even": 3}, "even is 3, expected an even number"),
        ({"maybe": 1.0}, "maybe is 1.0, expected a finite number > 0 and < 1"),
        ({"way": None}, "way is None, expected one of: up, down"),
        ({"low": math.nan}, "low is nan"),
        ({"low": True}, "low is True"),
    ):
        with pytest.raises(ParameterError, match=re.escape(text)):
            Sample(**{"plain": 0, "low": 0.0} | named)
    with pytest.raises(UnknownArgumentError, match="Sample has no argument kind"):
        Sample("x", 0, kind="other")
    with pytest.raises(AttributeError, match="cannot assign"):
        value.low = 3
    assert Bigger("x") == Bigger("x", 0.5, 1.0, 2, None, 3.0)
    assert [*inspect.signature(Bigger).parameters] == ["plain", "low", "high", "even", "maybe", "more", "way"]


class Twice(SGD):
    """With an `__init__` of its own and a field that it sets."""

    factor: float

    def __init__(self, learning_rate=0.1, factor=2.0, **others):
        super().__init__(learning_rate, **others)
        self._set(factor=factor)


def test_a_subclass_with_an_init_of_its_own():
    assert [*inspect.signature(Twice).parameters] == ["learning_rate", "factor", "others"]
    value = Twice(0.5, 3.0, momentum=0.5)
    assert (value.momentum, value.factor) == (0.5, 3.0)
    assert dataclasses.replace(value, factor=4.0) == Twice(0.5, 4.0, momentum=0.5)
    with pytest.raises(UnknownArgumentError, match="Twice has no argument lr"):
        Twice(lr=1)


# ---- types -------------------------------------------------------------------------------------------------

TYPED = """
from fastbp import Adam, Dense, IRprop
from fastbp.callbacks import ReduceLROnPlateau
from fastbp.schedules import Step

reveal_type(Adam)
reveal_type(Dense)
reveal_type(Dense(3).activation)
Adam(0.1, 0.9, clip_norm=1.0)
Adam(Step(0.1, 3), amsgrad=True)
ReduceLROnPlateau("loss", 0.5, 3)
Adam(0.1, 0.9, 0.9, 1e-8, True, 1.0)
Adam(lr=0.1)
Step(0.1)
Adam(beta1="0.9")
Dense(3, 4)
IRprop().eta_plus = 3.0
"""


@pytest.mark.slow
def test_mypy_sees_the_constructors(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "typed.py").write_text(TYPED)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            "--cache-dir",
            tmp_path / "cache",
            "typed.py",
        ],
        cwd=tmp_path,
        env={"MYPYPATH": str(next(iter(fastbp.__path__)) + "/.."), "PATH": ""},
        capture_output=True,
        text=True,
    )
    lines = re.findall(r"^typed.py:(\d+): (\w+): (.*)$", done.stdout, re.MULTILINE)
    found = {int(line): text for line, _, text in lines}
    assert "beta1: float =, beta2: float =" in found[6], done.stdout + done.stderr
    assert "*, clip_norm: float | None =" in found[6]
    assert "activation: str | fastbp.activations.Activation | None =" in found[7]
    assert found[8] == 'Revealed type is "fastbp.activations.Activation | None"'
    assert sorted(int(line) for line, kind, _ in lines if kind == "error") == [12, 13, 14, 15, 16, 17]


# ---- declarations of losses --------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", losses.LOSSES.values(), ids=repr)
def test_the_metrics_of_a_loss_exist(loss):
    assert loss.metrics
    assert {*loss.metrics} <= {*fastbp.metrics.METRICS}
    assert next(iter(fastbp.metrics.named(loss))) == loss.metrics[0]
