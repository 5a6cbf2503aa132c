"""Activations, losses, optimizers and layers as frozen values: equality, bounds, names, table rows."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest

from fastbp import _core, activations, losses, optimizers, reference
from fastbp.activations import CELU, ELU, Activation, LeakyReLU
from fastbp.exceptions import ParameterError
from fastbp.layers import Dense
from fastbp.losses import (
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSSE,
    Hinge,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
)
from fastbp.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    IRprop,
    Lion,
    NAdam,
    Quickprop,
    RAdam,
    RMSprop,
)
from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step, Warmup

nan, inf = math.nan, math.inf

VALUES = {
    "relu": lambda: Activation("relu"),
    "LeakyReLU(alpha=0.2)": lambda: LeakyReLU(alpha=0.2),
    "ELU(alpha=2.0)": lambda: ELU(alpha=2),
    "CELU(alpha=0.5)": lambda: CELU(0.5),
    "HalfSSE(reduction='mean')": lambda: HalfSSE(reduction="mean"),
    "MSE()": MSE,
    "MAE()": MAE,
    "Huber(delta=2.0)": lambda: Huber(delta=2),
    "LogCosh()": LogCosh,
    "Quantile(q=0.9)": lambda: Quantile(q=0.9),
    "Hinge()": Hinge,
    "Poisson()": Poisson,
    "BinaryCrossEntropy()": BinaryCrossEntropy,
    "Poisson(outputs='sum')": lambda: Poisson(outputs="sum"),
    "BinaryCrossEntropy(outputs='sum')": lambda: BinaryCrossEntropy(outputs="sum"),
    "CrossEntropy(label_smoothing=0.1)": lambda: CrossEntropy(label_smoothing=0.1),
    "SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)": (
        lambda: SGD(0.1, 0.9, nesterov=True, weight_decay=0.01)
    ),
    "SGD(learning_rate=Step(learning_rate=0.1, every=9, factor=0.5), momentum=0.0, nesterov=False, "
    "weight_decay=0.0)": lambda: SGD(Step(0.1, 9, 0.5)),
    "Constant(learning_rate=0.0)": lambda: Constant(0),
    "Step(learning_rate=0.1, every=9, factor=0.5)": lambda: Step(0.1, 9, 0.5),
    "Exponential(learning_rate=0.1, decay=0.9, every=1)": lambda: Exponential(0.1, 0.9),
    "InverseScaling(learning_rate=0.1, power=0.5)": lambda: InverseScaling(0.1),
    "Cosine(learning_rate=0.1, steps=9, final=0.0, warmup=0)": lambda: Cosine(0.1, np.int64(9)),
    "OneCycle(learning_rate=0.1, steps=9, warmup_share=0.3, start_divisor=25.0, final_divisor=10000.0)": (
        lambda: OneCycle(0.1, 9)
    ),
    "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=False)": Adam,
    "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, amsgrad=True)": lambda: Adam(
        amsgrad=True
    ),
    "AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01)": AdamW,
    "NAdam(learning_rate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-08, momentum_decay=0.004)": NAdam,
    "RMSprop(learning_rate=0.01, alpha=0.99, epsilon=1e-08, momentum=0.0, centered=False)": RMSprop,
    "RAdam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)": RAdam,
    "Adamax(learning_rate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-08)": Adamax,
    "Warmup(learning_rate=Constant(learning_rate=0.1), steps=9)": lambda: Warmup(Constant(0.1), np.int64(9)),
    "Adagrad(learning_rate=0.01, epsilon=1e-10)": Adagrad,
    "Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-06)": Adadelta,
    "Lion(learning_rate=0.0001, beta1=0.9, beta2=0.99, weight_decay=0.0)": Lion,
    "IRprop(learning_rate=0.01, eta_minus=0.5, eta_plus=1.2, step_min=1e-06, step_max=50.0)": IRprop,
    "Quickprop(learning_rate=0.01, mu=1.75)": Quickprop,
    "Dense(units=3, activation=relu, initializer='he_uniform', l1=0.0, l2=0.0, dropout=0.1, max_norm=2.0, "
    "bias=False, trainable=True, learning_rate_factor=1.0)": (
        lambda: Dense(np.int64(3), "relu", "he", dropout=0.1, max_norm=2, bias=np.False_)
    ),
    "Dense(units=3, l1=0.0, l2=0.1, dropout=0.0, bias=True, trainable=True, learning_rate_factor=1.0, "
    "divide_penalty=True)": lambda: Dense(3, l2=0.1, divide_penalty=True),
}


@pytest.mark.parametrize("text", VALUES)
def test_values_are_frozen_hashable_and_equal_by_content(text):
    value, twin = VALUES[text](), VALUES[text]()
    assert repr(value) == text
    assert value == twin
    assert hash(value) == hash(twin)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    with pytest.raises(AttributeError):
        setattr(value, dataclasses.fields(value)[0].name if dataclasses.fields(value) else "name", 1)
    assert [key for key, make in VALUES.items() if make() == value] == [text]


def test_a_value_can_be_replaced_by_one_like_it():
    assert dataclasses.replace(LeakyReLU(0.2), alpha=0.3) == LeakyReLU(0.3)
    assert dataclasses.replace(Adam(beta1=0.5), learning_rate=1) == Adam(1.0, beta1=0.5)


NUMBERS = [
    (LeakyReLU, "alpha", [-0.1, nan, inf], ">= 0"),
    (ELU, "alpha", [0, -1.0, nan, inf], "> 0"),
    (CELU, "alpha", [0, -1.0, nan, inf], "> 0"),
    (Huber, "delta", [0, -1.0, nan, inf], "> 0"),
    (Quantile, "q", [0, 1, -0.1, nan, inf], "> 0 and < 1"),
    (CrossEntropy, "label_smoothing", [-0.1, 1, nan, inf], ">= 0 and < 1"),
    (IRprop, "eta_minus", [0, 1.0, nan], "> 0 and < 1"),
    (IRprop, "eta_plus", [1.0, nan, inf], "> 1"),
    (IRprop, "step_min", [0, 1e-40, nan, inf], ">= 1.17549e-38"),
    (IRprop, "step_max", [0, 1e-7, nan, inf], ">= 1e-06"),
]

SHARED_NUMBERS = {
    "learning_rate": ([0, -0.1, nan, inf], "> 0"),
    "mu": ([0, -0.1, nan, inf], "> 0"),
    "epsilon": ([0, -1e-8, 1e-40, nan, inf], ">= 1.17549e-38"),
    **dict.fromkeys(("momentum", "beta1", "beta2", "alpha", "rho"), ([-0.1, 1.0, nan], ">= 0 and < 1")),
    **dict.fromkeys(("weight_decay", "momentum_decay"), ([-0.1, nan, inf], ">= 0")),
}

NUMBERS += [
    (type(optimizer), field.name, *SHARED_NUMBERS[field.name])
    for optimizer in optimizers.OPTIMIZERS.values()
    for field in dataclasses.fields(optimizer)
    if field.name in SHARED_NUMBERS
]


@pytest.mark.parametrize(
    ("kind", "argument", "value", "expected"),
    [
        (kind, argument, value, text)
        for kind, argument, values, text in NUMBERS
        for value in (*values, "1", None, True)
    ],
)
def test_bad_numbers_are_named(kind, argument, value, expected):
    with pytest.raises(ParameterError) as error:
        kind(**{argument: value})
    assert str(error.value) == f"{argument} is {value!r}, expected a finite number {expected}"


@pytest.mark.parametrize("units", [0, -1, 2.0, "3", None, True])
def test_bad_units_are_named(units):
    with pytest.raises(ParameterError) as error:
        Dense(units)
    assert str(error.value) == f"units is {units!r}, expected an integer >= 1"


def test_other_bad_parameters_are_named():
    with pytest.raises(ParameterError, match="reduction is 'max', expected one of: sum, mean"):
        HalfSSE(reduction="max")
    with pytest.raises(ParameterError, match=r"delta is 10+, expected a finite number > 0"):
        Huber(delta=10**400)
    with pytest.raises(ParameterError, match="nesterov is 1, expected True or False"):
        SGD(momentum=0.9, nesterov=1)
    with pytest.raises(ParameterError, match="amsgrad is 'yes', expected True or False"):
        Adam(amsgrad="yes")
    with pytest.raises(ParameterError, match=r"momentum is 0\.0 with nesterov=True, expected a momentum > 0"):
        SGD(nesterov=True)


@pytest.mark.parametrize(
    ("get", "argument", "names"),
    [
        (activations.get, "activation", activations.ACTIVATIONS),
        (losses.get, "loss", losses.LOSSES),
        (optimizers.get, "optimizer", optimizers.OPTIMIZERS),
    ],
)
def test_names_and_values_are_both_accepted(get, argument, names):
    for name, value in names.items():
        assert get(name) is value
        assert get(value) is value
    for unknown in ("rleu", "", None, 3, ["relu"]):
        with pytest.raises(ParameterError) as error:
            get(unknown)
        assert str(error.value) == f"{argument} is {unknown!r}, expected one of: {', '.join(names)}"
    with pytest.raises(ParameterError, match="expected one of: identity, sigmoid"):
        Activation("rleu")


def test_optimizers_have_the_numbers_of_their_row():
    assert (SGD(0.1).row, SGD(0.1).hyperparameters) == ("sgd", (0.1,))
    assert (SGD(0.1, 0.9).row, SGD(0.1, 0.9).hyperparameters) == ("momentum", (0.1, 0.9))
    assert SGD(0.1, 0.9, nesterov=True).row == "nesterov"
    decaying = SGD(0.1, 0.9, weight_decay=0.01)
    assert (decaying.row, decaying.hyperparameters) == ("momentum_weight_decay", (0.1, 0.9, 0.01))
    decaying = SGD(0.1, weight_decay=0.01)
    assert (decaying.row, decaying.hyperparameters) == ("sgd_weight_decay", (0.1, 0.01))
    assert (Adam(1).row, Adam(1).hyperparameters) == ("adam", (1.0, 0.9, 0.999, 1e-8))
    assert Adam(1, amsgrad=True).row == "amsgrad"
    assert Adam(1, amsgrad=True).hyperparameters == Adam(1).hyperparameters
    assert (RMSprop(1).row, RMSprop(1).hyperparameters) == ("rmsprop", (1.0, 0.99, 1e-8))
    assert RMSprop(1, momentum=0.5).row == "rmsprop_momentum"
    assert RMSprop(1, momentum=0.5).hyperparameters == (1.0, 0.99, 1e-8, 0.5)
    assert RMSprop(1, centered=True).row == "rmsprop_centered"
    assert RMSprop(1, centered=True).hyperparameters == (1.0, 0.99, 1e-8)
    assert RMSprop(1, momentum=0.5, centered=True).row == "rmsprop_centered_momentum"
    assert IRprop(1).hyperparameters == (1.0, 0.5, 1.2, 1e-6, 50.0)
    assert all(value.hyperparameters[0] == value.learning_rate for value in optimizers.OPTIMIZERS.values())


def test_both_engines_have_the_same_tables():
    assert tuple(reference.ACTIVATIONS) == tuple(name for name, *_ in _core.ACTIVATIONS)
    assert {name: n_states for name, (n_states, _) in reference.OPTIMIZERS.items()} == dict(_core.OPTIMIZERS)
    assert tuple(losses.LOSSES) == tuple(name for name, *_ in _core.LOSSES)
    links = {name: link for name, link, _ in _core.LOSSES if link != "none"}
    assert links == {name: loss.activation for name, loss in losses.LOSSES.items() if loss.activation}
    joint = {name for name, link in links.items() if link != "identity"}  # where logits are outputs
    assert joint == reference.JOINT.keys()


def test_every_row_is_an_activation_of_the_module():
    for name, alpha, formula, _ in _core.ACTIVATIONS:
        value = getattr(activations, name)
        assert (value.name, value.alpha, value.formula) == (name, alpha, formula)
    assert activations.leaky_relu == LeakyReLU() == LeakyReLU(0.01)
    assert (activations.elu, activations.celu) == (ELU(), CELU()) == (ELU(1.0), CELU(1.0))
