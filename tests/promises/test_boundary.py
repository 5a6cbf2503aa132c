"""The boundary of the native engine: calls that no public call makes, and memory that is freed under it.

Every probe runs in its own process, because the wrong outcome is a crash.
"""

import gc

import numpy as np
import pytest

import fastbp
from fastbp import _core
from fastbp._base.sparse import SparseRows
from fastbp._core.tapes import Tape
from fastbp._data.mapped import DeferredChecks
from fastbp._data.sample_weights import Weights
from fastbp._training.snapshot import Snapshot
from helpers.inside import engine_of, prepared, set_optimizer
from helpers.odd_arrays import shrink, table

X, Y = np.ones((20, 3), "f4"), np.ones((20, 1), "f4")
ROWS, COLUMNS = 20_000, 32
RUN = {"shuffle": True, "seed": 0, "first_epoch": 0, "epochs": 3, "stored": False}


def engine(width=4, **options):
    return engine_of(fastbp.Network([3, width, 1], seed=0, **options))


def advance_with(other):
    """Continue a run whose optimizer is no longer that of the engine: its state may be gone."""
    own = engine(4000)
    run = own.begin(X, Y, batch_size=5, **RUN)
    set_optimizer(own, other)
    run.advance(3, 1.0)


def train_on(rows):
    engine().train_on_batch(X, Y, Weights(np.ones(20), rows))


def wide():
    return engine_of(fastbp.Network([3, 2], seed=0))


def take_columns():
    indices = np.zeros(50_000, "i4")
    held, starts = _core.hold(indices), np.array([0, len(indices)])
    shrink(indices)
    _core.take_columns(held, starts, np.empty(50_000, "i4"), 0, 3)


def entries(n, *counts):
    """Return n rows of ones with so many entries in the first ones."""
    starts = np.cumsum([0, *counts, *[0] * (n - len(counts))])
    columns = np.arange(starts[-1], dtype="i4") % COLUMNS
    return SparseRows(np.ones(starts[-1], "f4"), columns, starts, (n, COLUMNS))


def backward_after_refusal():
    """Leave starts of entries that do not ascend: of a shorter batch, and then of one before that."""
    e, wrong = engine_of(fastbp.Network([COLUMNS, 20, 1], seed=0)), entries(20, 1)
    e.forward(entries(20, 1))
    e.forward(entries(10, *[3] * 10))
    wrong.columns[0] = COLUMNS
    with pytest.raises(fastbp.ShapeError):
        e.forward(wrong)
    e.backward(np.ones((20, 1), "f4"))


def checks_of_sparse_rows():
    checks = DeferredChecks(True, False, np.dtype("f4"))
    e = engine_of(fastbp.Network([COLUMNS, 20, 1], seed=0))
    e.begin(entries(20, 1), Y, batch_size=5, checks=checks, **RUN)


def plane(rows=X, origin=None, directions=None, workers=2, weights=None, **options):
    e = engine(**options)
    n = e.parameters.size
    origin = np.zeros(n) if origin is None else origin
    directions = np.ones((2, n)) if directions is None else directions
    return _core.load("plane").Plane(e, rows, Y, weights, origin, directions, workers)


def plane_over_a_resized_array():
    rows = np.ones((50_000, 3), "f4")
    held, y, e = _core.hold(rows), np.ones((50_000, 1), "f4"), engine()
    surface = _core.load("plane").Plane(e, held, y, None, np.zeros(21), np.ones((2, 21)), 1)
    shrink(rows)
    surface.evaluate(np.zeros((1, 2)), np.empty(1))


def passes():
    layers = fastbp.Network([3, 4, 1], seed=0).layers
    return _core.load("passes").Passes(layers, np.ones(21, "f4"))


def product(a=X, b=None, out=None, **options):
    passes().product(a, np.ones((3, 2), "f4") if b is None else b, out, **options)


def write_gradients(deltas):
    own = passes()
    own.write_gradients(own.forward(X), deltas, np.empty((20, 21), "f4"))


class Wide:
    """A layer whose number of parameters is not that of its weights."""

    n_in, n_out, n_parameters, bias = 200, 200, 1, False


class Last(Wide):
    n_parameters = 40_000


def gradients_of_layers_that_overlap():
    layers = [Wide] * 40 + [Last]
    own, rows = _core.load("passes").Passes(layers, np.ones(40_040, "f4")), np.ones((3, 200), "f4")
    own.write_gradients(Tape([rows] * 42, [], []), [rows] * 41, np.empty((3, 40_040), "f4"))


def gradients_into_a_resized_array():
    out = np.empty((20, 4), "f4")

    def loss(output, target):
        shrink(out)
        return 0.0, np.zeros_like(output)

    fastbp.inspect.per_sample_gradients(fastbp.Network([3, 1], loss=loss, seed=0), X, Y, out=out)


REFUSED = {
    "watch numbers of others": lambda: _core.watch(np.zeros(3)),
    "compare numbers of others": lambda: _core.is_untouched(np.zeros(3)),
    "hand out numbers of others": lambda: _core.handed_out(np.zeros(3)),
    "put back what was never taken": lambda: Snapshot(engine()).restore(),
    "set up an engine again": lambda: (e := engine()).__init__([], None, e.parameters),
    "an optimizer for another engine": lambda: engine(999).install_optimizer(
        prepared(engine(), fastbp.Adam())
    ),
    "advance with more state": lambda: advance_with(fastbp.Adam(amsgrad=True)),
    "advance with less state": lambda: advance_with(fastbp.SGD()),
    "batches of 0 rows": lambda: engine().begin(X, Y, batch_size=0, **RUN),
    "weights of rows that are not there": lambda: train_on(np.array([1, 20])),
    "weights of rows before the first": lambda: train_on(np.array([-1, 3])),
    "weights of rows as bytes": lambda: train_on(np.arange(3, dtype="i1")),
    "weights of every other row": lambda: train_on(np.arange(20)[::2]),
    "weights of targets that are not there": lambda: engine().train_on_batch(
        X, Y, Weights(np.ones((20, 2)), None)
    ),
    "weights of targets in columns": lambda: wide().train_on_batch(
        X, np.ones((20, 2)), Weights(np.asfortranarray(np.ones((20, 2))), None)
    ),
    "take columns of a resized array": take_columns,
    "backward after a forward that was refused": backward_after_refusal,
    "checks of sparse rows in a run": checks_of_sparse_rows,
    "a plane of no engine": lambda: _core.load("plane").Plane(None, X, Y, None, X, X, 1),
    "a plane of nothing": lambda: _core.load("plane").Plane.__new__(_core.load("plane").Plane),
    "a plane with Python functions": lambda: plane(activation=fastbp.CustomActivation(np.tanh, np.cosh)),
    "a plane with a short origin": lambda: plane(origin=np.zeros(3)),
    "a plane with an origin of floats": lambda: plane(origin=np.zeros(21, "f4")),
    "a plane with one direction": lambda: plane(directions=np.ones((1, 21))),
    "a plane with directions in columns": lambda: plane(directions=np.ones((21, 2)).T),
    "a plane without workers": lambda: plane(workers=0),
    "a plane with too many workers": lambda: plane(workers=1025),
    "a plane over other rows": lambda: plane(rows=X[:, :2]),
    "a plane over fewer rows": lambda: plane(rows=X[:2]),
    "a plane with weights of rows that are not there": lambda: plane(weights=Weights(None, np.array([20]))),
    "a plane with a resized array": plane_over_a_resized_array,
    "points of three numbers": lambda: plane().evaluate(np.zeros((1, 3)), np.empty(1)),
    "points as float32": lambda: plane().evaluate(np.zeros((1, 2), "f4"), np.empty(1)),
    "points in every other row": lambda: plane().evaluate(np.zeros((4, 2))[::2], np.empty(2)),
    "too few losses": lambda: plane().evaluate(np.zeros((3, 2)), np.empty(2)),
    "losses that are read-only": lambda: plane().evaluate(np.zeros((1, 2)), np.broadcast_to(0.0, 1)),
    "a product with a number": lambda: product(np.array(1, "f4")),
    "a product of a row": lambda: product(X[0]),
    "a product over nothing": lambda: product(X[:, :0], np.ones((0, 2), "f4")),
    "a product that starts with too few numbers": lambda: product(start=np.ones(1, "f4")),
    "a product that starts with bytes": lambda: product(start=np.ones(2, "i1")),
    "a product times too few rows": lambda: product(X[:7], factor=np.ones((2, 2), "f4"), repeats=3),
    "a product times rows for none": lambda: product(factor=np.ones((20, 2), "f4"), repeats=0),
    "a product into what is read-only": lambda: product(out=np.frombuffer(bytes(160), "f4").reshape(20, 2)),
    "a product into its own factor": lambda: product(X, np.ones((3, 3), "f4"), X),
    "a forward pass of a number": lambda: passes().forward(np.array(1, "f4")),
    "gradients of fewer layers": lambda: write_gradients(deltas=[Y]),
    "gradients of fewer rows": lambda: write_gradients(deltas=[np.ones((3, 4), "f4"), Y]),
    "gradients of layers that overlap": gradients_of_layers_that_overlap,
    "gradients of rows into a resized array": gradients_into_a_resized_array,
    "solve for a number": lambda: _core.cholesky_solve(np.eye(3), np.float64(3)),
    "solve for a matrix": lambda: _core.cholesky_solve(np.eye(3), np.eye(3)),
    "orthonormal columns of a vector": lambda: _core.orthonormal_columns(np.ones(5)),
}


def refused(name):
    with pytest.raises((fastbp.Error, TypeError, ValueError)):
        REFUSED[name]()


def no_rows():
    """A mean over none."""
    assert np.isnan(engine().loss(X[:0], Y[:0]))
    assert np.isnan(engine().train_on_batch(X[:0], Y[:0]))


# ---- memory that goes away ---------------------------------------------------------------------------------

VIEWS = {
    "view": lambda a: a[::2],
    "view of a view": lambda a: a[1:].view(np.recarray)[:, :2],
    "memoryview": lambda a: np.asarray(memoryview(a)),
    "read-only buffer": lambda a: np.asarray(a.data.toreadonly())[1:],
    "numpy.frombuffer": lambda a: np.frombuffer(a, a.dtype).reshape(a.shape),
    "held array": lambda a: _core.hold(a)[1:],
}


def resized(view):
    """Resize the array that a held one is a view of, whichever way the view was made."""
    array = np.ones((5000, 3), "f4")
    held = _core.hold(VIEWS[view](array))
    _core.check_memory(held)
    shrink(array)
    with pytest.raises(fastbp.DataError, match="resized or reshaped"):
        _core.check_memory(held)


def dense(values):
    return values.reshape(ROWS, -1)


def sparse(values):
    """Return rows with two entries each."""
    starts = np.arange(0, 2 * ROWS + 1, 2)
    return SparseRows(values[: 2 * ROWS], np.tile(np.int32([3, 17]), ROWS), starts, (ROWS, COLUMNS))


def normal_equations(engine, X, y):
    out = np.zeros((engine.parameters.size + 1,) * 2, "f4")
    engine.normal_equations(X, y, out)
    return out


def predicted(engine, X, y):
    out = np.empty_like(y)
    engine.predict(X, out)
    return out


CALLS = {
    "train_on_batch": lambda engine, X, y: engine.train_on_batch(X, y),
    "loss_and_gradients": lambda engine, X, y: engine.loss_and_gradients(X, y),
    "forward": lambda engine, X, y: engine.forward(X),
    "loss": lambda engine, X, y: engine.loss(X, y),
    "predict": predicted,
    "normal_equations": normal_equations,
}
KINDS = {"dense": dense, "sparse": sparse}


def collected(call, kind):
    """Let garbage be collected as soon as the call makes any object, or later, and take its X away then."""
    y = np.ones((ROWS, 1), "f4")
    engines = iter([engine_of(fastbp.Network([COLUMNS, 3, 1], seed=0)) for _ in range(100)])
    expected = CALLS[call](next(engines), KINDS[kind](np.ones(ROWS * COLUMNS, "f4")), y)
    for late, own in enumerate(engines):
        array = np.ones(ROWS * COLUMNS, "f4")
        X, left = KINDS[kind](_core.hold(array)), [None] * late

        def strike(phase, info, array=array, left=left):
            if phase == "stop" and left:
                left.pop()
            elif phase == "stop" and len(array) > 1:
                array[:] = 2  # so that whoever reads the memory afterwards has other results
                shrink(array)

        gc.callbacks.append(strike)
        gc.set_threshold(1)
        try:
            result = CALLS[call](own, X, y)
        except fastbp.DataError:
            continue
        finally:
            gc.set_threshold(0)
            gc.callbacks.clear()
        assert np.array_equal(result, expected), f"collection {late} is not noticed"
        if len(array) > 1:  # no collection came so late
            return
    raise AssertionError("too many collections")


PROBES = (
    table("{0}", refused, REFUSED)
    | {"no rows": no_rows}
    | table("{0} of a resized array", resized, VIEWS)
    | table("garbage in {0}, {1}", collected, CALLS, KINDS)
)


@pytest.mark.parametrize("name", PROBES)
def test_outcome(outcomes, name):
    assert outcomes[name] == ""
