"""Custom losses: the same results as a built-in loss that computes the same."""

import functools
import pickle

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DivergenceError, DTypeError, ParameterError, ShapeError
from fastbp.losses import CustomLoss
from helpers.differences import central_differences
from helpers.tables import DTYPES


def squares(output, target):
    """The mean squared error, as `mse` has it."""
    error = output - target
    return float(np.mean(error * error, dtype=np.float64)), 2 * error / error.size


def cross_entropy_of_logits(output, target):
    """Cross entropy of the softmax of the output, for labels (m,)."""
    p = np.exp(output - output.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    at = np.arange(len(target)), target
    loss = -np.log(p[at]).mean()
    p[at] -= 1
    return loss, p / len(target)


@pytest.fixture
def data(rng):
    return rng.standard_normal((45, 3)), rng.standard_normal((45, 2))


def make(network_class, loss=squares, dtype="float64", **options):
    return network_class([3, 9, 2], **({"activation": "tanh", "seed": 5} | options), loss=loss, dtype=dtype)


def same(a, b, dtype):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 if dtype == "float64" else 2e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 8, 45, None])
def test_as_the_built_in_loss(network_class, batch_size, shuffle, dtype, data):
    """The same order of the rows, the same weights, the same history."""
    nets = [make(network_class, loss, dtype) for loss in (squares, "mse")]
    for epochs in (2, 3):
        fits = [net.fit(*data, epochs=epochs, batch_size=batch_size, shuffle=shuffle) for net in nets]
        same(fits[0].loss, fits[1].loss, dtype)
        same(nets[0].parameters, nets[1].parameters, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output_activation", ["identity", "sigmoid", "softmax", "gelu"])
def test_every_call_with_a_loss(network_class, output_activation, dtype, data):
    nets = [
        make(network_class, loss, dtype, output_activation=output_activation) for loss in (squares, "mse")
    ]
    for call in (
        lambda net: net.loss_and_gradients(*data),
        lambda net: (net.train_on_batch(*data), net.parameters),
        lambda net: (net.evaluate(*data)["loss"], net.loss(net.predict(data[0]), data[1])),
        lambda net: net.fit(*data, validation_data=data).validation_loss,
    ):
        for own, built_in in zip(*(call(net) for net in nets), strict=True):
            same(own, built_in, dtype)
    assert nets[0].evaluate(*data).keys() == {"loss"}


def test_gradients_against_differences(network_class, data):
    net = make(network_class, lambda h, t: (np.sum((h - t) ** 4), 4 * (h - t) ** 3))
    gradients = net.loss_and_gradients(*data)[1].copy()
    numerical = central_differences(lambda: net.loss_and_gradients(*data)[0], net.parameters, 1e-5)
    assert numerical == pytest.approx(gradients, rel=1e-6, abs=1e-5)


def test_labels(network_class, rng):
    """Integers stay integers; softmax and its joint delta do the same as the user's."""
    X, labels = rng.standard_normal((30, 3)), rng.integers(0, 4, 30)
    nets = [
        network_class([3, 7, 4], loss=loss, dtype="float64", seed=1)
        for loss in (cross_entropy_of_logits, "cross_entropy")
    ]
    for net in nets:
        net.fit(X, labels, epochs=3, batch_size=8)
    same(nets[0].parameters, nets[1].parameters, "float64")


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (np.ones((6, 5), ">f8"), ((4, 5), "float32")),
        (np.ones(6, "float16"), ((4,), "float32")),
        (np.arange(6, dtype=">i4"), ((4,), "int32")),
        (np.ones((6, 1), bool), ((4, 1), "bool")),
    ],
)
def test_targets_come_as_they_are(network_class, target, seen):
    targets = []

    def loss(output, target):
        targets.append((target.shape, target.dtype.name))
        target[...] = 0  # a copy of the user's array
        return 0.0, np.zeros_like(output)

    net = make(network_class, loss, "float32")
    before = target.copy()
    net.fit(np.ones((6, 3)), target, batch_size=4, shuffle=False)
    assert targets == [seen, ((2, *seen[0][1:]), seen[1])]
    net.evaluate(np.ones((6, 3)), target)
    assert targets[-1] == ((6, *seen[0][1:]), seen[1])
    np.testing.assert_array_equal(target, before)


@pytest.mark.parametrize("y", [np.ones(5), np.ones((6, 2, 1)), np.ones((6, 0)), 1.0, np.full(6, np.nan)])
def test_targets_that_do_not_fit(network_class, y, state_of):
    net = make(network_class)
    before = state_of(net)
    with pytest.raises((ShapeError, DataError), match=r"^y"):
        net.fit(np.ones((6, 3)), y)
    assert state_of(net) == before


RETURNS = [
    (0.5, DTypeError, "expected a pair"),
    ((0.5, np.zeros((4, 2)), None), DTypeError, "expected a pair"),
    ((np.zeros(4), np.zeros((4, 2))), DTypeError, "expected a pair"),
    ((None, np.zeros((4, 2))), DTypeError, "expected a pair .*, the loss a number"),
    (("1", np.zeros((4, 2))), DTypeError, "expected a pair"),
    ((1j, np.zeros((4, 2))), DTypeError, "expected a pair"),
    (([1, [2]], np.zeros((4, 2))), DTypeError, "expected a pair"),
    ((0.5, [[1, 2], [3]]), ShapeError, r"returned the d_output .*, expected an array of shape \(4, 2\)"),
    ((0.5, np.zeros(4)), ShapeError, r"d_output of shape \(4,\), expected \(4, 2\)"),
    ((0.5, np.zeros((4, 2), complex)), DTypeError, "d_output has dtype complex128"),
    ((0.5, np.full((4, 2), np.inf)), DataError, "d_output with NaN or infinity"),
    ((np.nan, np.zeros((4, 2))), DivergenceError, "the loss"),
    ((np.inf, np.full((4, 2), np.nan)), DivergenceError, "the loss"),
]


WRONG = [
    np.zeros((2000, 3)),
    (np.zeros(2000), np.zeros((2000, 2))),
    (0.5, [[1.0]] * 2000 + [[1.0, 2.0]]),
    (0.5, np.ma.masked_array(np.zeros((200, 2)), True)),
    (0.5, np.full((200, 2), "text" * 99)),
    tuple(range(10**4)),
    "text" * 999,
    {i: np.zeros(99) for i in range(99)},
]


@pytest.mark.parametrize("returned", WRONG, ids=lambda returned: type(returned).__name__)
def test_errors_show_types_and_shapes(network_class, returned):
    """The message is a line or two for any return value."""
    net = make(network_class, functools.partial(lambda arrays, output, target: returned, np.zeros(2000)))
    with pytest.raises((DTypeError, ShapeError)) as caught:
        net.fit(np.ones((200, 3)), np.ones(200), batch_size=None)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_types_and_shapes_are_told(network_class):
    for returned, message in (
        ((np.zeros(4), [[0.5]]), r"^the loss own returned \(.*ndarray of shape \(4,\).*, expected a pair"),
        ((None, 1j), r"returned \(None, 1j\), expected"),
        (np.zeros((4, 2)), r"returned .*ndarray of shape \(4, 2\).*, expected a pair"),
    ):

        def own(output, target, returned=returned):
            return returned

        with pytest.raises(DTypeError, match=message):
            make(network_class, own).fit(np.ones((4, 3)), np.ones(4))


def test_the_arrays_of_a_direct_call_stay_the_users():
    def careless(output, target):
        output -= target
        target[...] = 0
        return 1.0, output

    output, target = np.ones((3, 2)), np.full((3, 2), 0.5)
    loss = CustomLoss(careless)
    assert loss(output, target) == 1
    np.testing.assert_array_equal(loss.gradient(output, target), np.full((3, 2), 0.5))
    assert (output == 1).all()
    assert (target == 0.5).all()


@pytest.mark.parametrize(("returned", "error", "message"), RETURNS)
@pytest.mark.parametrize("call", ["fit", "train_on_batch"])
def test_wrong_returns(network_class, call, returned, error, message, data, state_of):
    """The second batch goes wrong: the network is where it was before it, or at the last snapshot."""
    X, y = data[0][:8], data[1][:8]
    calls = []

    def loss(output, target):
        calls.append(1)
        return squares(output, target) if len(calls) == 1 else returned

    net, twin = make(network_class, loss), make(network_class)
    start = twin.parameters.copy()
    twin.train_on_batch(X[:4], y[:4])
    options = {"batch_size": 4, "shuffle": False}
    if call == "train_on_batch":
        net.train_on_batch(X[:4], y[:4])
        X, y, options = X[4:], y[4:], {}
    with pytest.raises(error, match=message):
        getattr(net, call)(X, y, **options)
    restored = call == "fit" and error is DivergenceError
    np.testing.assert_array_equal(net.parameters, start if restored else twin.parameters)


@pytest.mark.parametrize("call", ["fit", "train_on_batch", "loss_and_gradients"])
def test_a_derivative_beyond_float32(network_class, call, data, state_of):
    """Finite in float64 is not enough; with a loss that is not finite, that is what is told."""
    net = make(network_class, lambda h, t: (0.5, np.full(h.shape, -1e300)), "float32")
    before = state_of(net)
    with pytest.raises(DataError, match=r"d_output with 1e\+300, expected .* finite in float32"):
        getattr(net, call)(*data)
    assert state_of(net) == before
    net = make(network_class, lambda h, t: (np.inf, np.full(h.shape, 1e300)), "float32")
    with pytest.raises(DivergenceError):
        net.train_on_batch(*data)


def test_an_exception_passes_through(network_class, data):
    """The network is left at the end of a step, in the epoch of the failing call."""
    calls = []

    def loss(output, target):
        calls.append(len(target))
        if len(calls) == 8:
            raise KeyError("mine")
        return squares(output, target)

    net, twin = make(network_class, loss), make(network_class)
    with pytest.raises(KeyError, match="mine"):
        net.fit(*data, epochs=3, batch_size=9, shuffle=False)
    assert calls == [9] * 8
    for start in (0, 9, 18, 27, 36, 0, 9):
        twin.train_on_batch(data[0][start : start + 9], data[1][start : start + 9])
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    assert len(net.history) == 1
    assert net.history.stopped == "interrupted"


def test_the_callable_may_read_the_network(network_class, data):
    seen = []

    def loss(output, target):
        seen.append(np.abs(net.predict(data[0][: len(output)]) - output).max())
        with pytest.raises(fastbp.BusyError):
            net.fit(*data)
        return squares(output, target)

    net = make(network_class, loss)
    net.fit(*data, epochs=2, shuffle=False, batch_size=None)
    assert len(seen) == 2
    assert max(seen) < 1e-12


def test_the_value():
    loss = CustomLoss(squares)
    assert loss == fastbp.losses.get(squares) == fastbp.losses.get(loss)
    assert loss != CustomLoss(cross_entropy_of_logits)
    assert loss([[1.0, 2.0]], [[1.0, 4.0]]) == 2
    np.testing.assert_array_equal(loss.gradient(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])), [[0, -2]])
    for wrong in (3, CustomLoss):
        with pytest.raises(ParameterError, match=r"function is .*, expected a callable"):
            CustomLoss(wrong)
    with pytest.raises(ParameterError, match="loss is 3, expected one of: half_sse"):
        fastbp.losses.get(3)


def test_copies(network_class, data):
    """A custom loss can be pickled if its function can."""
    net = make(network_class)
    net.fit(*data)
    for twin in (net.clone(), pickle.loads(pickle.dumps(net))):
        assert twin.loss == net.loss
        np.testing.assert_array_equal(
            twin.fit(*data, batch_size=9).loss, net.clone().fit(*data, batch_size=9).loss
        )
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(make(network_class, lambda output, target: (0.0, output)))


def test_both_engines_and_row_blocks(rng):
    """A batch beyond a row block, on two threads."""
    X, y = rng.standard_normal((9000, 3)), rng.standard_normal((9000, 2))
    nets = [make(each) for each in (fastbp.Network, fastbp.reference.Network)]
    with fastbp.threads(2):
        fits = [net.fit(X, y, epochs=2, batch_size=5000).loss for net in nets]
    same(*fits, "float64")
    same(nets[0].parameters, nets[1].parameters, "float64")
