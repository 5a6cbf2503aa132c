"""The loss on a grid of a plane: as of `evaluate` at every point, on any number of threads."""

from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_array

import fastbp
from fastbp import DataError, Dense, ParameterError, ShapeError, reference
from fastbp._engine import inference
from fastbp.callbacks import RecordPath
from fastbp.inspect import Landscape, _surface, landscape
from helpers.isas import ISAS, using
from helpers.odd_arrays import shrink

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.tanh(X @ RNG.normal(size=(4, 2)))
LABELS = RNG.integers(3, size=60)
CLASSES = {"loss": "cross_entropy"}


def squares(output, target):
    error = output - target
    return float((error**2).sum()), 2 * error


def half(X, y):
    """Leave half of the targets out."""
    return X, np.where(np.arange(y.size).reshape(y.shape) % 2, y, np.nan)


#: Layers after the inputs, X, y, options of the network, sample weights.
CASES = {
    "mse": ([5, 2], X, Y, {}, None),
    "float64": ([5, 2], X, Y, {"dtype": "float64"}, None),
    "wide": ([40, 2], X, Y, {"activation": "gelu"}, None),
    "labels": ([20, 3], X.astype("f4"), LABELS, CLASSES, None),
    "weights of rows": ([20, 3], X, LABELS, CLASSES, np.arange(60.0)),
    "rows without weight": ([20, 3], X, LABELS, CLASSES, np.arange(60) % 2),
    "weights of targets": ([20, 2], X, Y, {}, np.arange(120.0).reshape(60, 2)),
    "unknown targets": ([20, 2], *half(X, Y), {"loss": fastbp.MSE(ignore_nan=True)}, None),
    "sum": ([20, 2], X, Y, {"loss": "half_sse"}, None),
    "several outputs per target": ([20, 4], X, Y, {"loss": "gaussian_nll"}, None),
    "custom loss": ([20, 2], X, Y, {"loss": fastbp.CustomLoss(squares)}, None),
    "custom activation": (
        [Dense(20, fastbp.CustomActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)), 2],
        X,
        Y,
        {},
        None,
    ),
    "sparse": ([20, 2], csr_array(X * (RNG.random(X.shape) < 0.1)), Y, {}, None),
    "bytes": ([20, 2], (50 * X).astype("i1"), Y, {}, None),
    "columns": ([20, 2], np.asfortranarray(X, "f4"), Y, {}, None),
    "penalties, frozen": (
        [
            Dense(20, "relu", l1=0.1, l2=0.2, divide_penalty=True),
            Dense(9, l2=5, trainable=False),
            Dense(2, l1=0.3),
        ],
        X,
        Y,
        {},
        np.arange(60.0),
    ),
    "no bias, dropout, noise": (
        [Dense(9, "tanh", bias=False, dropout=0.5), 2],
        X,
        Y,
        {"input_noise": 1.0},
        None,
    ),
}


def make(name, kind=fastbp.Network):
    """Return a network, X, y and weights of a case."""
    layers, inputs, y, options, weights = CASES[name]
    return kind([4, *layers], **{"seed": 1} | options), inputs, y, weights


def penalties(net, weight):
    """Return l1 and l2 of the layers that are trained."""
    total = 0.0
    for W, layer in zip(net.weights, net.layers, strict=True):
        if layer.trainable:
            found = layer.l1 * np.abs(W).sum() + layer.l2 / 2 * (W.astype(float) ** 2).sum()
            total += found / (weight if layer.divide_penalty else 1)
    return total


def evaluated(net, X, y, weights, found):
    """Return the losses at the points of a landscape, one call of `evaluate` each."""
    net, losses = net.clone(), np.empty_like(found.losses)
    for i, b in enumerate(found.b):
        for j, a in enumerate(found.a):
            net.parameters[:] = found.at(a, b)
            losses[i, j] = net.evaluate(X, y, sample_weight=weights)["loss"]
            losses[i, j] += penalties(net, len(y) if weights is None else np.mean(weights) * len(y))
    return losses


@pytest.mark.parametrize("adapts", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_loss_of_evaluate(name, adapts):
    """In both engines, with the same bits in each unless there are penalties."""
    for kind in (fastbp.Network, reference.Network):
        net, inputs, y, weights = make(name, kind)
        if adapts and y.ndim == 2 and net.loss.name not in ("gaussian_nll",):
            net.adapt(inputs, np.nan_to_num(y))
        elif adapts:
            net.adapt(inputs)
        before = net.parameters.tobytes()
        found = landscape(net, inputs, y, resolution=(4, 3), sample_weight=weights)
        expected = evaluated(net, inputs, y, weights, found)
        assert net.parameters.tobytes() == before
        assert found.losses.shape == (3, 4)
        if name == "penalties, frozen":
            np.testing.assert_allclose(found.losses, expected, rtol=1e-6)
        else:
            np.testing.assert_array_equal(found.losses, expected)


@pytest.mark.parametrize("isa", ISAS)
def test_threads_and_slices_do_not_matter(isa, monkeypatch):
    """Nor whether the points are taken one after the other, with threads that share the rows."""
    with using(isa):
        for name in ("labels", "mse", "sparse", "rows without weight"):
            net, inputs, y, weights = make(name)
            call = partial(landscape, net, inputs, y, resolution=9, sample_weight=weights)
            with fastbp.threads(1):
                expected = call().losses
            for seconds in (0.0, 1.0):
                monkeypatch.setattr(_surface, "SECONDS", seconds)
                with fastbp.threads(5):
                    np.testing.assert_array_equal(call().losses, expected)
            monkeypatch.setattr(inference, "SLICE_WORK", 300)
            np.testing.assert_allclose(call().losses, expected, rtol=1e-6)
            monkeypatch.undo()


def test_threads_at_work_at_the_same_time():
    """Points take long enough for several threads to begin: each has its own parameters and workspace."""
    x, y = np.tile(X, (30, 1)).astype("f4"), np.tile(LABELS, 30)
    net = fastbp.Network([4, 64, 3], seed=1, **CLASSES)
    with fastbp.threads(1):
        expected = landscape(net, x, y, resolution=16).losses
    for _ in range(3):
        with fastbp.threads(4):
            np.testing.assert_array_equal(landscape(net, x, y, resolution=16).losses, expected)


def test_long_data_in_several_blocks():
    """More rows than a block has."""
    x, y = np.tile(X, (40, 1)), np.tile(Y, (40, 1))
    net = fastbp.Network([4, 70, 2], seed=1)
    with fastbp.threads(3):
        found = landscape(net, x, y, resolution=3)
    np.testing.assert_array_equal(found.losses, evaluated(net, x, y, None, found))


# ---- directions --------------------------------------------------------------------------------------------


def test_random_directions_have_the_norms_of_the_units():
    net = fastbp.Network([4, Dense(5, bias=False), 3, 2], seed=1)
    found = landscape(net, X, Y, resolution=2)
    for direction in found.directions:
        other = net.clone()
        other.parameters[:] = direction
        for V, W, b in zip(other.weights, net.weights, other.biases, strict=True):
            np.testing.assert_allclose(np.linalg.norm(V, axis=0), np.linalg.norm(W, axis=0), rtol=1e-6)
            assert not b.any()
    again = landscape(net, X, Y, resolution=2).directions
    np.testing.assert_array_equal(again, found.directions)
    assert not np.array_equal(landscape(net, X, Y, resolution=2, seed=1).directions, again)


def test_named_weights_are_the_axes():
    net = fastbp.Network([4, 3, 2], seed=1, dtype="float64")
    found = landscape(net, X, Y, directions=("w25", "b9"), resolution=(3, 4), span=0.5)
    assert found.names == ("w25", "b9")
    w, b = net.weights[0][1, 0], net.biases[1][1]
    np.testing.assert_allclose(found.a, [w - 0.5, w, w + 0.5])
    np.testing.assert_allclose([found.b[0], found.b[-1]], [b - 0.5, b + 0.5])
    np.testing.assert_array_equal(found.project(net.parameters), [w, b])
    np.testing.assert_array_equal(found.center, net.parameters)
    other = net.clone()
    other.weights[0][1, 0], other.biases[1][1] = found.a[2], found.b[0]
    np.testing.assert_array_equal(found.at(found.a[2], found.b[0]), other.parameters)
    assert found.losses[0, 2] == other.evaluate(X, Y)["loss"]


def test_eigenvectors_are_those_of_the_largest_magnitude():
    """So the loss is a parabola near the center, curved by the eigenvalues; here of different signs."""
    layers = [4, Dense(1, "tanh", bias=False), Dense(1, bias=False)]
    net, y = fastbp.Network(layers, seed=3, dtype="float64"), Y[:, :1]
    net.parameters[:] *= 0.1
    found = landscape(net, X, y, directions="hessian", resolution=3, span=1e-3)
    everything = fastbp.inspect.hessian_eigenvalues(net, X, y, k=5)
    largest = sorted(everything.values, key=abs)[::-1][:2]
    assert largest[0] * largest[1] < 0
    J = found.losses
    np.testing.assert_allclose((J[1, 0] - 2 * J[1, 1] + J[1, 2]) / 1e-6, largest[0], rtol=1e-2)
    np.testing.assert_allclose((J[0, 1] - 2 * J[1, 1] + J[2, 1]) / 1e-6, largest[1], rtol=1e-2)
    assert f"{largest[0]:.4g}" in found.names[0]
    center = RNG.normal(size=net.n_parameters)
    elsewhere = landscape(net, X, y, directions="hessian", resolution=2, center=center)
    assert np.abs(elsewhere.directions - found.directions).max() > 0.1


def test_vectors_a_center_and_a_path():
    net = fastbp.Network([4, 3, 2], seed=1)
    path = RecordPath(dtype="float64")
    net.fit(X, Y, epochs=4, callbacks=path)
    start, *_, end = path.path
    plane = [end - start, RNG.normal(size=start.size)]
    span = ((-0.5, 1.5), (-1, 2))
    found = landscape(net, X, Y, directions=plane, center=start, resolution=5, span=span)
    np.testing.assert_allclose(found.a, [-0.5, 0, 0.5, 1, 1.5])
    np.testing.assert_allclose([found.b[0], found.b[-1]], [-1, 2])
    projected = found.project(path.path)
    assert projected.shape == (5, 2)
    np.testing.assert_allclose(projected[[0, -1]], [[0, 0], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(found.project(start), [0, 0], atol=1e-12)
    # the projection is the closest point
    left = path.path - found.at(*projected.T)
    np.testing.assert_allclose(left @ found.directions.T, 0, atol=1e-9)
    assert found.losses[np.abs(found.b).argmin(), 3] == pytest.approx(net.evaluate(X, Y)["loss"], rel=0.3)
    with pytest.raises(ShapeError, match=r"path has shape \(3,\), expected \(k, 23\)"):
        found.project(np.ones(3))


# ---- the object, and the call ------------------------------------------------------------------------------


def test_it_is_immutable_and_says_what_it_is():
    net = fastbp.Network([4, 3, 2], seed=1)
    found = landscape(net, X, Y, resolution=(3, 5))
    assert isinstance(found, Landscape)
    for array in found[:-1]:
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert "3 x 5 points" in str(found)
    assert f"least loss {found.losses.min():.6g} at a = " in str(found)
    assert repr(found) == "<Landscape: random direction 1, random direction 2; 3 x 5 points>"


def test_losses_may_overflow():
    net = fastbp.Network([4, 3, 2], activation="identity", seed=1)
    for kind in (fastbp.Network, reference.Network):
        net = kind([4, 3, 2], activation="identity", seed=1)
        found = landscape(net, X, Y, resolution=3, span=1e30)
        assert np.isfinite(found.losses).sum() == 1
        assert "not finite at 8 points" in str(found)
        assert not np.isfinite(landscape(net, X, Y, resolution=2, span=1e300).losses).any()


def test_progress_goes_to_the_end():
    for kind in (fastbp.Network, reference.Network):
        seen = []
        net = kind([4, 3, 2], seed=1)
        landscape(net, X, Y, resolution=(7, 3), progress=lambda *numbers, seen=seen: seen.append(numbers))
        done, points = zip(*seen, strict=True)
        assert [*done] == sorted(done)
        assert done[-1] == 21
        assert {*points} == {21}
        assert len(seen) > 1


class EnoughError(Exception):
    """What a progress function raises."""


def test_progress_may_end_it():
    def stop(done, points):
        raise EnoughError

    with pytest.raises(EnoughError):
        landscape(fastbp.Network([4, 3, 2], seed=1), X, Y, resolution=50, progress=stop)


def test_arrays_may_not_change_meanwhile():
    """Memory that is gone is not read; inputs of the network's dtype are read in place."""
    inputs, y = X.astype("f4"), Y.astype("f4")
    with pytest.raises(DataError, match=r"changed|resized"):
        landscape(
            fastbp.Network([4, 3, 2], seed=1),
            inputs,
            y,
            resolution=50,
            progress=lambda *_: shrink(inputs),
        )


def test_a_callback_may_use_it():
    seen = []

    def look(state):
        found = landscape(state.network, X, Y, resolution=2, span=1e-3)
        seen.append(found.losses.mean())

    net = fastbp.Network([4, 3, 2], seed=1)
    net.fit(X, Y, epochs=2, callbacks=look)
    assert seen[1] == pytest.approx(net.evaluate(X, Y)["loss"], rel=1e-3)


WRONG = {
    "directions is 'hesian', expected 'random', 'hessian'": {"directions": "hesian"},
    "directions is 'w99', expected a parameter of the network": {"directions": ("w15", "w99")},
    "expected the names of two weights": {"directions": ("w15", "w15")},
    "directions is .*, expected the names of two": {"directions": ["w15"]},
    r"directions has shape \(2, 3\), expected \(2, 23\)": {"directions": np.ones((2, 3))},
    "directions has numbers that are NaN": {"directions": np.full((2, 23), np.nan)},
    "directions are parallel": {"directions": np.ones((2, 23))},
    "directions has a vector of zeros": {"directions": np.zeros((2, 23))},
    "resolution is 1, expected an integer >= 2": {"resolution": 1},
    r"resolution is .*, expected an integer": {"resolution": (3, 3, 3)},
    "resolution is 5000, expected an integer >= 2 and < 4097": {"resolution": (2, 5000)},
    "span is 0, expected a finite number > 0": {"span": 0},
    "span is .*, expected a number, or": {"span": (1, 2)},
    r"span is 1e\+308, expected a finite number > 0 and < 1e\+307": {"span": 1e308},
    "span has the ends 1 and 1": {"span": ((0, 1), (1, 1))},
    r"center has shape \(3,\), expected \(23,\)": {"center": np.ones(3)},
    "center has numbers that are NaN": {"center": np.full(23, np.inf)},
    "seed is -1": {"seed": -1},
    "progress is 3, expected a function": {"progress": 3},
    "sample_weight has shape": {"sample_weight": np.ones(3)},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments(message):
    with pytest.raises((ParameterError, ShapeError, DataError), match=message):
        landscape(fastbp.Network([4, 3, 2], seed=1), X, Y, **WRONG[message])


def test_parallel_weights_of_one_parameter():
    """A network whose random directions are multiples of each other."""
    net = fastbp.Network([1, Dense(1, bias=False)], seed=1)
    for directions, message in (("random", "directions are parallel"), ("hessian", "at least two")):
        with pytest.raises(ParameterError, match=message):
            landscape(net, X[:, :1], Y[:, :1], directions=directions)


def test_random_directions_that_span_no_plane(network_class):
    X, y = np.linspace(-1, 1, 5)[:, None], np.ones((5, 1))
    net = network_class([1, 1], seed=1)
    with pytest.raises(ParameterError, match=r"are parallel, .* name two weights"):
        landscape(net, X, y, resolution=2)
    net.parameters[:] = 0
    with pytest.raises(ParameterError, match=r"a vector of zeros, .* name two weights"):
        landscape(net, X, y, resolution=2)
