"""Network: what it is made of, what it predicts, and the calls that make up one step."""

import copy
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import SGD, Adam, Dense, LeakyReLU, _core, initializers
from fastbp.activations import relu, sigmoid, softmax, tanh
from fastbp.losses import cross_entropy, half_sse, mse
from helpers.inside import engine_of


def regression(rng, n=50, n_in=4, n_out=3):
    return rng.normal(size=(n, n_in)), rng.normal(size=(n, n_out))


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


# ---- predict, predict_classes, evaluate --------------------------------------------------------------------


def test_predict_is_the_formula(network_class, rng):
    net = network_class([4, 5, 3], activation="tanh", dtype="float64", seed=0)
    X, _ = regression(rng)
    hidden = np.tanh(X @ net.weights[0] + net.biases[0])
    np.testing.assert_allclose(net.predict(X), hidden @ net.weights[1] + net.biases[1], rtol=1e-12)


def test_predict_shapes(network_class, rng):
    net = network_class([4, 5, 3], seed=0)
    X, _ = regression(rng)
    whole = net.predict(X)
    assert whole.shape == (50, 3)
    np.testing.assert_array_equal(net.predict(X[0]), net.predict(X[:1])[0])
    assert net.predict(X[0]).shape == (3,)
    assert net.predict(X[:0]).shape == (0, 3)
    np.testing.assert_array_equal(net.predict(X.tolist()), whole)


def test_predict_into_out(network_class, rng):
    net = network_class([4, 3], seed=0)
    X, _ = regression(rng)
    out = np.full((50, 3), np.nan, np.float32)
    assert net.predict(X, out=out) is out
    np.testing.assert_array_equal(out, net.predict(X))
    row = np.full(3, np.nan, np.float32)
    assert net.predict(X[1], row) is row
    np.testing.assert_array_equal(row, net.predict(X[1]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_of_plain_arrays_has_the_same_bits(network_class, rng, isa, dtype):
    """Few rows in a plain array take a short cut, a strided view of them does not."""
    net = network_class([4, 70, 3], loss="cross_entropy", dtype=dtype, seed=0)
    X = rng.normal(size=(40, 4)).astype(dtype)
    X[2, 1], X[3, 0] = np.nan, np.inf
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for rows in (0, slice(1), 2, slice(0), slice(4), slice(40)):
        output = net.predict(X[rows])
        assert (type(output), output.dtype, output.flags.owndata) == (np.ndarray, np.dtype(dtype), True)
        np.testing.assert_array_equal(output, net.predict(strided[rows]))
        out = np.zeros_like(output)
        assert net.predict(X[rows], out=out) is out
        np.testing.assert_array_equal(out, output)


@pytest.mark.parametrize("loss", ["mse", "half_sse", fastbp.HalfSSE(reduction="mean")])
def test_predict_and_evaluate_in_slices_are_the_same(network_class, rng, monkeypatch, loss):
    net = network_class([4, 5, 3], loss=loss, seed=0)
    X, y = regression(rng)
    whole, measures = net.predict(X), net.evaluate(X, y)
    monkeypatch.setattr(fastbp._engine.inference, "SLICE_WORK", 7 * net.parameters.size)
    np.testing.assert_allclose(net.predict(X), whole, rtol=1e-6)
    assert net.evaluate(X, y) == pytest.approx(measures, rel=1e-6)


def test_predict_lets_nan_and_infinity_through(network_class, rng):
    net = network_class([4, 5, 3], activation="tanh", seed=0)
    X, _ = regression(rng)
    X[3, 1], X[5, 2] = np.nan, np.inf
    output = net.predict(X)
    assert np.isnan(output[3]).all()
    assert np.isfinite(np.delete(output, [3, 5], axis=0)).all()


def test_classes_of_softmax_outputs(network_class, rng):
    net = network_class([4, 3], loss="cross_entropy", seed=0)
    X, _ = regression(rng)
    classes = net.predict_classes(X)
    assert classes.dtype == np.int64
    np.testing.assert_array_equal(classes, net.predict(X).argmax(axis=1))
    assert net.predict_classes(X[7]) == classes[7]


def test_classes_of_sigmoid_outputs(network_class, rng):
    X, _ = regression(rng)
    one = network_class([4, 1], loss="binary_cross_entropy", seed=0)
    np.testing.assert_array_equal(one.predict_classes(X), one.predict(X)[:, 0] >= 0.5)
    several = network_class([4, 3], loss="binary_cross_entropy", seed=0)
    np.testing.assert_array_equal(several.predict_classes(X), several.predict(X) >= 0.5)
    assert several.predict_classes(X[0]).shape == (3,)
    assert several.predict_classes(X).dtype == one.predict_classes(X).dtype == np.int64


def test_hinge_classes_are_signs(network_class, rng):
    X, _ = regression(rng)
    one, several = (network_class([4, n], loss="hinge", seed=0) for n in (1, 3))
    np.testing.assert_array_equal(one.predict_classes(X), np.sign(one.predict(X)[:, 0]))
    np.testing.assert_array_equal(several.predict_classes(X), np.sign(several.predict(X)))
    y = several.predict_classes(X)
    assert several.evaluate(X, y)["accuracy"] == 1
    several.parameters[:] = 0
    assert several.predict_classes(X[0]).tolist() == [-1, -1, -1]  # as accuracy counts it


def test_evaluate_classification(network_class, rng):
    net = network_class([4, 3], loss="cross_entropy", dtype="float64", seed=0)
    X, labels = rng.normal(size=(50, 4)), rng.integers(3, size=50)
    measures = net.evaluate(X, labels)
    assert measures["accuracy"] == np.mean(net.predict_classes(X) == labels)
    assert measures["loss"] == pytest.approx(cross_entropy(net.predict(X), labels), rel=1e-12)
    assert net.evaluate(X, np.eye(3)[labels]) == pytest.approx(measures, rel=1e-12)


def test_evaluate_yes_or_no(network_class, rng):
    net = network_class([4, 2], loss="binary_cross_entropy", seed=0)
    X, y = rng.normal(size=(50, 4)), rng.integers(2, size=(50, 2))
    assert net.evaluate(X, y)["accuracy"] == np.mean(net.predict_classes(X) == y)


def test_evaluate_regression(network_class, rng):
    net = network_class([4, 3], dtype="float64", seed=0)
    X, y = regression(rng)
    y[:, 2] = 4  # constant, and missed: counts 0
    h = net.predict(X)
    r2 = 1 - ((y - h)[:, :2] ** 2).sum(axis=0) / ((y - y.mean(axis=0))[:, :2] ** 2).sum(axis=0)
    assert net.evaluate(X, y) == pytest.approx({"loss": mse(h, y), "r2": r2.sum() / 3}, rel=1e-12)


@pytest.mark.parametrize("loss", ["mse", "half_sse", fastbp.HalfSSE(reduction="mean")])
def test_evaluate_is_exact_over_more_rows_than_a_block(network_class, rng, loss):
    net = network_class([2, 3], loss=loss, dtype="float64", seed=0)
    X, y = rng.normal(size=(9000, 2)), rng.normal(size=(9000, 3))
    assert net.evaluate(X, y)["loss"] == pytest.approx(net.loss(net.predict(X), y), rel=1e-12)


# ---- the parts of a step -----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD(learning_rate=0.1, momentum=0.9), Adam()], ids=["sgd", "adam"])
def test_a_step_by_its_parts(network_class, rng, optimizer):
    nets = [network_class([4, 5, 3], optimizer=optimizer, dtype="float64", seed=0) for _ in range(3)]
    X, y = regression(rng)
    for _ in range(3):
        loss = nets[0].train_on_batch(X, y)
        assert nets[1].loss_and_gradients(X, y)[0] == pytest.approx(loss, rel=1e-12)
        nets[1].step()
        output = nets[2].forward(X)
        nets[2].backward(nets[2].loss.gradient(output, y))
        nets[2].step()
    np.testing.assert_allclose(nets[1].parameters, nets[0].parameters, rtol=1e-12)
    np.testing.assert_allclose(nets[2].parameters, nets[0].parameters, rtol=1e-12)


def test_loss_and_gradients_are_of_all_rows_and_change_nothing(network_class, rng, state_of):
    net = network_class([4, 5, 3], loss="half_sse", dtype="float64", seed=0)
    X, y = regression(rng)
    before = state_of(net)
    loss, gradients = net.loss_and_gradients(X, y)
    assert state_of(net) == before
    assert loss == pytest.approx(half_sse(net.predict(X), y), rel=1e-12)
    np.testing.assert_array_equal(gradients, net.gradients)
    assert not np.shares_memory(gradients, net.gradients)
    delta = net.predict(X) - y
    np.testing.assert_allclose(gradients[-3:], delta.sum(axis=0), rtol=1e-12)  # dJ/db of the last layer


def test_backward_returns_the_derivative_by_the_inputs(network_class, rng):
    net = network_class([4, 3], loss="half_sse", dtype="float64", seed=0)
    X, y = regression(rng)
    d_output = net.forward(X) - y
    np.testing.assert_allclose(net.backward(d_output), d_output @ net.weights[0].T, rtol=1e-12)
    np.testing.assert_allclose(net.gradients[:12].reshape(4, 3), X.T @ d_output, rtol=1e-11)


def test_backward_may_be_called_again(network_class, rng):
    """Once for each output gives the Jacobian."""
    net = network_class([4, 5, 3], activation="tanh", dtype="float64", seed=0)
    x = rng.normal(size=4)
    y = net.forward(x)
    J = np.array([net.backward(row) for row in np.eye(3)])  # (3, 4)
    numerical = np.array([(net.predict(x + h) - net.predict(x - h)) / 2e-6 for h in 1e-6 * np.eye(4)]).T
    np.testing.assert_allclose(J, numerical, atol=1e-8)
    np.testing.assert_array_equal(net.predict(x), y)


def test_forward_on_one_thread_and_backward_on_more(network_class, rng):
    nets = [network_class([4, 5, 3], activation="tanh", seed=0) for _ in range(2)]
    X, y = regression(rng)
    for net, threads in zip(nets, (1, 2), strict=True):
        with fastbp.threads(1):
            net.forward(X)
        with fastbp.threads(threads):
            net.backward(y)
    np.testing.assert_array_equal(nets[1].gradients, nets[0].gradients)


def test_gradients_can_be_changed_before_the_step(network_class, rng):
    net = network_class([4, 3], optimizer=SGD(learning_rate=1), dtype="float64", seed=0)
    before = net.parameters.copy()
    net.loss_and_gradients(*regression(rng))
    net.gradients[:] = 2
    net.step()
    np.testing.assert_array_equal(net.parameters, before - 2)


STALE = {
    "step": lambda net, X, y: net.step(),
    "fit": lambda net, X, y: net.fit(X, y),
    "stored fit": lambda net, X, y: net.fit(X, y, batch_size=None, gradient_tol=1e-9),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y),
    "adapt": lambda net, X, y: net.adapt(X),
    "reset": lambda net, X, y: net.reset(),
    "optimizer": lambda net, X, y: setattr(net, "optimizer", "sgd"),
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE.keys())
def test_a_change_makes_gradients_and_forward_stale(network_class, rng, change):
    net = network_class([4, 3], seed=0)
    X, y = regression(rng)
    with pytest.raises(fastbp.Error, match="loss_and_gradients"):
        _ = net.gradients
    net.backward(net.forward(X))
    net.predict(X)
    net.evaluate(X, y)
    _ = net.gradients  # reading leaves them alone
    change(net, X, y)
    with pytest.raises(fastbp.Error, match="gradients"):
        _ = net.gradients
    with pytest.raises(fastbp.Error, match="gradients"):
        net.step()
    with pytest.raises(fastbp.Error, match="forward"):
        net.backward(np.ones((50, 3)))


@pytest.mark.parametrize("numbers", ["parameters", "gradients"])
@pytest.mark.parametrize("call", ["train_on_batch", "loss_and_gradients", "fit"])
def test_rows_may_be_the_numbers_of_the_network_itself(network_class, rng, numbers, call):
    """A step reads its rows as they were before it, though it writes there."""
    results = []
    for take in (np.asarray, np.copy):
        net = network_class([40, 30, 20], optimizer=SGD(learning_rate=5), seed=0)
        net.loss_and_gradients(np.ones((9, 40)), np.ones((9, 20)))
        X = take(getattr(net, numbers)[:1200].reshape(30, 40))
        getattr(net, call)(X, np.ones((30, 20)))
        results.append((net.parameters.copy(), engine_of(net).gradients.copy()))
    np.testing.assert_array_equal(results[0], results[1])


def test_a_target_network_follows_softly(network_class, rng, state_of):
    """In place: the target's optimizer and its views know nothing of it."""
    X, y = regression(rng)
    net = network_class([4, 20, 3], seed=0)
    target = net.clone()
    net.fit(X, y, epochs=5)
    first, rest = target.parameters.copy(), state_of(target)[1:]
    weights, learnt = target.weights[1], net.parameters.copy()
    for _ in range(3):
        target.parameters[:] += 0.1 * (net.parameters - target.parameters)
    expected = learnt + 0.9**3 * (first - learnt)
    np.testing.assert_allclose(target.parameters, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(net.parameters, learnt)
    np.testing.assert_array_equal(weights, target.weights[1])
    assert state_of(target)[1:] == rest
    fresh = network_class([4, 20, 3], seed=1)
    fresh.parameters[:] = target.parameters
    np.testing.assert_array_equal(target.predict(X), fresh.predict(X))


def test_setting_the_optimizer_resets_its_state(network_class, rng):
    X, y = regression(rng)
    net, fresh = (network_class([4, 3], seed=0) for _ in range(2))
    net.train_on_batch(X, y)
    fresh.parameters[:] = net.parameters
    net.optimizer = Adam()
    net.train_on_batch(X, y)
    fresh.train_on_batch(X, y)
    np.testing.assert_array_equal(net.parameters, fresh.parameters)
    net.optimizer = "sgd"
    assert net.optimizer == SGD()


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
    for part in (fastbp.__version__, _core.isa(), _core.COMPILER, np.__version__, "threads"):
        assert part in out


def test_values_used_by_name_are_the_ready_ones():
    assert (relu, softmax) == (fastbp.activations.get("relu"), fastbp.activations.get("softmax"))


def test_nothing_comes_between_forward_and_backward(network_class, rng):
    """What an array does while it is converted may change the network: the output to go back from is gone."""
    net = network_class([3, 4, 2], seed=0)

    class Meddler:
        def __init__(self, meddle):
            self.meddle = meddle

        def __array__(self, dtype=None, copy=None):
            self.meddle()
            return np.ones((4, 2))

    def choose_another():
        net.optimizer = "sgd"

    for meddle in (lambda: net.forward(rng.normal(size=(20_000, 3))), choose_another):
        net.forward(rng.normal(size=(4, 3)))
        with pytest.raises(fastbp.Error, match="backward"):
            net.backward(Meddler(meddle))


WRITES = {
    "one number": lambda p: p.__setitem__(5, p[5] + 1),
    "the last bit": lambda p: p.__setitem__(-1, np.nextafter(p[-1], p.dtype.type(1))),
    "all signs": lambda p: np.negative(p, out=p),
    "the signs of two": lambda p: np.negative(p[[2, 18]], out=p[2:19:16]),
    "two changed places": lambda p: p.__setitem__([0, 16], p[[16, 0]]),
    "backwards": lambda p: p.__setitem__(slice(None), p[::-1].copy()),
}


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "asked for"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writes_between_forward_and_backward(network_class, write, dtype, is_held, rng):
    """Whoever wrote has had an array over the parameters, from before forward or since."""
    net = network_class([7, 4], dtype=dtype, seed=0)  # as many parameters as cancel in sums of words
    held = net.parameters if is_held else None
    X, d_output = rng.normal(size=(3, 7)), rng.normal(size=(3, 4))
    net.forward(X)
    net.parameters[:] = net.parameters.copy()  # which changes nothing
    net.backward(d_output)
    net.forward(X)
    write(net.parameters if held is None else held)
    with pytest.raises(fastbp.Error, match="backward after a write to the parameters"):
        net.backward(d_output)
    net.forward(X)
    net.backward(d_output)


def test_a_write_while_d_output_is_converted(network_class, rng):
    net = network_class([3, 2], seed=0)

    class Writer:
        def __array__(self, dtype=None, copy=None):
            net.parameters[0] += 1
            return np.ones((4, 2))

    net.forward(rng.normal(size=(4, 3)))
    with pytest.raises(fastbp.Error, match="backward after a write to the parameters"):
        net.backward(Writer())


def test_a_new_learning_rate_leaves_gradients(network_class, rng):
    net = network_class([3, 4, 2], seed=0)
    net.loss_and_gradients(rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    net.learning_rate = 0.5
    net.step()
    with pytest.raises(fastbp.Error, match="no gradients"):
        net.step()
