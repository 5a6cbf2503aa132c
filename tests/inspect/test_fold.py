"""`fold_linear`: the product of linear layers in their place, and the layers that stay."""

import warnings

import numpy as np
import pytest

import fastbp
from fastbp import Dense, ParameterError
from fastbp.inspect import fold_linear

EPS = {"float32": 2.0**-24, "float64": 2.0**-53}


def silent(net):
    """Fold a network, of which no layer may stay with a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fold_linear(net)


def randomized(net, rng):
    net.parameters[:] = rng.normal(0, 0.7, net.n_parameters)
    return net


def sizes_of(net):
    return [net.layers[0].n_in, *(layer.n_out for layer in net.layers)]


def bound(net, X):
    """Return how much the outputs may differ by rounding: eps times a sum of magnitudes, per output."""
    h = np.abs(X)
    for W, b in zip(net.weights, net.biases, strict=True):
        h = h @ np.abs(W).astype(float) + (np.abs(b) if b.size else 0)
    terms = 4 * sum(layer.n_in + 1 for layer in net.layers)
    return terms * EPS[net.dtype.name] * h


def test_outputs_are_the_same_to_rounding(network_class, rng):
    """Random stacks, with identity in random places; all functions between have |f'| <= 1 and f(0) = 0."""
    folded = 0
    for case in range(60):
        sizes = rng.integers(1, 12, rng.integers(2, 8)).tolist()
        functions = rng.choice(["identity", "identity", "tanh"], len(sizes) - 1)
        layers = [Dense(n, f, bias=bool(rng.integers(2))) for n, f in zip(sizes[1:], functions, strict=True)]
        net = network_class([sizes[0], *layers], dtype=["float32", "float64"][case % 2])
        randomized(net, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            new = fold_linear(net)
        X = rng.normal(size=(9, sizes[0])).astype(net.dtype)
        assert (np.abs(new.predict(X) - net.predict(X)) <= bound(net, X)).all()
        assert new.n_parameters <= net.n_parameters
        folded += len(new.layers) < len(net.layers)
    assert folded > 20


def test_is_the_formula(rng):
    net = randomized(fastbp.Network([5, 4, 3], activation="identity"), rng)
    (W1, W2), (b1, b2) = (map(np.float64, parts) for parts in (net.weights, net.biases))
    new = silent(net)
    assert new.layers == (fastbp.layers.Layer(5, 3, "identity"),)
    np.testing.assert_array_equal(new.weights[0], (W1 @ W2).astype(np.float32))
    np.testing.assert_array_equal(new.biases[0], (b1 @ W2 + b2).astype(np.float32))


def test_has_a_bias_if_a_layer_has(rng):
    for biases in ((False, False), (True, False), (False, True)):
        layers = [Dense(n, bias=bias) for n, bias in zip((4, 3), biases, strict=True)]
        net = randomized(fastbp.Network([5, *layers], activation="identity"), rng)
        new = silent(net)
        assert new.layers[0].bias == any(biases)
        np.testing.assert_allclose(new.predict(np.ones((1, 5))), net.predict(np.ones((1, 5))), rtol=1e-5)


def test_takes_the_last_activation(rng):
    layers = [6, Dense(5, "identity"), Dense(4, "tanh"), Dense(4, "identity"), 3]
    net = randomized(fastbp.Network(layers, loss="cross_entropy"), rng)
    new = silent(net)
    assert [layer.activation.name for layer in new.layers] == ["tanh", "softmax"]
    assert sizes_of(new) == [6, 4, 3]
    X = rng.normal(size=(7, 6))
    np.testing.assert_allclose(new.predict(X), net.predict(X), rtol=1e-4, atol=1e-6)


def test_keeps_a_bottleneck_and_says_so(rng):
    net = randomized(fastbp.Network([64, 32, 8, 16, 64], activation="identity"), rng)
    with pytest.warns(UserWarning, match="fold_linear keeps") as caught:
        new = fold_linear(net)
    assert sizes_of(new) == [64, 8, 64]
    apart = 64 * 8 + 8 + 8 * 64 + 64
    assert [str(found.message) for found in caught] == [
        "fold_linear keeps layers[1] to layers[2] (as one) and layers[3] to layers[4] (as one) apart: "
        f"between them is a bottleneck of 8 units; apart they have {apart:,} parameters, as one layer they "
        f"would have {65 * 64:,}"
    ]
    assert caught[0].filename == __file__
    assert new.n_parameters == apart
    X = rng.normal(size=(7, 64))
    assert (np.abs(new.predict(X) - net.predict(X)) <= bound(net, X)).all()


def fewest(sizes, biases):
    """Return the fewest parameters of all ways to group the layers, by trying them all."""
    n, best = len(biases), np.inf
    for cuts in range(2 ** (n - 1)):
        ends = [i + 1 for i in range(n - 1) if cuts >> i & 1] + [n]
        starts = [0, *ends[:-1]]
        pairs = zip(starts, ends, strict=True)
        best = min(best, sum((sizes[i] + any(biases[i:j])) * sizes[j] for i, j in pairs))
    return best


def test_no_grouping_has_fewer_parameters(rng):
    for _ in range(40):
        sizes = rng.integers(1, 9, 6).tolist()
        biases = rng.integers(0, 2, 5).astype(bool).tolist()
        layers = [Dense(n, bias=bias) for n, bias in zip(sizes[1:], biases, strict=True)]
        net = fastbp.Network([sizes[0], *layers], activation="identity")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            new = fold_linear(net)
        assert new.n_parameters == fewest(sizes, biases)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"dropout": 0.25}, {}, "its dropout=0.25 drops units that folding would remove"),
        ({"trainable": False}, {}, "they have trainable=False and trainable=True"),
        ({"l2": 0.5}, {"l2": 0.25}, "they have l2=0.5 and l2=0.25"),
        ({}, {"l1": 0.5}, "they have l1=0.0 and l1=0.5"),
        (
            {"learning_rate_factor": 2.0},
            {},
            "they have learning_rate_factor=2.0 and learning_rate_factor=1.0",
        ),
        ({}, {"max_norm": 3.0}, "max_norm=3 bounds the weights of one of them, not the product"),
    ],
)
def test_keeps_layers_that_train_differently(first, second, said):
    layers = [4, Dense(4, **first), Dense(2, **second)]
    net = fastbp.Network(layers, activation="identity")
    with pytest.warns(UserWarning, match="fold_linear keeps") as caught:
        new = fold_linear(net)
    assert [str(w.message) for w in caught] == [f"fold_linear keeps layers[1] and layers[2] apart: {said}"]
    assert new.layers == net.layers
    np.testing.assert_array_equal(new.parameters, net.parameters)


def test_equal_options_stay():
    options = {"l2": 0.5, "trainable": False, "learning_rate_factor": 3.0}
    layers = [4, Dense(4, **options), Dense(2, "tanh", dropout=0.25, **options), 1]
    new = silent(fastbp.Network(layers, activation="identity"))
    assert new.layers[0] == fastbp.layers.Layer(4, 2, "tanh", dropout=0.25, **options)
    assert len(new.layers) == 2


class Named(fastbp.Network):
    """A subclass with an attribute."""


def test_keeps_all_the_rest(rng, data):
    net = Named([4, 5, 2], activation="identity", loss="mae", optimizer="rmsprop", seed=7, input_noise=0.25)
    net.note = ["mine"]
    net.feature_names = [*"abcd"]
    net.class_names = [*"xy"]
    net.adapt(*data)
    net.fit(*data, epochs=2)
    parameters = net.parameters.copy()
    new = silent(net)
    for name in ("loss", "optimizer", "dtype", "seed", "input_noise", "feature_names", "class_names"):
        assert getattr(new, name) == getattr(net, name)
    np.testing.assert_array_equal(new.input_mean, net.input_mean)
    np.testing.assert_allclose(new.predict(data[0]), net.predict(data[0]), rtol=1e-4, atol=1e-5)
    assert type(new) is Named
    assert new.note == ["mine"]
    assert new.note is not net.note
    assert [len(new.history), len(net.history)] == [0, 2]
    np.testing.assert_array_equal(net.parameters, parameters)
    new.fit(*data, epochs=1)


def test_nothing_to_fold_gives_a_clone(network_class, data, state_of):
    net = network_class([4, 5, 2], activation="tanh")
    net.fit(*data)
    assert state_of(silent(net)) == state_of(net)


def test_a_custom_activation_is_no_identity():
    """None can have the name of a built-in activation, even if it computes the same."""
    with pytest.raises(ParameterError, match="name is 'identity', expected"):
        fastbp.CustomActivation(np.positive, np.ones_like, "identity")
    custom = fastbp.CustomActivation(np.positive, np.ones_like, "line")
    net = fastbp.Network([3, Dense(4, custom), 2])
    assert len(silent(net).layers) == 2


def test_refuses_what_it_cannot_do():
    with pytest.raises(ParameterError, match=r"net is a list, expected a fastbp\.Network"):
        fold_linear([3, 2])
    net = fastbp.Network([2, 2, 2], activation="identity")
    net.parameters[:] = 1e30
    with pytest.raises(fastbp.DataError, match=r"layers\[1\] to layers\[2\] \(as one\) overflows float32"):
        fold_linear(net)
    net.parameters[:] = np.nan  # not by folding
    assert np.isnan(fold_linear(net).parameters).all()
