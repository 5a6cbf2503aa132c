"""The parts of a training step: forward, backward, gradients, step, and what makes them stale."""

import numpy as np
import pytest

import fastbp
from fastbp import SGD, Adam
from fastbp.losses import half_sse
from helpers.inside import engine_of
from helpers.problems import regression


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
    "adapt, targets": lambda net, X, y: net.adapt(None, y),
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
    """The parameters change in place; the target's optimizer state and views stay valid."""
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


def test_nothing_comes_between_forward_and_backward(network_class, rng):
    """Code that runs while an array is converted may change the network; then backward is refused."""
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
    """The writer holds an array over the parameters, taken before forward or after it."""
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
