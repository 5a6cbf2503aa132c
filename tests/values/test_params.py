"""`get_params` of values: fields by name, as estimators of scikit-learn have it, for its `clone`."""

import copy
import inspect
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp import activations, callbacks, losses, metrics, optimizers, schedules, splits
from fastbp._base.value import Value
from helpers.optimizers import VARIANTS
from helpers.tables import ACTIVATIONS


def by_epoch(epoch):
    return 0.1 / (epoch + 1)


def squares(output, target):
    return float(((output - target) ** 2).sum()), 2 * (output - target)


RATES = [
    schedules.Constant(0.1),
    schedules.Step(1, 9),
    schedules.Exponential(0.1, 0.9),
    schedules.InverseScaling(0.1),
    schedules.Cosine(0.1, np.int64(7), growth=2),
    schedules.OneCycle(0.1, 7),
    schedules.Warmup(0.1, 3),
    schedules.Warmup(schedules.Cosine(0.1, 2**50), 3),
]
VALUES = [
    *ACTIVATIONS,
    fastbp.CustomActivation(np.sin, np.cos, "sine wave"),
    fastbp.CustomActivation(np.sin, np.cos, second_derivative=lambda z: -np.sin(z), check=True),
    *losses.LOSSES.values(),
    fastbp.BinaryCrossEntropy(outputs="sum", ignore_nan=True),
    fastbp.CrossEntropy(np.float32(0.5), ignore_index=2**40),
    fastbp.Quantiles([np.float64(0.2), 0.5]),
    fastbp.Quantiles(np.array([0.2, 0.5])),
    losses.CustomLoss(squares, nan_targets=True),
    *VARIANTS.values(),
    fastbp.LevenbergMarquardt(bayesian=True, max_fail=None),
    *(fastbp.SGD(rate, momentum=0.5, clip_norm=1) for rate in [*RATES, by_epoch, 1]),
    *RATES,
    fastbp.Dense(3),
    fastbp.Dense(np.int64(300), fastbp.ELU(0.5), "he", l2=1, max_norm=2, divide_penalty=np.True_),
    callbacks.EarlyStopping("loss", patience=1000, restore_best=True),
    callbacks.ReduceLROnPlateau("loss", factor=0.25),
    callbacks.ExponentialMovingAverage(0.5),
    callbacks.StochasticWeightAveraging(start_epoch=3),
    callbacks.Checkpoint(Path("folder", "file"), every="10 s"),
    callbacks.CSVLogger("log.csv"),
    callbacks.TensorBoard("logs"),
    callbacks.RecordPath(np.int64(3), on="step"),
    metrics.TopK(3),
    *(kind(0.25) for kind in (splits.LastRows, splits.ShuffledSplit, splits.StratifiedSplit)),
]


def test_they_are_of_every_kind():
    """So a new class of values has to be added here."""
    modules = (activations, losses, optimizers, schedules, callbacks, metrics, splits, fastbp)
    public = {
        kind
        for module in modules
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, Value)
        and not inspect.isabstract(kind)
        and name[0] != "_"
    }
    assert public - {type(value) for value in VALUES} == {Value, optimizers.NoRate}


def test_fields_by_name():
    assert fastbp.Adam(0.1).get_params(deep=False) == {
        "learning_rate": 0.1,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "amsgrad": False,
        "clip_norm": None,
        "clip_value": None,
    }
    assert fastbp.MAE().get_params() == {"ignore_nan": False}
    for value in VALUES:
        params = value.get_params(deep=False)
        arguments = [*inspect.signature(type(value)).parameters]
        if isinstance(value, fastbp.CustomActivation):  # `check` is done and not kept
            assert arguments == ["f", "derivative", "name", "second_derivative", "check"]
            arguments = ["name", "f", "derivative", "second_derivative"]
        assert [*params] == arguments
        assert all(params[name] is getattr(value, name) for name in params)


def test_deep_goes_into_values_within_values():
    """The names are those that a grid takes: "learning_rate__steps" of an optimizer."""
    decay = schedules.Exponential(0.1, 0.9)
    optimizer = fastbp.SGD(schedules.Warmup(decay, 3), momentum=0.5)
    found = optimizer.get_params()
    within = {name: value for name, value in found.items() if "__" in name}
    assert within == {
        "learning_rate__learning_rate": decay,
        "learning_rate__steps": 3,
        "learning_rate__learning_rate__learning_rate": 0.1,
        "learning_rate__learning_rate__decay": 0.9,
        "learning_rate__learning_rate__every": 1,
    }
    assert found.keys() - within.keys() == optimizer.get_params(deep=False).keys()
    assert fastbp.Dense(3, fastbp.ELU(0.5)).get_params()["activation__alpha"] == 0.5


def test_constructors_keep_what_get_params_returns():
    """The very objects, and equal copies of tuples and values: that is what clone checks."""
    for value in VALUES:
        params = value.get_params(deep=False)
        for again in (params, {name: copied(param) for name, param in params.items()}):
            made = type(value)(**again)
            assert made == value
            for name, kept in made.get_params(deep=False).items():
                assert kept is again[name], (value, name)


def copied(param):
    """Return what clone makes of a parameter."""
    return (*param,) if isinstance(param, tuple) else copy.deepcopy(param)


def test_clone_of_scikit_learn():
    base = pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
    for value in VALUES:
        clone = base.clone(value)
        assert type(clone) is type(value)
        assert clone == value
    own = base.clone(losses.CustomLoss(Own(3)))  # which has no comparison
    assert own.function.factor == 3


class Own:
    """A loss with a state of its own, which clones do not share."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, output, target):
        return squares(output, self.factor * target)
