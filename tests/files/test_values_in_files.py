"""Losses, optimizers, schedules, activations and layers as JSON, and back."""

import inspect
import json
from math import inf, nan

import pytest

import fastbp
from fastbp import activations, layers, losses, optimizers, schedules
from fastbp._model_file.callables import Given, Named
from fastbp._model_file.parts import MisfitError
from fastbp._model_file.values import TYPES, decode, encode
from helpers.optimizers import VARIANTS
from helpers.tables import ACTIVATIONS

RATES = [
    schedules.Constant(0.1),
    schedules.Constant(0),
    schedules.Step(0.1, 2**53 - 1, 1e-30),
    schedules.Exponential(0.1, 0.9),
    schedules.InverseScaling(0.1, 0),
    schedules.Cosine(0.1, 7, final=0.01, warmup=3, growth=2),
    schedules.OneCycle(0.1, 7),
    schedules.Warmup(0.1, 3),
    schedules.Warmup(schedules.Cosine(0.1, 7), 3),
]
LOSSES = [
    *losses.LOSSES.values(),
    fastbp.Huber(0.3, ignore_nan=True),
    fastbp.Quantile(0.123),
    fastbp.Quantiles((0.05, 1 / 3, 0.95)),
    fastbp.CrossEntropy(ignore_index=-1),
    fastbp.BinaryCrossEntropy(outputs="sum"),
    fastbp.Poisson(outputs="sum", ignore_nan=True),
]
LAYERS = [
    fastbp.Dense(3),
    fastbp.Dense(3, "softmax", "orthogonal"),
    fastbp.Dense(3, fastbp.ELU(0.1), l1=0.1, l2=1e-300, dropout=1 / 3, max_norm=2.0, bias=False),
    fastbp.Dense(3, trainable=False, learning_rate_factor=1e10),
    fastbp.Dense(3, l2=0.1, divide_penalty=True),
]
OPTIMIZERS = [
    *VARIANTS.values(),
    fastbp.LevenbergMarquardt(),
    fastbp.LevenbergMarquardt(bayesian=True, damping=5e-324, max_fail=None),
    *(fastbp.SGD(rate, clip_norm=1.5, clip_value=0.1) for rate in RATES[:-1]),
]
VALUES = {
    activations.Activation: ACTIVATIONS,
    losses.Loss: LOSSES,
    schedules.Schedule: RATES,
    layers.Dense: LAYERS,
    optimizers.Optimizer: OPTIMIZERS,
}
CASES = [(kind, value) for kind, values in VALUES.items() for value in values]


def decoded(text, kind, custom=None):
    return decode(json.loads(text), "here", kind, Given(custom, "file"))


def test_round_trips():
    for kind, value in CASES:
        text = json.dumps(encode(value, Named()), allow_nan=False)
        found = decoded(text, kind)
        assert type(found) is type(value)
        assert found == value
        assert repr(found) == repr(value)


def test_fields_that_older_files_lack_have_their_defaults():
    assert decoded('{"type": "Dense", "units": 3, "l2": 0.1}', fastbp.Dense) == fastbp.Dense(3, l2=0.1)
    assert decoded('{"type": "Poisson", "ignore_nan": false}', losses.Loss) == fastbp.Poisson()
    assert decoded('{"type": "BinaryCrossEntropy"}', losses.Loss) == fastbp.BinaryCrossEntropy()


def test_what_is_written():
    assert encode(activations.get("tanh"), Named()) == "tanh"
    assert encode(fastbp.LeakyReLU(0.5), Named()) == {"type": "LeakyReLU", "alpha": 0.5}
    assert encode((inf, -inf, 0.5), Named()) == [{"float": "inf"}, {"float": "-inf"}, 0.5]
    assert encode(nan, Named()) == {"float": "nan"}


def test_the_table_is_complete():
    """It has all classes of values that a network can be built from."""
    kinds = (activations.Activation, losses.Loss, optimizers.Optimizer, schedules.Schedule)
    found = {fastbp.Dense}
    for module, kind in zip((activations, losses, optimizers, schedules), kinds, strict=True):
        classes = {one for one in vars(module).values() if isinstance(one, type) and issubclass(one, kind)}
        found |= {one for one in classes if not inspect.isabstract(one)}
    assert set(TYPES.values()) == found - {optimizers.NoRate}  # which a file has as null
    assert {type(value) for _, value in CASES} | {fastbp.CustomLoss, fastbp.CustomActivation} == found - {
        optimizers.NoRate
    }


WRONG = {
    '{"type": "Adam", "beta1": 2.0}': "here is invalid: beta1 is 2.0, expected",
    '{"type": "Adam", "beta1": true}': "beta1 is True, expected a finite number",
    '{"type": "Adam", "beta1": null}': "beta1 is None, expected a finite number",
    '{"type": "Adam", "beta1": [0.5]}': "beta1 is .*, expected a finite number",
    '{"type": "Adam", "beta1": {"float": "nan"}}': "beta1 is nan, expected a finite number",
    '{"type": "Adam", "beta1": {"float": "0.5"}}': "here.beta1 is .*, expected a number",
    '{"type": "Adam", "beta1": {"a": 1}}': "here.beta1 is .*, expected no object",
    '{"type": "Adam", "beta1": {"custom": "f"}}': "here.beta1 is .*, expected no object",
    '{"type": "Adam", "beta9": 0.5}': "here.beta9 is unexpected, expected only: type, learning_rate",
    '{"type": "Adam", "amsgrad": 1}': "amsgrad is 1, expected True or False",
    '{"type": "Adam", "learning_rate": "x"}': "learning_rate is 'x', expected a finite number",
    '{"type": "Adam", "learning_rate": {"type": "MSE"}}': "here.learning_rate.type is 'MSE', expected one of",
    '{"type": "SGD", "nesterov": true}': "momentum is 0.0 with nesterov=True",
    '{"type": "os.system"}': "here.type is 'os.system', expected one of: SGD, Adam",
    '{"type": "MSE"}': "here.type is 'MSE', expected one of: SGD, Adam",
    '{"type": 3}': "here.type is 3, expected a string",
    '{"beta1": 0.5}': "here.type is missing, expected a string",
    '{"custom": 3}': "here.custom is 3, expected a string",
    '{"custom": "f", "type": "Adam"}': "here.type is unexpected, expected only: custom",
    '"Adam"': "here is 'Adam', expected an object",
    "[]": r"here is \[\], expected an object",
    "null": "here is None, expected an object",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong(text):
    with pytest.raises(MisfitError, match=WRONG[text]):
        decoded(text, optimizers.Optimizer)


def test_values_in_one_another():
    text = '{"type":"Warmup","steps":1,"learning_rate":' * 200 + "0.1" + "}" * 200
    with pytest.raises(MisfitError, match="is a value in too many others"):
        decoded(text, schedules.Schedule)
    text = '{"type":"Warmup","steps":1,"learning_rate":' * 2 + "0.1" + "}" * 2
    with pytest.raises(MisfitError, match="expected one without a warm-up"):
        decoded(text, schedules.Schedule)


def test_large_numbers():
    for number in ("1e400", "1" + "0" * 400, "-1e400"):
        with pytest.raises(MisfitError, match="expected a finite number"):
            decoded(f'{{"type": "SGD", "momentum": {number}}}', optimizers.Optimizer)
    with pytest.raises(MisfitError, match="expected an integer"):
        decoded('{"type": "Dense", "units": 1e3}', layers.Dense)
    with pytest.raises(MisfitError, match="expected a number of float64"):
        decoded(f'{{"type": "Quantiles", "quantiles": [1{"0" * 400}]}}', losses.Loss)
