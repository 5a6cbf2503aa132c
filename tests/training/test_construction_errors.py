"""Wrong arguments of a network: errors name the argument, the value and what was expected."""

import sys

import pytest

import fastbp
from fastbp import SGD, Adam, Dense, DTypeError, ParameterError
from helpers.errors import refuses

NAN, INF = float("nan"), float("inf")


NETWORKS = [
    ({"layers": [3]}, ParameterError, ["layers is [3]", "[4, 8, 1]"]),
    ({"layers": 3}, ParameterError, ["layers is 3"]),
    ({"layers": "345"}, ParameterError, ["layers is '345'"]),
    ({"layers": [0, 2]}, ParameterError, ["layers[0] is 0", ">= 1"]),
    ({"layers": [3, -2, 2]}, ParameterError, ["layers[1] is -2", ">= 1"]),
    ({"layers": [3, 4, 2.0]}, ParameterError, ["layers[2] is 2.0", "integer"]),
    ({"layers": [3, True]}, ParameterError, ["layers[1] is True", "integer"]),
    ({"layers": [3, "relu", 2]}, ParameterError, ["layers[1] is 'relu'"]),
    ({"layers": [Dense(3), 2]}, ParameterError, ["layers[0] is Dense(", "integer"]),
    ({"layers": [2**40, 2**40]}, ParameterError, ["layers", "1.21e+24 parameters", "address space"]),
    ({"layers": [2**62, 1]}, ParameterError, ["layers", "address space"]),
    ({"layers": [sys.maxsize, 1]}, ParameterError, ["layers", "address space"]),
    ({"layers": [3, Dense(2, "softmax"), 2]}, ParameterError, ["layers[1]", "softmax", "output"]),
    ({"activation": "softmax", "layers": [3, 4, 2]}, ParameterError, ["layers[1]", "softmax"]),
    ({"activation": "rleu"}, ParameterError, ["activation is 'rleu'", "relu"]),
    ({"activation": None}, ParameterError, ["activation is None"]),
    ({"output_activation": "none"}, ParameterError, ["output_activation is 'none'", "identity"]),
    ({"output_activation": ""}, ParameterError, ["output_activation is ''"]),
    (
        {"layers": [3, Dense(2, "tanh")], "output_activation": "relu"},
        ParameterError,
        ["relu", "tanh", "layers[1]"],
    ),
    (
        {"loss": "cross_entropy", "output_activation": "sigmoid"},
        ParameterError,
        ["cross_entropy", "sigmoid", "softmax"],
    ),
    (
        {"loss": "binary_cross_entropy", "layers": [3, Dense(2, "tanh")]},
        ParameterError,
        ["tanh", "'sigmoid'"],
    ),
    ({"loss": "rmse"}, ParameterError, ["loss is 'rmse'", "mse", "huber"]),
    ({"loss": fastbp.Huber}, ParameterError, ["loss is the class Huber", "Huber(...)"]),
    ({"optimizer": "lbfgs"}, ParameterError, ["optimizer is 'lbfgs'", "adam"]),
    ({"optimizer": Adam}, ParameterError, ["optimizer is <class"]),
    ({"dtype": "float16"}, DTypeError, ["dtype is 'float16'", "float32"]),
    ({"dtype": ">f4"}, DTypeError, ["dtype is '>f4'", "float32"]),
    ({"dtype": None}, DTypeError, ["dtype is None"]),
    ({"dtype": "real"}, DTypeError, ["dtype is 'real'"]),
    ({"seed": -1}, ParameterError, ["seed is -1", ">= 0"]),
    ({"seed": 2**64}, ParameterError, [f"seed is {2**64}", f"< {2**64}"]),
    ({"seed": 1.0}, ParameterError, ["seed is 1.0", "integer"]),
    ({"seed": True}, ParameterError, ["seed is True"]),
]


@pytest.mark.parametrize(("arguments", "error", "parts"), NETWORKS, ids=str)
def test_networks(network_class, arguments, error, parts):
    refuses(lambda: network_class(**{"layers": [3, 2]} | arguments), error, *parts)


def test_nothing_is_allocated_for_a_size_that_overflows(network_class, monkeypatch):
    monkeypatch.setattr(fastbp._core, "aligned_zeros", lambda *_: pytest.fail("allocated"))
    refuses(
        lambda: network_class([2**31, 2**31, 2**31]),
        ParameterError,
        "9.22e+18 parameters",
        "bytes in float32",
    )


VALUES = [
    (lambda: SGD(learning_rate=NAN), ["learning_rate is nan"]),
    (lambda: Adam(learning_rate=-1), ["learning_rate is -1", "> 0"]),
    (lambda: Adam(beta1=1), ["beta1 is 1"]),
    (lambda: SGD(momentum="0.9"), ["momentum is '0.9'"]),
    (lambda: Dense(0), ["units is 0"]),
    (lambda: Dense(3, initializer="zeros"), ["initializer is 'zeros'", "he_uniform"]),
    (lambda: fastbp.LeakyReLU(alpha=INF), ["alpha is inf"]),
    (lambda: fastbp.Huber(delta=0), ["delta is 0"]),
]


@pytest.mark.parametrize(("make", "parts"), VALUES, ids=[parts[0] for _, parts in VALUES])
def test_values(make, parts):
    refuses(make, ParameterError, *parts)
