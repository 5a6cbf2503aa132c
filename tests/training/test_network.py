"""Networks: construction, reset, copies, configuration."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import Dense, LeakyReLU, _core, initializers
from fastbp.activations import relu, sigmoid, softmax, tanh
from helpers.problems import regression

# ---- construction ------------------------------------------------------------------------------------------


def test_layers_of_units_and_dense(network_class):
    net = network_class([4, Dense(5, LeakyReLU(alpha=0.2)), 6, Dense(3, "tanh")], activation="sigmoid")
    assert [layer[:3] for layer in net.layers] == [
        (4, 5, LeakyReLU(alpha=0.2)),
        (5, 6, sigmoid),
        (6, 3, tanh),
    ]
    assert net.parameters.shape == (5 * 5 + 6 * 6 + 7 * 3,)


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        ("mse", "identity"),
        ("hinge", "identity"),
        ("poisson", "exponential"),
        ("cross_entropy", "softmax"),
        ("binary_cross_entropy", "sigmoid"),
    ],
)
def test_output_activation_follows_from_the_loss(network_class, loss, activation):
    assert network_class([2, 3, 3], loss=loss).layers[-1].activation.name == activation


def test_named_output_activation_wins(network_class):
    assert network_class([2, 3], output_activation="tanh").layers[-1].activation == tanh
    assert network_class([2, Dense(3, "tanh")], output_activation="tanh").layers[-1].activation == tanh


def test_parameters_are_one_vector_with_views_into_it(network_class):
    net = network_class([2, 3, 1], dtype="float64", seed=0)
    net.parameters[:] = np.arange(13)
    np.testing.assert_array_equal(net.weights[0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(net.biases[0], [6, 7, 8])
    np.testing.assert_array_equal(net.weights[1], [[9], [10], [11]])
    np.testing.assert_array_equal(net.biases[1], [12])
    net.weights[1][...] = -1
    net.biases[0][1] = 70
    assert net.parameters[7] == 70
    assert (net.parameters[9:12] == -1).all()
    net.parameters[:] = 0
    net.biases[1][:] = 5
    assert net.predict([[1, 1]]) == 5


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype(np.float64)])
def test_dtype(network_class, dtype):
    net = network_class([2, 3], dtype=dtype)
    assert net.dtype == dtype
    assert net.parameters.dtype == net.predict([[1, 2]]).dtype == dtype


def test_initial_weights_come_from_seed_and_initializer(network_class):
    net = network_class([4, Dense(5, initializer="orthogonal"), 3], dtype="float64", seed=7)
    np.testing.assert_array_equal(net.weights[0], initializers.draw("orthogonal", 7, 0, 4, 5))
    np.testing.assert_array_equal(net.weights[1], initializers.draw("glorot_uniform", 7, 1, 5, 3))
    assert not any(b.any() for b in net.biases)
    single = network_class([4, Dense(5, initializer="orthogonal"), 3], seed=7)
    np.testing.assert_array_equal(single.parameters, net.parameters.astype(np.float32))


def test_seed_none_is_fresh_and_kept(network_class):
    net = network_class([2, 3])
    assert network_class([2, 3]).seed != net.seed
    np.testing.assert_array_equal(network_class([2, 3], seed=net.seed).parameters, net.parameters)


def test_loss_is_the_value(network_class):
    net = network_class([2, 3], loss=fastbp.Huber(delta=2))
    assert net.loss == fastbp.Huber(delta=2)
    assert net.loss(np.zeros((1, 3)), np.ones((1, 3))) == 0.5


def test_repr_tells_layers_size_dtype_and_path(network_class):
    net = network_class([64, Dense(32, LeakyReLU(alpha=0.2)), 10], loss="cross_entropy", seed=3)
    path = "numpy" if network_class is not fastbp.Network else _core.isa()
    for part in (
        "64 -> 32 LeakyReLU(alpha=0.2) -> 10 softmax",
        "2,410 parameters",
        f"float32 on {path};",
        "CrossEntropy",
        "Adam(",
        "seed=3",
    ):
        assert part in repr(net)


def test_attributes_that_nothing_would_follow_cannot_be_set(network_class):
    net = network_class([2, 3])
    for name in (
        "layers",
        "loss",
        "dtype",
        "seed",
        "history",
        "parameters",
        "weights",
        "biases",
        "gradients",
    ):
        with pytest.raises(AttributeError, match=name):
            setattr(net, name, None)


# ---- reset and copies --------------------------------------------------------------------------------------


def test_reset_is_as_new(network_class, rng, state_of):
    net = network_class([4, 5, 3], seed=5)
    new = state_of(net)
    net.fit(*regression(rng), epochs=2)
    net.biases[0][:] = 1
    assert state_of(net) != new
    net.reset()
    assert state_of(net) == new


COPIES = {
    "clone": lambda net: net.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES.keys())
def test_copies_are_complete_and_independent(network_class, rng, state_of, make):
    X, y = regression(rng)
    net = network_class([4, Dense(5, LeakyReLU(alpha=0.3)), 3], seed=5)
    net.fit(X, y, epochs=2)
    twin = make(net)
    assert type(twin) is network_class
    assert state_of(twin) == state_of(net)
    before = state_of(net)
    assert twin.fit(X, y, epochs=3).loss[0] < net.history.loss[-1]
    assert state_of(net) == before
    net.fit(X, y, epochs=3)
    assert state_of(twin) == state_of(net)  # the same shuffles, the same moments
    twin.reset()
    assert twin.layers[0].activation == LeakyReLU(alpha=0.3)


def test_attributes_of_a_subclass_are_copied(network_class):
    net = network_class([2, 3])
    net.comment = "the good one"
    assert net.clone().comment == "the good one"


# ---- configuration ----------------------------------------------------------------------------------------


def test_show_config(capsys):
    assert fastbp.show_config() is None
    out = capsys.readouterr().out
    for part in (fastbp.__version__, _core.isa(), _core.COMPILER, np.__version__, "threads", "caches"):
        assert part in out


def test_values_used_by_name_are_the_ready_ones():
    assert (relu, softmax) == (fastbp.activations.get("relu"), fastbp.activations.get("softmax"))
