"""`Architecture`, the frozen description of a network."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest

from fastbp import Dense, ParameterError, activations, losses
from fastbp._architecture import Architecture
from fastbp.layers import Layer


def described(layers=(3, 4, 2), **options):
    arguments = {
        "activation": "tanh",
        "output_activation": None,
        "loss": "mse",
        "dtype": "float32",
        "input_noise": 0.0,
    }
    return Architecture.from_arguments(layers, **arguments | options)


def test_it_has_its_defaults_filled_in():
    architecture = described([3, Dense(4, dropout=0.1), 2], loss="cross_entropy", input_noise=0.5)
    assert architecture.layers == (
        Layer(3, 4, activations.get("tanh"), dropout=0.1),
        Layer(4, 2, activations.get("softmax")),
    )
    assert architecture.initializers == ("glorot_uniform", "glorot_uniform")
    assert architecture.loss == losses.cross_entropy
    assert architecture.dtype == np.float32
    assert (architecture.n_in, architecture.n_out, architecture.n_parameters) == (3, 2, 26)
    assert [W.shape for W, _ in architecture.split(np.zeros(26))] == [(3, 4), (4, 2)]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_it_is_a_value(how):
    architecture = described(input_noise=0.5)
    twin = how(architecture)
    assert twin == architecture != described(input_noise=0.25)
    assert hash(twin) == hash(architecture)
    assert twin.n_parameters == 26
    with pytest.raises(AttributeError):
        architecture.loss = losses.mae


def layers_of(*sizes, output="identity"):
    functions = ["tanh"] * (len(sizes) - 2) + [output]
    return tuple(
        Layer(a, b, activations.get(f)) for (a, b), f in zip(pairwise(sizes), functions, strict=True)
    )


HE = ("he_uniform", "he_uniform")


@pytest.mark.parametrize(
    ("layers", "names", "message"),
    [
        (
            layers_of(3, 4) + layers_of(5, 2),
            HE,
            r"layers\[2\] has 5 inputs, expected 4",
        ),
        (layers_of(3, 4, 2), ("he_uniform", "he"), r"initializers\[2\] is 'he', expected one of"),
        (
            layers_of(3, 4, output="softmax") + layers_of(4, 2),
            HE,
            "softmax, expected only in",
        ),
        (layers_of(3, 1, output="softmax"), ("he_uniform",), "1 unit with the activation softmax"),
        ((Layer(3, 2, activations.get("tanh"), dropout=0.5),), ("he_uniform",), r"dropout=0\.5, expected 0"),
    ],
)
def test_parts_that_do_not_fit_each_other(layers, names, message):
    with pytest.raises(ParameterError, match=message):
        Architecture(layers, names, losses.mse, "float32", 0.0)


@pytest.mark.parametrize("option", ["l1", "l2", "dropout", "max_norm"])
def test_options_that_a_user_cannot_have(option):
    architecture = described([3, Dense(4, **{option: 0.5}), 2])
    with pytest.raises(ParameterError, match=rf"layers\[1\] has {option}=0\.5, expected none with somebody"):
        architecture.check_without(("l1", "l2", "dropout", "max_norm"), "somebody")
    architecture.check_without({"l1", "l2", "dropout", "max_norm"} - {option}, "somebody")


def test_noise_that_a_user_cannot_have():
    with pytest.raises(ParameterError, match=r"input_noise is 0\.5, expected none with somebody"):
        described(input_noise=0.5).check_without((), "somebody")


def test_an_architecture_that_cannot_be_trained():
    described().check_trainable()
    with pytest.raises(ParameterError, match="derivative is 0 everywhere"):
        described(activation="step").check_trainable()
