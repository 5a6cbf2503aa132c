"""Memory-mapped arrays: which arrays count as such, and that they train like arrays in memory."""

import mmap

import numpy as np
import pytest

import fastbp
from fastbp import _core
from helpers.inside import to_train_on
from helpers.maps import MAPS, mapped


@pytest.mark.parametrize("kind", MAPS)
def test_maps_train_like_arrays(network_class, kind, data, tmp_path, state_of):
    """Every way to make a map, in every dtype, with scaled inputs, too."""
    X, y = data
    for dtype in ("f2", "f4", "f8", "u1", "i4"):
        X_in_dtype = (3 * X if dtype != "u1" else 50 * abs(X)).astype(dtype)
        X_mapped = MAPS[kind](tmp_path, X_in_dtype)
        assert _core.is_mapped(X_mapped)
        for own in ("float32", "float64"):
            found = []
            for inputs in (X_in_dtype, X_mapped):
                net = network_class([4, 5, 2], activation="tanh", dtype=own, seed=3)
                net.adapt(X_in_dtype)  # means depend on the layout
                net.fit(inputs, y, epochs=2, batch_size=5)
                found.append(state_of(net))
            assert found[0] == found[1], (dtype, own)


def test_arrays_in_memory_are_no_maps(tmp_path):
    memory = mapped(tmp_path, np.ones((5, 4)))
    buffers = bytes(160), bytearray(160), memoryview(bytes(160))
    others = [np.frombuffer(buffer).reshape(5, 4) for buffer in buffers]
    others += [memory.copy(), memory[[0, 1]], memory * 2, np.array(memory), memory.astype("f4")]
    others += [memory.tolist(), None, 3, "mmap", memory.base, memory.sum(), type(memory), [memory]]
    assert [_core.is_mapped(other) for other in others] == [False] * len(others)
    assert _core.is_mapped(memory)
    assert _core.is_mapped(_core.hold(_core.hold(memory)[1:])[:, ::2])  # views of views that calls hold


def test_memory_that_is_mapped_without_a_file_is_a_map():
    memory = np.frombuffer(mmap.mmap(-1, 4096))
    assert _core.is_mapped(memory.reshape(-1, 4))


def test_what_is_left_for_the_run(network_class, tmp_path):
    """Floats in maps; of targets those of losses that take any number, and no NaN."""
    X, y = np.ones((6, 4)), np.ones((6, 2))
    X_map, y_map = mapped(tmp_path, X, "X"), mapped(tmp_path, y, "y")

    net = network_class([4, 5, 2])

    def left(X, y, **options):
        deferred = to_train_on(net, X, y, **options)[2]
        return None if deferred is None else (deferred.X, deferred.y)

    assert left(X, y) is None
    assert left(X_map, y) == (True, False)
    assert left(X, y_map) == (False, True)
    assert left(X_map, y_map) == (True, True)
    assert left(X_map, y_map, may_defer=False) is None
    assert left(mapped(tmp_path, X.astype("u1"), "bytes"), y.astype(int)) is None


LOSSES_THAT_DO_NOT_WAIT = {
    "cross_entropy": np.full((6, 2), 0.5),
    "binary_cross_entropy": np.full((6, 2), 0.25),
    "poisson": np.ones((6, 2)),
    "hinge": np.ones((6, 2)),
    fastbp.MSE(ignore_nan=True): np.ones((6, 2)),
}


@pytest.mark.parametrize("loss", LOSSES_THAT_DO_NOT_WAIT, ids=str)
@pytest.mark.parametrize("bad", [-7, np.inf, 1e300])
def test_targets_with_a_range_are_checked_before(network_class, loss, bad, tmp_path, state_of):
    y = LOSSES_THAT_DO_NOT_WAIT[loss].copy()
    y[4, 1] = bad
    if not isinstance(loss, str):
        bad = np.inf if bad == -7 else bad
        y[4, 1] = bad
    net = network_class([4, 2], loss=loss, seed=0)
    before = state_of(net)
    for X in (np.ones((6, 4)), mapped(tmp_path, np.ones((6, 4)), "X")):
        with pytest.raises(fastbp.DataError, match=r"^y\[4(, 1)?\] "):
            net.fit(X, mapped(tmp_path, y, "y"), batch_size=2)
    assert state_of(net) == before


def test_labels_are_checked_before(network_class, tmp_path, state_of):
    net = network_class([4, 3], loss="cross_entropy", seed=0)
    before = state_of(net)
    labels = mapped(tmp_path, np.array([0, 1, 2, 0, 3, 1]), "y")
    with pytest.raises(fastbp.DataError, match=r"^y\[4\] is 3, expected a class label, 0 to 2"):
        net.fit(mapped(tmp_path, np.ones((6, 4)), "X"), labels, batch_size=2)
    assert state_of(net) == before


def test_shapes_and_dtypes_are_checked_before(network_class, tmp_path):
    net = network_class([4, 2], seed=0)
    X, y = mapped(tmp_path, np.ones((6, 4)), "X"), mapped(tmp_path, np.ones((6, 2)), "y")
    complex_X = mapped(tmp_path, np.ones((6, 4), complex), "complex")
    for bad in ((X[:, :3], y), (X, y[:5]), (X[:0], y[:0]), (X[0], y), (complex_X, y)):
        with pytest.raises((fastbp.ShapeError, fastbp.DTypeError), match=r"^[Xy] has "):
            net.fit(*bad)
    assert net.history.loss == []


def test_other_calls_check_before(network_class, tmp_path, state_of):
    """Also fits that hold out rows, validation data, and Levenberg-Marquardt, whose steps take all rows."""
    X = np.ones((6, 4))
    X[4, 2] = np.nan
    X, good, y = mapped(tmp_path, X, "X"), np.ones((6, 4)), np.ones((6, 2))
    net = network_class([4, 2], seed=0)
    marquardt = network_class([4, 2], optimizer=fastbp.LevenbergMarquardt(), seed=0, dtype="float64")
    before = state_of(net), state_of(marquardt)
    for call in (
        lambda: net.train_on_batch(X, y),
        lambda: net.evaluate(X, y),
        lambda: net.loss_and_gradients(X, y),
        lambda: net.adapt(X),
        lambda: net.fit(X, y, validation_split=0.5),
        lambda: net.fit(X, y, validation_split=fastbp.splits.ShuffledSplit(0.5)),
        lambda: net.fit(good, y, validation_data=(X, y)),
        lambda: marquardt.fit(X, y),
    ):
        with pytest.raises(fastbp.DataError, match=r"\[4, 2\] is nan, expected a finite number"):
            call()
    assert (state_of(net), state_of(marquardt)) == before
