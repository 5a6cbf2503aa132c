"""SciPy's CSR and CSC in every call that takes X: the same as the array with all its zeros."""

import tracemalloc
import warnings

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DTypeError, ShapeError
from fastbp._data.digest import digest
from fastbp._data.sparse import sparse_rows

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

FORMATS = [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.csc_matrix]


@pytest.fixture
def dense(rng):
    """Rows of which one is empty, and columns of which one is."""
    X = rng.normal(size=(50, 7)) * (rng.random((50, 7)) < 0.3)
    X[11] = 0
    X[:, 2] = 0
    return X


# ---- every call --------------------------------------------------------------------------------------------


def fitted(net, X, y, **options):
    history = net.fit(X, y, epochs=2, **options)
    return [history.loss, history.to_dict().get("validation_loss"), net.parameters.copy()]


def minimized(net, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fastbp.minimize(net, X, y, max_iterations=2).fun


def squares(output, target):
    error = output - target
    return float(np.mean(error**2)), 2 * error / error.size


CALLS = {
    "predict": lambda net, X, y: net.predict(X),
    "predict(out)": lambda net, X, y: net.predict(X, out=np.empty((len(y), 2), net.dtype)),
    "evaluate": lambda net, X, y: net.evaluate(X, y, metrics=["r2", "mae"]),
    "evaluate with weights": lambda net, X, y: net.evaluate(X, y, sample_weight=np.arange(len(y)) % 3),
    "train_on_batch": lambda net, X, y: (net.train_on_batch(X, y), net.parameters.copy()),
    "loss_and_gradients": lambda net, X, y: net.loss_and_gradients(X, y),
    "forward, backward": lambda net, X, y: (net.forward(X), net.backward(y), net.gradients.copy()),
    "fit": fitted,
    "fit in order": lambda net, X, y: fitted(net, X, y, shuffle=False),
    "fit on all rows": lambda net, X, y: fitted(net, X, y, batch_size=None),
    "fit with weights": lambda net, X, y: fitted(net, X, y, sample_weight=np.arange(len(y)) % 3),
    "fit with validation_data": lambda net, X, y: fitted(net, X, y, validation_data=(X, y)),
    "fit with the last rows": lambda net, X, y: fitted(net, X, y, validation_split=0.2),
    "fit with other rows": lambda net, X, y: fitted(net, X, y, validation_split=fastbp.ShuffledSplit(0.3)),
    "Levenberg-Marquardt": lambda net, X, y: (
        setattr(net, "optimizer", fastbp.LevenbergMarquardt()),
        fitted(net, X, y, batch_size=None),
    ),
    "Levenberg-Marquardt, some rows": lambda net, X, y: (
        setattr(net, "optimizer", fastbp.LevenbergMarquardt()),
        fitted(net, X, np.where(np.arange(len(y))[:, None] % 3, y, np.nan), batch_size=None),
    ),
    "minimize": minimized,
    "callbacks": lambda net, X, y: fitted(net, X, y, callbacks=lambda state: state.network.predict(X)),
}


def comparable(thing):
    """Return a result as a value; 0.0 and -0.0 are the same."""
    if isinstance(thing, np.ndarray):
        return (thing + 0.0).tobytes()
    if isinstance(thing, dict):
        thing = list(thing.items())
    return [comparable(part) for part in thing] if isinstance(thing, (list, tuple)) else repr(thing)


@pytest.mark.parametrize("call", CALLS)
def test_calls_give_the_bits_of_the_array(network_class, dense, call):
    y = np.tanh(dense[:, :2] + 0.1)
    for dtype in ("float32", "float64"):
        found = []
        for X in (dense, *(kind(dense) for kind in FORMATS)):
            loss = fastbp.MSE(ignore_nan=True) if "some rows" in call else "mse"
            net = network_class([7, 5, 2], loss=loss, seed=0, dtype=dtype)
            found.append(comparable(CALLS[call](net, X, y)))
        assert all(other == found[0] for other in found[1:])


def test_custom_losses_dropout_and_averages(network_class, dense):
    y = np.tanh(dense[:, :2] + 0.1)
    for options in (
        {"loss": squares},
        {"input_noise": 0.1},
        {"layers": [7, fastbp.Dense(5, dropout=0.3), 2]},
    ):
        found = []
        for X in (dense, sp.csr_array(dense), sp.csc_matrix(dense)):
            net = network_class(**{"layers": [7, 5, 2], "seed": 0} | options)
            found.append(comparable([fitted(net, X, y, validation_data=(X, y)), net.evaluate(X, y)]))
        assert found[0] == found[1] == found[2]


def test_classes(network_class, dense):
    X = sp.csr_array(dense)
    net = network_class([7, 3], loss="cross_entropy", seed=0)
    net.fit(X, np.arange(50) % 3, epochs=2, validation_split=fastbp.StratifiedSplit(0.3))
    other = network_class([7, 3], loss="cross_entropy", seed=0)
    other.fit(dense, np.arange(50) % 3, epochs=2, validation_split=fastbp.StratifiedSplit(0.3))
    np.testing.assert_array_equal(net.predict_classes(X), other.predict_classes(dense))


def test_one_row_no_rows_and_no_entries(network_class, dense):
    net = network_class([7, 2], seed=0)
    assert net.predict(sp.csr_array(dense[:1])).shape == (1, 2)
    for kind in FORMATS:
        assert net.predict(kind((0, 7))).shape == (0, 2)
        np.testing.assert_array_equal(net.predict(kind((3, 7))), net.predict(np.zeros((3, 7))))
        found = [
            fitted(network_class([7, 2], seed=0), X, np.ones((3, 2)))
            for X in (kind((3, 7)), np.zeros((3, 7)))
        ]
        assert comparable(found[0]) == comparable(found[1])
        with pytest.raises(ShapeError, match=r"^X has no rows"):
            net.fit(kind((0, 7)), np.ones((0, 2)))
        with pytest.raises(ShapeError, match=r"^X has no rows"):
            net.forward(kind((0, 7)))


def test_nan_is_a_number_of_a_query(network_class, dense):
    X = sp.csr_array(dense)
    X.data[3] = np.nan
    net = network_class([7, 2], seed=0)
    np.testing.assert_array_equal(net.predict(X), net.predict(X.toarray()))


def test_unsorted_rows_train_like_sorted_ones(network_class, dense):
    """Nor is the flag of the matrix believed."""
    sorted_rows = sp.csr_array(dense)
    backwards = sorted_rows.copy()
    for i in range(50):
        row = slice(backwards.indptr[i], backwards.indptr[i + 1])
        backwards.indices[row], backwards.data[row] = backwards.indices[row][::-1], backwards.data[row][::-1]
    backwards.has_sorted_indices = backwards.has_canonical_format = True
    found = [
        fitted(network_class([7, 2], seed=0), X, dense[:, :2], validation_split=0.5)
        for X in (sorted_rows, backwards)
    ]
    assert comparable(found[0]) == comparable(found[1])


def test_sparse_batches_of_an_iterable(network_class, dense):
    y = dense[:, :2]
    parts = [slice(0, 20), slice(20, 23), slice(23, 50)]
    found = []
    for kind in (np.array, sp.csr_array, sp.csc_matrix):
        net = network_class([7, 5, 2], seed=0)
        batches = [(kind(dense[part]), y[part], np.arange(50.0)[part] + 1) for part in parts]
        history = net.fit(iter(batches * 2), epochs=2, steps_per_epoch=3, prefetch=1)
        outputs = list(net.predict(iter([kind(dense[part]) for part in parts])))
        found.append(comparable([history.loss, outputs, net.evaluate(iter(batches)), net.parameters]))
    assert found[0] == found[1] == found[2]
    with pytest.raises(fastbp.Error, match=r"batch 1 of X: X is a coo_array, expected CSR or CSC"):
        net.evaluate(iter([(sp.coo_array(dense), y)]))


# ---- adapt -------------------------------------------------------------------------------------------------


def test_adapt_measures_with_the_zeros(network_class, dense):
    net, other = network_class([7, 2], seed=0), network_class([7, 2], seed=0)
    other.adapt(dense)
    for kind in FORMATS:
        net.adapt(kind(dense))
        np.testing.assert_allclose(net.input_mean, other.input_mean, rtol=0, atol=1e-15)  # of numbers near 1
        np.testing.assert_allclose(net.input_scale, other.input_scale, rtol=1e-15)
    net, other = network_class([7, 2], seed=0), network_class([7, 2], seed=0)
    net.adapt(dense)
    other.adapt(dense)
    found = [fitted(net, sp.csc_array(dense), dense[:, :2]), fitted(other, dense, dense[:, :2])]
    assert comparable(found[0]) == comparable(found[1])


def test_adapt_may_only_scale(network_class, dense):
    """Zeros stay zeros, and the bits are those of the array with the same scaling."""
    net = network_class([7, 2], seed=0)
    net.adapt(sp.csc_array(dense), center=False)
    assert not net.input_mean.any()
    np.testing.assert_allclose(net.input_scale[[0, 1, 3]], dense[:, [0, 1, 3]].std(axis=0), rtol=1e-15)
    nets = net, net.clone()
    found = [fitted(net, X, dense[:, :2]) for net, X in zip(nets, (sp.csr_array(dense), dense), strict=True)]
    assert comparable(found[0]) == comparable(found[1])


def test_squares_that_overflow_are_named(network_class):
    X = sp.csr_array(np.array([[1.0, 1e300], [0, 0]]))
    with pytest.raises(DataError, match=r"^X\[:, 1\] spreads too far, from 0 to 1e\+300"):
        network_class([2, 1], dtype="float64").adapt(X)


# ---- digests and checkpoints -------------------------------------------------------------------------------


def test_digests(dense):
    """The same for one matrix in any format; all else counts."""
    of = lambda matrix: digest(sparse_rows("X", matrix, matrix.shape[1]))  # noqa: E731
    matrix = sp.csr_array(dense)
    assert len({of(kind(dense)) for kind in FORMATS}) == 1
    assert digest(sparse_rows("X", matrix, 7)[5:20]) == of(sp.csr_array(dense[5:20]))
    others = [dense * 2, dense[::-1], dense[:, ::-1], dense[:-1], dense.astype("f4"), np.zeros((50, 7))]
    wider = sp.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(50, 8))
    assert len({of(matrix), digest(dense), of(wider), *(of(sp.csr_array(other)) for other in others)}) == 9


def test_a_fit_continues_on_the_same_rows(network_class, dense, tmp_path):
    path = tmp_path / "fit.safetensors"
    y = dense[:, :2]

    def fit(X, epochs):
        net = network_class([7, 2], seed=0)
        net.fit(X, y, epochs=epochs, callbacks=fastbp.callbacks.Checkpoint(path), resume=path)
        return net.parameters.tobytes()

    fit(sp.csr_array(dense), 2)
    continued = fit(sp.csc_matrix(dense), 4)
    path.unlink()
    assert continued == fit(sp.csr_array(dense), 4)
    with pytest.raises(fastbp.Error, match="X"):
        fit(sp.csr_array(2 * dense), 6)


# ---- refusals ----------------------------------------------------------------------------------------------


def test_other_formats_are_refused_with_advice(network_class, dense):
    net = network_class([7, 2], seed=0)
    for kind in (sp.coo_array, sp.coo_matrix, sp.lil_array, sp.dok_array, sp.dia_array, sp.bsr_matrix):
        for call in (net.predict, net.adapt, net.forward, lambda X: net.fit(X, dense[:, :2])):
            with pytest.raises(
                DTypeError, match=rf"^X is a {kind.__name__}, expected CSR or CSC: use its tocsr"
            ):
                call(kind(dense))


def test_sparse_is_only_for_inputs(network_class, dense):
    net = network_class([7, 2], seed=0)
    y = sp.csr_array(dense[:, :2])
    for call in (
        lambda: net.fit(dense, y),
        lambda: net.evaluate(sp.csr_array(dense), y),
        lambda: net.fit(dense, dense[:, :2], sample_weight=sp.csr_array(dense[:, :1])),
        lambda: net.predict(sp.csr_array(dense), out=y),
        lambda: (net.forward(dense), net.backward(y)),
    ):
        with pytest.raises(
            DTypeError, match=r"sparse csr_array, expected a dense array: use its toarray|out is a"
        ):
            call()


def test_shapes_and_values_are_named(network_class, dense):
    net = network_class([7, 2], seed=0)
    X = sp.csr_array(dense)
    for kind in (sp.csr_array, sp.csc_matrix):
        with pytest.raises(ShapeError, match=r"^X has 6 columns, expected 7 \(the network's inputs\)"):
            net.predict(kind(dense[:, :6]))
        with pytest.raises(ShapeError, match=r"^validation_data\[0\] has 8 columns"):
            net.fit(X, dense[:, :2], validation_data=(kind((50, 8)), dense[:, :2]))
        for value, name in ((np.nan, "nan"), (-np.inf, "-inf"), (1e39, r"1e\+39")):
            bad = dense.copy()
            bad[13, 4] = value
            with pytest.raises(DataError, match=rf"^X\[13, 4\] is {name}, expected a finite number"):
                net.fit(kind(bad), dense[:, :2])
    with pytest.raises(ShapeError, match=r"^X has shape \(7,\), expected \(rows, 7\)"):
        net.predict(sp.csr_array(dense[0]))
    with pytest.raises(DTypeError, match=r"^X.data has dtype complex128, expected real numbers"):
        net.predict(X.astype(complex))
    with pytest.raises(ShapeError, match=r"^y has shape \(49, 2\)"):
        net.fit(X, dense[:49, :2])
    X = sp.csr_array((np.array([3e38, 3e38], "f4"), [0, 0], [0, 2]), shape=(1, 7))
    with pytest.raises(DataError, match=r"^X\[0, 0\] is inf"):
        net.fit(X, [[0.0, 0.0]])


def test_out_must_not_be_memory_of_the_entries(network_class):
    X = sp.csr_array((np.ones(100, "f4"), np.tile([0, 1], 50), np.arange(0, 101, 2)), shape=(50, 7))
    with pytest.raises(fastbp.ParameterError, match=r"out .* shares memory with X"):
        network_class([7, 2], seed=0).predict(X, out=X.data.reshape(50, 2))


def test_nothing_is_made_dense_at_the_entry(rng):
    """The checks take the memory of the indices, and a fit that of its batches."""
    X = sp.random(2000, 5000, 0.001, format="csr", dtype=np.float32, random_state=0)
    net = fastbp.Network([5000, 1], seed=0)
    net.fit(X[:10], np.zeros((10, 1)), epochs=1)
    tracemalloc.start()
    try:
        net.fit(X, np.zeros((2000, 1)), epochs=1, validation_split=0.5)
        net.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2000 * 5000 * 4 / 20
