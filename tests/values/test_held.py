"""Numbers that a network's dtype cannot hold are refused, wherever they come from."""

import dataclasses
import re

import numpy as np
import pytest

import fastbp
from fastbp import (
    CELU,
    ELU,
    SGD,
    Adadelta,
    Adam,
    AdamW,
    CrossEntropy,
    Dense,
    Huber,
    IRprop,
    LeakyReLU,
    LevenbergMarquardt,
    Lion,
    Network,
    ParameterError,
    Quantile,
    Quickprop,
    RMSprop,
    reference,
)
from fastbp.activations import Activation
from fastbp.optimizers import OPTIMIZERS
from fastbp.schedules import Constant, Cosine, Exponential, InverseScaling, OneCycle, Step

RELU = fastbp.activations.get("relu")
X, Y = np.ones((4, 3)), np.ones((4, 1))


BEYOND = 1e39, 1e-39, 1e-50  # float32: infinity, a subnormal number, 0


def network(**arguments):
    """Return a function that makes a network with these arguments in a dtype."""
    return lambda dtype: Network(**{"layers": [3, 2, 1], "dtype": dtype} | arguments)


BY_NUMBER = {
    "LeakyReLU": lambda x: network(activation=LeakyReLU(x)),
    "ELU": lambda x: network(output_activation=ELU(x)),
    "CELU": lambda x: network(layers=[3, Dense(2, CELU(x)), 1]),
    "Huber": lambda x: network(loss=Huber(x)),
    "l1": lambda x: network(layers=[3, Dense(2, l1=x), 1]),
    "l2": lambda x: network(layers=[3, Dense(2, l2=x), 1]),
    "max_norm": lambda x: network(layers=[3, Dense(2, max_norm=x), 1]),
    "input_noise": lambda x: network(input_noise=x),
    "Quickprop mu": lambda x: network(optimizer=Quickprop(mu=x)),
    "schedule": lambda x: network(optimizer=SGD(Step(x, 9, factor=1))),
    "constant schedule": lambda x: network(optimizer=SGD(Constant(x))),
    "warm-up": lambda x: network(optimizer=SGD(Cosine(0.1, 9, final=x))),
    **{
        f"{name} rate": lambda x, v=v: network(optimizer=dataclasses.replace(v, learning_rate=x))
        for name, v in OPTIMIZERS.items()
    },
    **{
        f"{name} clip_norm": lambda x, v=v: network(optimizer=dataclasses.replace(v, clip_norm=x))
        for name, v in OPTIMIZERS.items()
    },
    **{
        f"{name} clip_value": lambda x, v=v: network(optimizer=dataclasses.replace(v, clip_value=x))
        for name, v in OPTIMIZERS.items()
    },
}
EDGES = {  # float32 rounds to 1 what must be below it, or above, and to 0 what must not be
    "beta1": lambda: network(optimizer=Adam(beta1=1 - 1e-9)),
    "beta2": lambda: network(optimizer=AdamW(beta2=1 - 1e-9)),
    "beta of Lion": lambda: network(optimizer=Lion(beta2=1 - 1e-9)),
    "momentum": lambda: network(optimizer=SGD(momentum=1 - 1e-9)),
    "tiny momentum": lambda: network(optimizer=SGD(momentum=1e-50)),
    "alpha of RMSprop": lambda: network(optimizer=RMSprop(alpha=1 - 1e-9)),
    "rho": lambda: network(optimizer=Adadelta(rho=1 - 1e-9)),
    "eta_minus": lambda: network(optimizer=IRprop(eta_minus=1 - 1e-9)),
    "eta_plus": lambda: network(optimizer=IRprop(eta_plus=1 + 1e-9)),
    "step_max": lambda: network(optimizer=IRprop(step_max=1e39)),
    "epsilon": lambda: network(optimizer=Adam(epsilon=1e39)),
    "q": lambda: network(loss=Quantile(1 - 1e-9)),
    "tiny q": lambda: network(loss=Quantile(1e-50)),
    "label_smoothing": lambda: network(layers=[3, 2], loss=CrossEntropy(1 - 1e-9)),
    "tiny label_smoothing": lambda: network(layers=[3, 2], loss=CrossEntropy(1e-50)),
    "factor of Step": lambda: network(optimizer=SGD(Step(0.1, 9, factor=1e-50))),
    "growing Step": lambda: network(optimizer=SGD(Step(0.1, 9, factor=1e60))),
    "decay of Exponential": lambda: network(optimizer=SGD(Exponential(0.1, 1e-50))),
    "power": lambda: network(optimizer=SGD(InverseScaling(0.1, 200))),
    "start_divisor": lambda: network(optimizer=SGD(OneCycle(0.1, 9, start_divisor=1e50))),
    "final_divisor": lambda: network(optimizer=SGD(OneCycle(0.1, 9, final_divisor=1e50))),
    "function of the epoch": lambda: network(optimizer=SGD(lambda epoch: 1e39)),
}


@pytest.mark.parametrize("x", BEYOND)
@pytest.mark.parametrize("make", BY_NUMBER.values(), ids=BY_NUMBER)
def test_numbers_that_float32_does_not_hold_are_refused(make, x):
    with pytest.raises(
        ParameterError,
        match=re.escape(f"{x:g}") + ".*expected (0 or )?a magnitude of 1.18e-38 to 3.4e.38",
    ):
        make(x)("float32")
    make(x)("float64")
    make(1e-38 * 2)("float32")


@pytest.mark.parametrize("make", EDGES.values(), ids=EDGES)
def test_numbers_that_float32_makes_into_others_are_refused(make):
    with pytest.raises(ParameterError, match="float32"):
        make()("float32")
    make()("float64")


@pytest.mark.parametrize("schedule", [Step(1e-300, 9, 1e-300), InverseScaling(0.1, 2000)], ids=repr)
def test_rates_that_float64_does_not_hold_either(schedule):
    with pytest.raises(ParameterError, match=r"is 0 in .*expected a magnitude of .*the range of float64"):
        Network([3, 1], optimizer=SGD(schedule), dtype="float64")


def test_numbers_that_rounding_does_not_harm_are_taken():
    network(loss=Huber(1 - 1e-12), optimizer=SGD(1 + 1e-12), layers=[3, Dense(2, dropout=0.1), 1])("float32")
    network(optimizer=LevenbergMarquardt(damping=1e-50))("float32")  # float64 computes it
    network(optimizer=SGD(OneCycle(0.1, 9, warmup_share=1 - 1e-12)))("float32")


@pytest.mark.parametrize("kind", [Network, reference.Network])
def test_setting_what_the_dtype_does_not_hold_changes_nothing(kind):
    net = kind([3, 1], optimizer=SGD(0.5))
    net.loss_and_gradients(X, Y)
    for rate in BEYOND:
        with pytest.raises(ParameterError, match=re.escape(f"learning_rate is {rate:g}")):
            net.learning_rate = rate
        with pytest.raises(ParameterError, match=re.escape(f"clip_norm is {rate:g}")):
            net.optimizer = Adam(clip_norm=rate)
    assert net.optimizer == SGD(0.5)
    net.gradients  # noqa: B018 - still there
    net.learning_rate = 1e-30


@pytest.mark.parametrize("kind", [Network, reference.Network])
def test_rates_that_come_up_in_a_fit(kind):
    """Too large a rate is refused where it comes up; one that falls below what float32 holds ends at 0."""

    def set_rate(rate):
        def callback(state):
            state.learning_rate = rate

        return callback

    net = kind([3, 1], optimizer=SGD(lambda epoch: 1e39 if epoch == 2 else 0.1))
    with pytest.raises(ParameterError, match=r"learning_rate is 1e\+39 .*float32"):
        net.fit(X, Y, epochs=5)
    assert len(net.history) == 2
    with pytest.raises(ParameterError, match=r"learning_rate is 1e\+39 .*float32"):
        kind([3, 1], optimizer=SGD(0.1)).fit(X, Y, callbacks=set_rate(1e39))
    net = kind([3, 1], optimizer=SGD(lambda epoch: 0.1 * 1e-10**epoch))
    assert net.fit(X, Y, epochs=9).learning_rate[-1] == pytest.approx(1e-81)
    kind([3, 1], optimizer=SGD(0.1)).fit(X, Y, epochs=3, callbacks=set_rate(1e-81))


@pytest.mark.parametrize("value", [LeakyReLU(1e39), LeakyReLU(1e-50), ELU(1e39), CELU(1e-50)], ids=repr)
def test_activations_of_arrays_that_do_not_hold_alpha(value):
    for call in (value, value.derivative):
        for dtype in ("f4", ">f4"):
            with pytest.raises(ParameterError, match=r"alpha is .*float32"):
                call(np.zeros(3, dtype))
        call(np.zeros(3))
        call([0, 1])
    out = np.ones(3, np.float32)
    with pytest.raises(ParameterError):
        value(np.zeros(3, np.float32), out=out)
    assert (out == 1).all()
    assert value(0.0) == 0


@pytest.mark.parametrize(
    "loss", [Huber(1e39), Huber(1e-50), Quantile(1e-50), Quantile(1 - 1e-9), CrossEntropy(1e-50)], ids=repr
)
def test_losses_of_arrays_that_do_not_hold_the_parameter(loss):
    h = np.full((2, 2), 0.5, np.float32)
    for call in (loss, loss.gradient):
        with pytest.raises(ParameterError, match="float32"):
            call(h, h)
        call(h.astype(float), h)


def test_an_alpha_where_there_is_none_is_refused():
    assert Activation("relu", 0) == RELU
    with pytest.raises(ParameterError, match=r"alpha is 0.3 with the activation 'relu', expected 0"):
        Activation("relu", 0.3)
