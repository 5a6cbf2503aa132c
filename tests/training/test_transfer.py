"""Freezing layers between fits, and a new output layer on a trained body."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import BusyError, Dense, Error, Network, ParameterError
from helpers.inside import engine_of
from helpers.names import name_of

# ---- the layers that are trained ---------------------------------------------------------------------------


def test_it_is_settable_between_fits(make, data):
    """Parameters and optimizer state stay; the layer starts or stops to change."""
    net = make()
    net.fit(*data, epochs=2)
    before, state = net.parameters.copy(), engine_of(net).state.copy()
    assert net.trainable == (True, True)
    net.trainable = [False, np.True_]
    assert net.trainable == (False, True) == tuple(layer.trainable for layer in net.layers)
    assert net.parameters.tobytes() == before.tobytes()
    assert engine_of(net).state.tobytes() == state.tobytes()
    net.fit(*data, epochs=2)
    assert net.parameters[:25].tobytes() == before[:25].tobytes()
    assert not (net.parameters[25:] == before[25:]).all()
    assert engine_of(net).state[:, :25].tobytes() == state[:, :25].tobytes()
    net.trainable = True
    net.fit(*data, epochs=1)
    assert not (net.parameters[:25] == before[:25]).all()


def test_what_was_computed_before_is_stale(make, data):
    X, y = data
    net = make()
    net.loss_and_gradients(X, y)
    net.trainable = (True, False)
    with pytest.raises(Error, match="no gradients of the present parameters"):
        net.step()
    net.trainable = True
    net.forward(X)
    net.trainable = (True, False)
    with pytest.raises(Error, match="backward without forward"):
        net.backward(y)
    assert not net.loss_and_gradients(X, y)[1][25:].any()


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        1,
        0.5,
        "ab",
        [],
        [True],
        [True] * 3,
        [True, 1],
        [True, None],
        {0: True, 1: False},
        np.ones((2, 2)),
    ],
    ids=name_of,
)
def test_wrong_ones_are_refused(make, wrong):
    net = make()
    with pytest.raises(ParameterError, match=r"^trainable.* is .*, expected (a bool, or|True or False)"):
        net.trainable = wrong
    assert net.trainable == (True, True)


def test_factors_are_set(make, data):
    net, by_constructor = make(), make()
    net.fit(*data, epochs=2)
    by_constructor.fit(*data, epochs=2)
    net.learning_rate_factors = [0.5, 2]
    assert net.learning_rate_factors == (0.5, 2.0)
    assert [layer.learning_rate_factor for layer in net.layers] == [0.5, 2.0]
    before = net.parameters.copy()
    net.train_on_batch(*data)
    by_constructor.train_on_batch(*data)
    steps, plain = net.parameters - before, by_constructor.parameters - before
    body = net.layers[0].n_parameters
    np.testing.assert_allclose(steps[:body], 0.5 * plain[:body], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(steps[body:], 2 * plain[body:], rtol=1e-4, atol=1e-7)
    assert net.clone().learning_rate_factors == (0.5, 2.0)
    net.learning_rate_factors = 1
    assert net.learning_rate_factors == (1.0, 1.0)


@pytest.mark.parametrize("wrong", [None, 0, -1, "ab", [1], [1] * 3, [1, np.nan], [1, "a"], [1, True]])
def test_wrong_factors_are_refused(make, wrong):
    net = make()
    with pytest.raises(ParameterError, match="learning_rate_factor"):
        net.learning_rate_factors = wrong
    assert net.learning_rate_factors == (1.0, 1.0)


def test_not_in_a_fit(make, data):
    net = make()
    seen = []

    def freeze(state):
        with pytest.raises(BusyError, match="setting trainable while fit of this network"):
            net.trainable = False
        seen.append(state.epoch)

    net.fit(*data, epochs=2, callbacks=freeze)
    assert (seen, net.trainable) == ([0, 1], (True, True))


@pytest.mark.parametrize(
    "call",
    [
        lambda net, X, y: net.fit(X, y),
        lambda net, X, y: net.train_on_batch(X, y),
        lambda net, X, y: (net.loss_and_gradients(X, y), net.step()),
        lambda net, X, y: fastbp.minimize(net, X, y),
    ],
    ids=["fit", "train_on_batch", "step", "minimize"],
)
def test_a_network_with_nothing_to_train(make, data, call):
    net = make()
    net.trainable = False
    before = net.parameters.copy()
    with pytest.raises(ParameterError, match="trainable is False for all layers, expected at least one"):
        call(net, *data)
    assert net.parameters.tobytes() == before.tobytes()
    assert not net.loss_and_gradients(*data)[1].any()


def test_reset_keeps_frozen_layers(make, data):
    net = make()
    start = net.parameters.copy()
    net.fit(*data, epochs=2)
    trained = net.parameters.copy()
    net.trainable = [False, True]
    net.reset()
    assert net.parameters[:25].tobytes() == trained[:25].tobytes()
    assert net.parameters[25:].tobytes() == start[25:].tobytes()


COPIES = {
    "clone": lambda net: net.clone(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_keep_the_options_of_layers(network_class, data, how):
    layers = [4, Dense(5, bias=False, trainable=False), Dense(3, learning_rate_factor=0.5), 2]
    net = network_class(layers, seed=0)
    net.trainable = [True, False, True]
    net.fit(*data, epochs=2)
    net.trainable = [False, True, True]
    twin = COPIES[how](net)
    assert twin.layers == net.layers
    assert [layer.bias for layer in twin.layers] == [False, True, True]
    for each in (net, twin):
        each.fit(*data, epochs=2)
    assert twin.parameters.tobytes() == net.parameters.tobytes()


def test_steps_below_the_layers_that_are_trained(network_class, data):
    """A body of steps has no gradient, and needs none if it is frozen."""
    net = network_class([4, Dense(9, "step", trainable=False), 2], dtype="float64", seed=0)
    body = net.weights[0].copy()
    history = net.fit(*data, epochs=30)
    assert history.loss[-1] < history.loss[0]
    np.testing.assert_array_equal(net.weights[0], body)
    net.trainable = True
    with pytest.raises(ParameterError, match=r"layers\[1\] has the activation step"):
        net.fit(*data)


# ---- other ways to train -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "TNC", "SLSQP"])
@pytest.mark.parametrize("frozen", [0, 1])
def test_minimize_leaves_frozen_layers(network_class, data, method, frozen):
    pytest.importorskip("scipy")
    net = network_class([4, 5, Dense(3, bias=False), 2], activation="tanh", dtype="float64", seed=3)
    net.trainable = [i != frozen for i in range(3)]
    before = net.clone()
    fastbp.minimize(net, *data, method=method, max_iterations=8)
    assert net.evaluate(*data)["loss"] < before.evaluate(*data)["loss"]
    for i, (W, old) in enumerate(zip(net.weights, before.weights, strict=True)):
        assert (old == W).all() == (i == frozen)


def test_minimize_refuses_factors(make, data):
    net = Network([4, Dense(5, learning_rate_factor=0.5), 2], seed=0)
    with pytest.raises(
        ParameterError, match=r"layers\[1\] has learning_rate_factor=0.5, expected 1.0 with min"
    ):
        fastbp.minimize(net, *data)


def test_levenberg_marquardt_without_biases(network_class, data):
    net = network_class(
        [4, Dense(5, bias=False), Dense(2, bias=False)],
        activation="tanh",
        optimizer=fastbp.LevenbergMarquardt(),
        dtype="float64",
        seed=3,
    )
    history = net.fit(*data, epochs=20, batch_size=None)
    assert history.loss[-1] < 0.1 * history.loss[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"trainable": False},
            r"layers\[1\] has trainable=False, expected True with the optimizer Levenberg",
        ),
        ({"learning_rate_factor": 2}, r"layers\[1\] has learning_rate_factor=2.0, expected 1.0 with the opt"),
    ],
    ids=["frozen", "factor"],
)
def test_levenberg_marquardt_refuses_by_name(data, options, message):
    net = Network([4, Dense(5, **options), 2], optimizer=fastbp.LevenbergMarquardt(), seed=0)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, batch_size=None)


def test_a_custom_loss(network_class, data):
    """The function is called with a frozen body as with any other."""
    options = {"activation": "tanh", "dtype": "float64", "seed": 1, "optimizer": fastbp.SGD(0.1)}
    layers = [4, Dense(5, trainable=False), Dense(2, bias=False, learning_rate_factor=0.5)]

    def squares(output, target):
        return np.mean((output - target) ** 2), 2 * (output - target) / target.size

    built_in, own = (network_class(layers, loss=loss, **options) for loss in ("mse", squares))
    for net in (built_in, own):
        net.fit(*data, epochs=3, batch_size=8)
    np.testing.assert_allclose(own.parameters, built_in.parameters, rtol=1e-9, atol=1e-12)


# ---- a new output layer ------------------------------------------------------------------------------------


@pytest.fixture
def trained(network_class, data):
    X, y = data
    layers = [4, Dense(6, dropout=0.1), Dense(5, bias=False, learning_rate_factor=0.5), 2]
    net = network_class(layers, activation="tanh", dtype="float64", seed=3, input_noise=0.1)
    net.adapt(X)
    net.fit(X, y, epochs=3)
    return net


def test_the_body_is_that_of_the_network(trained, data, state_of):
    before = state_of(trained)
    net = trained.replace_output(3)
    assert state_of(trained) == before
    assert type(net) is type(trained)
    assert net.layers[:2] == trained.layers[:2]
    assert (net.layers[-1].n_in, net.layers[-1].n_out, net.loss) == (5, 3, trained.loss)
    for i in range(2):
        assert net.weights[i].tobytes() == trained.weights[i].tobytes()
        assert net.biases[i].tobytes() == trained.biases[i].tobytes()
    fresh = type(trained)([5, 3], dtype="float64", seed=0)
    assert not net.biases[-1].any()
    assert np.abs(net.weights[-1]).max() <= np.sqrt(6 / (fresh.layers[0].n_in + 3))
    assert net.input_mean is not None
    np.testing.assert_array_equal(net.input_mean, trained.input_mean)
    assert (net.seed, net.input_noise, net.dtype) == (trained.seed, trained.input_noise, trained.dtype)
    assert (len(net.history), engine_of(net).t, engine_of(net).state.any()) == (0, 0, False)
    net.parameters[:] = 0
    assert trained.parameters.any()


def test_the_head_follows_from_the_seed(trained):
    heads = [
        trained.replace_output(3, seed=seed).weights[-1].tobytes() for seed in (None, trained.seed, 5, 5, 6)
    ]
    assert heads[0] == heads[1]
    assert heads[2] == heads[3]
    assert len(set(heads)) == 3
    assert trained.replace_output(3, seed=5).seed == 5


def test_freeze(trained, data):
    X, _ = data
    trained.trainable = [True, False, True]
    assert trained.replace_output(2).trainable == (True, False, True)
    assert trained.replace_output(2, freeze=True).trainable == (False, False, True)
    assert trained.replace_output(Dense(2, trainable=False)).trainable == (True, False, False)
    net = trained.replace_output(1, freeze=True)
    net.fit(X, X[:, :1], epochs=2)
    assert net.weights[0].tobytes() == trained.weights[0].tobytes()


def test_another_loss(trained, data):
    X, y = data
    net = trained.replace_output(Dense(3, initializer="orthogonal"), loss="cross_entropy", freeze=True)
    assert net.layers[-1].activation.name == "softmax"
    net.fit(X, (y[:, 0] > 0).astype(int), epochs=2)
    both = net.replace_output(1, loss=fastbp.Huber(), output_activation="tanh")
    assert (str(both.loss), both.layers[-1].activation.name) == (str(fastbp.Huber()), "tanh")
    own = trained.replace_output(2, loss=lambda h, t: (np.mean((h - t) ** 2), 2 * (h - t) / t.size))
    own.fit(X, y, epochs=1)


def test_a_network_of_one_layer(network_class, data):
    X, y = data
    net = network_class([4, 2], seed=0).replace_output(2, freeze=True)
    assert net.trainable == (True,)
    net.fit(X, y)


def test_the_optimizer_starts_anew(network_class, data):
    net = network_class([4, 5, 2], optimizer=fastbp.Adam(0.01), seed=0)
    net.fit(*data)
    net.learning_rate = 0.5
    assert net.replace_output(2).optimizer == fastbp.Adam(0.01)
    net.optimizer = fastbp.SGD(fastbp.schedules.Step(0.1, 3))
    net.fit(*data, epochs=5)
    assert net.replace_output(2).learning_rate == 0.1


def test_attributes_of_a_subclass(data):
    class Named(Network):
        pass

    net = Named([4, 5, 2], seed=0)
    net.names = ["a"]
    other = net.replace_output(1)
    assert (type(other), other.names) == (Named, ["a"])
    assert other.names is not net.names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": 0}, r"^output is 0, expected an integer >= 1"),
        ({"output": "3"}, r"^output is '3', expected an integer"),
        ({"output": None}, r"^output is None, expected an integer"),
        ({"output": [3]}, r"^output is \[3\], expected an integer"),
        ({"output": Dense(3, dropout=0.5)}, r"layers\[3\] has dropout=0.5, expected 0 in the output layer"),
        ({"output": 3, "loss": "nothing"}, r"^loss is 'nothing'"),
        ({"output": 3, "output_activation": "nothing"}, r"^output_activation is 'nothing'"),
        (
            {"output": Dense(3, "tanh"), "output_activation": "relu"},
            r"output_activation is relu, .*output names",
        ),
        ({"output": 1, "loss": "cross_entropy"}, r"1 unit with the activation softmax"),
        ({"output": Dense(2, "tanh"), "loss": "cross_entropy"}, r"tanh"),
        ({"output": 3, "freeze": 1}, r"^freeze is 1, expected True or False"),
        ({"output": 3, "seed": -1}, r"^seed is -1"),
        ({"output": 10**19}, r"address space"),
    ],
    ids=name_of,
)
def test_wrong_arguments(trained, state_of, arguments, message):
    before = state_of(trained)
    with pytest.raises(ParameterError, match=message):
        trained.replace_output(**arguments)
    assert state_of(trained) == before


def test_its_unknown_loss_of_one_output():
    """The loss of the network by default, if it fits."""
    net = Network([4, 5, 3], loss="cross_entropy", seed=0)
    assert net.replace_output(4).loss == net.loss
    with pytest.raises(ParameterError, match="1 unit with the activation softmax"):
        net.replace_output(1)


@pytest.mark.parametrize("layer", [{"bias": 1}, {"trainable": "yes"}, {"learning_rate_factor": 0.0}], ids=str)
def test_wrong_options_of_layers(layer):
    ((name, value),) = layer.items()
    with pytest.raises(ParameterError, match=rf"^{name} is '?{value}'?, expected"):
        Dense(3, **layer)


def test_factors_that_float32_does_not_hold():
    with pytest.raises(ParameterError, match="learning_rate_factor is 1e-50"):
        Network([4, Dense(2, learning_rate_factor=1e-50)])
