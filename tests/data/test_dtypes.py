"""Data of any dtype, strides, order, alignment and byte order train as their contiguous copy does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbp
from fastbp import _core
from helpers.inside import engine_of
from helpers.layouts import FLOATS, INTEGERS, LAYOUTS
from helpers.memory import traced_peak

N_IN, N_OUT = 5, 3


def train(X, y, loss="mse", dtype="float32"):
    """The bits of a network after two epochs, and of its predictions."""
    net = fastbp.Network([N_IN, 7, N_OUT], loss=loss, dtype=dtype, seed=1)
    net.fit(X, y, epochs=2, batch_size=4)
    return net.parameters.tobytes(), net.predict(X).tobytes(), net.evaluate(X, y)["loss"]


@settings(max_examples=300)
@given(
    kind=st.sampled_from([*FLOATS, *INTEGERS, "?"]),
    layout=st.sampled_from(sorted(LAYOUTS)),
    y_layout=st.sampled_from(sorted(LAYOUTS)),
    rows=st.integers(1, 30),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_layouts_equal_the_contiguous_copy(kind, layout, y_layout, rows, dtype, seed):
    rng = np.random.default_rng(seed)
    X = (4 * rng.random((rows, N_IN))).astype(kind)
    y = rng.random((rows, N_OUT))
    assert train(LAYOUTS[layout](X), LAYOUTS[y_layout](y), dtype=dtype) == train(
        X.astype(dtype), y, dtype=dtype
    )


@settings(max_examples=100)
@given(
    kind=st.sampled_from(INTEGERS),
    layout=st.sampled_from(sorted(set(LAYOUTS) - {"every third element"})),
    rows=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_layouts_of_labels(kind, layout, rows, seed):
    rng = np.random.default_rng(seed)
    X, labels = rng.random((rows, N_IN)), rng.integers(0, N_OUT, rows)
    got = train(X, LAYOUTS[layout](labels.astype(kind)), "cross_entropy")
    assert got == train(X, labels, "cross_entropy")
    one_hot = np.eye(N_OUT)[labels]
    assert got[2] == pytest.approx(train(X, LAYOUTS[layout](one_hot), "cross_entropy")[2], rel=1e-6)


@pytest.mark.parametrize("kind", ["f4", ">f8", "u1"])
def test_memory_maps_and_broadcasts(tmp_path, kind, rng):
    X = (9 * rng.random((20, N_IN))).astype(kind)
    X.tofile(tmp_path / "X")
    y = rng.random((20, N_OUT))
    mapped = np.memmap(tmp_path / "X", kind, "r", shape=X.shape)
    assert train(mapped, y) == train(np.array(X, "f4"), y)
    same_row = np.broadcast_to(X[0], X.shape)  # a row stride of 0
    assert train(same_row, y) == train(np.ascontiguousarray(same_row), y)


@pytest.mark.parametrize("kind", [*FLOATS, *INTEGERS, "?"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_conversion_is_numpys(kind, dtype):
    """Every value of the small types, the edges of the others, through a layer that is the identity."""
    info = np.iinfo(kind) if kind in INTEGERS else None
    if kind == "?":
        values = np.array([False, True])
    elif kind in ("f2", "i1", "i2", "u1", "u2"):
        bits = np.arange(2 ** (8 * np.dtype(kind).itemsize), dtype=f"u{np.dtype(kind).itemsize}")
        values = bits.view(kind)
    elif info:
        values = np.array([info.min, info.max, 0, 1, 2**24 + 1, 2**31 - 1, info.max - 1], kind)
    else:
        tiny = np.finfo(kind).smallest_subnormal
        values = np.array([0.1, -0.0, 1 + 2**-24, 1 + 3 * 2**-24, 1e-40, 3e38, tiny, np.inf, np.nan], kind)
    net = fastbp.Network([1, 1], dtype=dtype)
    net.parameters[:] = [1, 0]
    expected = values.astype(dtype)
    np.testing.assert_array_equal(net.predict(values[:, None])[:, 0], expected)
    finite = values[np.isfinite(expected)]
    assert _core.first_nonfinite(finite, dtype) == -1


@given(
    rows=st.integers(1, 40),
    columns=st.sampled_from([1, 7, 16, 511, 512, 513, 1030]),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, 1e39]),
    data=st.data(),
)
def test_the_first_number_that_is_not_finite(rows, columns, bad, data):
    a = np.zeros((rows, columns))
    positions = data.draw(st.sets(st.integers(0, a.size - 1), max_size=3))
    for position in positions:
        a.flat[position] = bad
    assert _core.first_nonfinite(a, "float32") == min(positions, default=-1)
    assert _core.first_nonfinite(a[::-1, ::-1], "float32") == (
        a.size - 1 - max(positions) if positions else -1
    )
    if bad == 1e39:
        assert _core.first_nonfinite(a, "float64") == -1


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("shape", [(40, 7), (3, 1030), (1000, 1), (1000,)])
def test_bad_numbers_are_found_in_any_layout(shape, kind, layout):
    for position in (0, 600 % np.prod(shape), np.prod(shape) - 1):
        a = np.zeros(shape, kind)
        a.flat[position] = np.nan
        for dtype in ("float32", "float64"):
            assert _core.first_nonfinite(LAYOUTS[layout](a), dtype) == position
            assert _core.first_nonfinite(LAYOUTS[layout](np.zeros_like(a)), dtype) == -1


def test_bad_numbers_between_padding_are_found():
    """Records with a float32 in 13 bytes each: a row is plain, the next one misaligned."""
    records = np.zeros(50, [("x", "f4", (2,)), ("other", "u1", (5,))])
    assert _core.first_nonfinite(records["x"], "float32") == -1
    records["x"][33, 1] = np.inf
    assert _core.first_nonfinite(records["x"], "float32") == 67


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("kind", INTEGERS)
def test_bad_labels_are_found_in_any_layout(kind, layout):
    labels = (np.arange(1200) % N_OUT).astype(kind)
    assert _core.first_bad_label(LAYOUTS[layout](labels), N_OUT) == -1
    for position in (0, 700, 1199):
        for bad in (N_OUT, np.iinfo(kind).max, np.iinfo(kind).min or N_OUT):
            wrong = labels.copy()
            wrong[position] = bad
            assert _core.first_bad_label(LAYOUTS[layout](wrong), N_OUT) == position


def test_user_data_are_not_copied(rng):
    """Strided float64 data in a float32 network: a fit needs a megabyte or so beside 32 MB of data."""
    X = rng.random((100_000, 40))[:, ::2]
    y = rng.integers(0, 3, len(X))
    net = fastbp.Network([20, 8, 3], loss="cross_entropy", seed=0)

    def fit_and_evaluate():
        net.fit(X, y, shuffle=False, batch_size=256)
        net.evaluate(X, y)

    assert traced_peak(fit_and_evaluate) < 2_000_000


def test_labels_that_change_during_a_fit_cannot_write_elsewhere(rng):
    """If labels are overwritten after the checks, the loss is NaN and no other memory is written."""
    X, y = rng.random((8, N_IN)), rng.integers(0, N_OUT, 8)
    net = fastbp.Network([N_IN, N_OUT], loss="cross_entropy", seed=0)
    options = {"batch_size": 8, "shuffle": False, "seed": 0, "first_epoch": 0, "epochs": 1, "stored": True}
    for wrong in (N_OUT, -1, 2**62):
        run = engine_of(net).begin(X, np.full_like(y, wrong), **options)
        assert not run.advance(1, 1.0)
        assert np.isnan(run.losses[0])
