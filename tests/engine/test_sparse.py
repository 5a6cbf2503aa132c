"""Sparse rows of inputs: both engines compute what they compute for the same numbers in an array."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest

import fastbp
from fastbp import Dense, _core, losses
from fastbp._base.sparse import SparseRows
from fastbp._data.sample_weights import Weights
from fastbp.exceptions import DataError, DTypeError, ShapeError
from helpers.engines_agree import assert_all_close
from helpers.inside import engine_of, normal_equations, trainer_of
from helpers.isas import ISAS, using
from helpers.optimizers import OPTIMIZERS, batches
from helpers.problems import fitting, targets
from helpers.regularized import OPTIONS
from helpers.regularized import make as make_regularized
from helpers.tables import DTYPES, ENGINES

ROWS = 37


def sparse(dense, stored=None):
    """Return the rows of an array (n, columns) as sparse ones; entries where `stored`, else where not 0."""
    stored = dense != 0 if stored is None else stored
    starts = np.concatenate([[0], np.cumsum(stored.sum(axis=1))])
    rows, columns = stored.nonzero()
    return SparseRows(dense[rows, columns], columns.astype(np.int32), starts.astype(np.int64), dense.shape)


def draw(rows, columns, share=0.03, dtype=np.float32, seed=0):
    """Return the same rows dense and sparse.

    Columns of low numbers have more entries; some entries are 0; the last columns and some rows are empty.
    """
    rng = np.random.default_rng(seed)
    chances = np.linspace(2 * share, 0, columns) * (rng.random((rows, 1)) < 0.8)
    stored = rng.random((rows, columns)) < chances
    numbers = rng.integers(-3, 4, (rows, columns)) * rng.choice([1, 0.3], (rows, columns))
    if np.dtype(dtype).kind in "ub":
        numbers = abs(numbers)
    dense = np.where(stored, numbers, 0).astype(dtype)
    return dense, sparse(dense, stored)


def same(a, b):
    """Return whether arrays are equal; 0 equals -0."""
    return np.array_equal(a, b, equal_nan=True)


def custom(output, target):
    error = output - target
    return 0.5 * float((error**2).sum()), error


class Case(NamedTuple):
    """A network, as a function of the dtype, with what it trains on and how."""

    make: Callable
    rows: int = ROWS
    batch_size: int | None = 8
    share: float = 0.03
    loss: str = "mse"
    weights: Callable | None = None  # of rows and targets
    average: bool = False
    scaled: bool = False
    stored: bool = False
    threads: tuple = (1,)
    dtypes: tuple = DTYPES
    arguments: Mapping = MappingProxyType({})


def net(*layers, n_in=211, n_out=3, **arguments):
    """Return a function that makes a network of the dtype that it is given."""
    layers = [n_in, *(layers or [19]), *([] if isinstance((layers or [19])[-1], Dense) else [n_out])]
    return lambda dtype: fastbp.Network(layers, **{"activation": "tanh", "seed": 2} | arguments, dtype=dtype)


def row_weights(rng, rows):
    return Weights(rng.random(rows), np.flatnonzero(np.arange(rows) % 5).astype(np.int64))


def target_weights(rng, rows):
    return Weights(rng.random((rows, 3)) * (rng.random((rows, 3)) < 0.7), None)


def optimized(row):
    optimizer = OPTIMIZERS[row]
    return Case(net(17, optimizer=optimizer), batch_size=batches(optimizer, 8))


LARGE = {"rows": 1100, "batch_size": None, "threads": (1, 2, 3)}

CASES = {
    **{
        f"loss {loss}": Case(net(17, n_out=fitting((3,), loss)[0], loss=loss), loss=loss)
        for loss in losses.LOSSES
    },
    **{f"optimizer {row}": optimized(row) for row in OPTIMIZERS},
    **{
        f"option {name}": Case(
            lambda dtype, name=name: make_regularized(
                fastbp.Network, (211, 17, 3), name, optimizer="sgd", dtype=dtype
            )
        )
        for name in OPTIONS
    },
    "penalties and Adam": Case(net(Dense(17, "relu", l1=0.1, l2=0.2), Dense(3), optimizer="adam")),
    "frozen": Case(net(Dense(17, trainable=False), Dense(3), optimizer="sgd")),
    "frozen, stored": Case(net(Dense(17, trainable=False), Dense(3)), stored=True),
    "no bias": Case(net(Dense(17, bias=False), Dense(3), optimizer="sgd")),
    "rate factors": Case(net(Dense(17, learning_rate_factor=3.0), Dense(3), optimizer="sgd")),
    "stored": Case(net(17), stored=True),
    "one layer": Case(net(Dense(3), n_in=211, optimizer="sgd")),
    "average": Case(net(17, optimizer="sgd"), average=True),
    "scaled": Case(net(17, optimizer="sgd"), scaled=True),
    "weights of rows": Case(net(17), weights=row_weights),
    "weights of targets": Case(net(17), weights=target_weights),
    "custom loss": Case(net(17, loss=custom)),
    "custom loss, several blocks": Case(net(17, loss=custom, optimizer="sgd"), **LARGE),
    "single rows": Case(net(17, optimizer="sgd"), batch_size=1),
    "single rows, narrow": Case(net(5, n_in=15, optimizer="sgd"), batch_size=1),
    "narrow": Case(net(5, n_in=15)),
    "dense enough": Case(net(17), share=0.4),
    "no entries": Case(net(17, optimizer="sgd"), share=0.0),
    "several blocks": Case(net(17, optimizer="adam"), **LARGE),
    "several blocks, SGD": Case(net(17, optimizer="sgd"), **LARGE),
    "wide": Case(net(301, n_in=500, optimizer="adam"), rows=40, batch_size=32, threads=(1, 2, 3)),
    "wide, SGD": Case(net(301, n_in=500, optimizer="sgd"), rows=300, batch_size=260, threads=(1, 2, 3)),
    "very wide": Case(net(Dense(4200, "relu"), Dense(3), optimizer="sgd"), rows=9, dtypes=("float32",)),
}


def results(case, X, dtype):
    """Return what an engine computes of rows: a run, and single calls."""
    rng = np.random.default_rng(1)
    net = case.make(dtype)
    y = targets(rng, case.rows, net.layers[-1].n_out, case.loss, np.float32)
    weights = case.weights and case.weights(rng, case.rows)
    engine, trainer = engine_of(net), trainer_of(net)
    if case.average:
        engine.set_average(np.zeros_like(engine.parameters), 0.9)
    if case.scaled:
        n_in = X.shape[1]
        trainer.set_scaling((np.zeros(n_in), rng.uniform(0.5, 2, n_in)), None)
    run = trainer.begin(
        X, y, weights=weights, batch_size=case.batch_size or case.rows, shuffle=True, seed=1, first_epoch=0,
        epochs=2, stored=case.stored,
    )  # fmt: skip
    while run.epoch < 2:
        assert run.advance(2, 0.0)
    output = np.empty((case.rows, net.layers[-1].n_out), dtype)
    engine.predict(X, output)
    found = [run.losses, output, trainer.loss(X, y, weights), trainer.loss_and_gradients(X, y, weights)]
    found += [engine.gradients.copy(), trainer.train_on_batch(X, y, weights), engine.forward(X)]
    found += [engine.backward(found[-1]), engine.backward(found[-1], d_input=False), engine.gradients.copy()]
    found += [engine.parameters.copy(), engine.state.copy()]
    return found + ([engine.average.copy()] if case.average else [])


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_dense_rows(name):
    case = CASES[name]
    n_in = case.make("float32").layers[0].n_in
    X, rows = draw(case.rows, n_in, case.share)
    for isa in ISAS:
        for dtype in case.dtypes:
            with using(isa), fastbp.threads(1):
                expected = results(case, X, dtype)
            for threads in case.threads:
                with using(isa), fastbp.threads(threads):
                    found = results(case, rows, dtype)
                agree = [same(a, b) for a, b in zip(found, expected, strict=True)]
                assert all(agree), (isa, dtype, threads, agree)


def test_zeros_are_skipped():
    """Weights of columns without entries are not even read, unless many elements make rows dense.

    This shows that the tests above test what they are meant to.
    """
    for share, skips in ((0.03, True), (0.4, False)):
        for dtype in DTYPES:
            _, rows = draw(ROWS, 211, share)
            made = net(17)(dtype)
            made.weights[0][-1] = np.inf
            output = np.empty((ROWS, 3), dtype)
            engine_of(made).predict(rows, output)
            y = np.zeros((ROWS, 3))
            loss = trainer_of(made).loss_and_gradients(rows, y)
            for numbers in (
                output,
                engine_of(made).forward(rows),
                loss,
                trainer_of(made).train_on_batch(rows, y),
            ):
                assert np.isfinite(numbers).all() == skips, (share, dtype)


def test_all_types_of_entries_are_read():
    """Of any real dtype and byte order, scaled or not; the bits are those of an array of that dtype."""
    for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"):
        for order in "<>":
            X, rows = draw(ROWS, 211, dtype=np.dtype(order + code))
            for scaled in (False, True):
                case = Case(net(17), scaled=scaled)
                found, expected = (results(case, data, "float32") for data in (rows, X))
                assert all(map(same, found, expected)), (order + code, scaled)


def test_entries_may_have_a_stride():
    X, rows = draw(ROWS, 211)
    apart = SparseRows(np.repeat(rows.values, 3)[::3][::-1][::-1], rows.columns, rows.starts, rows.shape)
    reverse = SparseRows(rows.values[::-1].copy()[::-1], rows.columns, rows.starts, rows.shape)
    for given in (apart, reverse):
        found, expected = (results(Case(net(17)), data, "float32") for data in (given, X))
        assert all(map(same, found, expected))


def test_centered_inputs_are_made_dense():
    X, rows = draw(ROWS, 211)
    for make in (net(17), net(5, n_in=211)):
        for network_class in ENGINES:
            outputs = []
            for data in (X, rows):
                made = make("float32")
                made = network_class([211, 17, 3], seed=2)
                trainer_of(made).set_scaling((np.linspace(-1, 1, 211), np.linspace(0.5, 2, 211)), None)
                outputs.append(engine_of(made).forward(data))
            assert same(*outputs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_engines_agree(dtype):
    for optimizer in ("sgd", "adam", "adagrad"):
        for threads in (1, 2):
            X, rows = draw(1100, 61)
            y = np.random.default_rng(3).integers(0, 4, 1100)
            found = []
            for network_class in ENGINES:
                made = network_class(
                    [61, 23, 4], loss="cross_entropy", optimizer=optimizer, dtype=dtype, seed=1
                )
                trainer, engine = trainer_of(made), engine_of(made)
                with fastbp.threads(threads):
                    loss = [
                        trainer.train_on_batch(rows[first : first + 300], y[first : first + 300])
                        for first in range(0, 1100, 300)
                    ]
                    output = np.empty((1100, 4), dtype)
                    engine.predict(rows, output)
                    found.append(
                        (
                            np.array(loss),
                            engine.parameters,
                            output,
                            np.array(trainer.loss_and_gradients(rows, y)),
                            engine.gradients,
                        )
                    )
            assert_all_close(*found, 1e-12 if dtype == "float64" else 2e-5)
            assert same(X, rows.toarray())


def test_normal_equations():
    X, rows = draw(ROWS, 211)
    y = np.random.default_rng(1).normal(size=(ROWS, 3))
    for network_class in ENGINES:
        made = network_class([211, 3, 3], loss="half_sse", dtype="float64", seed=1)
        assert same(normal_equations(made, rows, y), normal_equations(made, X, y))


def test_a_plan_serves_batches_with_more_entries():
    """Calls with few entries, then many, then few: no later one uses what an earlier one had room for."""
    made = [fastbp.Network([211, 17, 3], optimizer="sgd", seed=1) for _ in range(2)]
    rng = np.random.default_rng(0)
    for seed, (n, share) in enumerate(
        [(3, 0.01), (300, 0.02), (700, 0.06), (30, 0.1), (700, 0.0), (700, 0.2)]
    ):
        X, rows = draw(n, 211, share, seed=seed)
        y = rng.normal(size=(n, 3)).astype(np.float32)
        for call in ("train_on_batch", "loss", "loss_and_gradients"):
            assert same(
                *(getattr(trainer_of(each), call)(x, y) for each, x in zip(made, (X, rows), strict=True))
            )
        assert same(*(engine_of(each).forward(x) for each, x in zip(made, (X, rows), strict=True)))
    assert same(*(engine_of(each).parameters for each in made))


def begun(trainer, rows, y):
    """Return a run of two epochs in batches of 9 rows."""
    return trainer.begin(
        rows, y, weights=None, batch_size=9, shuffle=True, seed=0, first_epoch=0, epochs=2, stored=False
    )


def run(trainer, rows, y):
    assert begun(trainer, rows, y).advance(2, 60.0)


def test_rows_that_share_memory_with_the_network_are_copied():
    _, rows = draw(ROWS, 211)
    y = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    for network_class in ENGINES:
        for train in (run, lambda trainer, *batch: trainer.train_on_batch(*batch)):
            found = []
            for shares in (False, True):
                made = network_class([211, 17, 3], optimizer="sgd", seed=1)
                engine = engine_of(made)
                values = engine.parameters[: len(rows.values)]
                values[:] = rows.values
                given = SparseRows(values if shares else values.copy(), rows.columns, rows.starts, rows.shape)
                assert engine.shares_memory(given) == shares
                assert (engine.apart(given) is given) != shares
                train(trainer_of(made), given, y)
                found.append(engine.parameters.copy())
            assert same(*found)


def damaged(rows):
    """Yield what is wrong, and rows in which it is."""

    def changed(array, at, value):
        array = array.copy()
        array[at] = value
        return array

    values, columns, starts, shape = rows.values, rows.columns, rows.starts, rows.shape
    yield "columns below 0", (values, changed(columns, 3, -1), starts, shape)
    yield "columns too large", (values, changed(columns, -1, shape[1]), starts, shape)
    yield "starts below 0", (values, columns, changed(starts, 0, -1), shape)
    yield "starts descend", (values, columns, changed(starts, 3, starts[-1]), shape)
    yield "starts past the end", (values, columns, changed(starts, -1, len(values) + 1), shape)
    yield "starts of another length", (values, columns, starts[:-1], shape)
    yield "columns of another length", (values, columns[:-1], starts, shape)
    yield "values of another length", (values[:-1], columns, starts, shape)
    yield "columns of int64", (values, columns.astype(np.int64), starts, shape)
    yield "starts of int32", (values, columns, starts.astype(np.int32), shape)
    yield "columns with a stride", (values, np.repeat(columns, 2)[::2], starts, shape)
    yield "columns in the other byte order", (values, columns.astype(">i4"), starts, shape)
    yield "columns in two dimensions", (values, columns[:, None], starts, shape)
    yield "values in two dimensions", (values[:, None], columns, starts, shape)
    yield "complex values", (values.astype(complex), columns, starts, shape)
    yield "other inputs", (values, columns, starts, (shape[0], shape[1] + 1))


def test_damaged_rows_are_refused():
    """Nobody makes them; the native engine refuses them all the same, before it computes."""
    _, rows = draw(ROWS, 211)
    y = np.zeros((ROWS, 3), np.float32)
    for what, parts in damaged(rows):
        made = fastbp.Network([211, 17, 3], optimizer="sgd", seed=1)
        before = made.parameters.copy()
        engine, bad = engine_of(made), SparseRows(*parts)
        output = np.empty((ROWS, 3), np.float32)
        for call in (
            partial(engine.predict, bad, output),
            partial(engine.forward, bad),
            partial(engine.loss, bad, y),
            partial(engine.train_on_batch, bad, y),
            partial(begun, engine, bad, y),
        ):
            with pytest.raises((ShapeError, DTypeError)):
                print(what, call, call())
        assert same(made.parameters, before)


def test_unsorted_and_repeated_columns_do_not_crash():
    """They are refused at the entry, because the results would depend on how they are computed."""
    _, rows = draw(ROWS, 211)
    odd = SparseRows(rows.values, np.zeros_like(rows.columns), rows.starts, rows.shape)
    y = np.zeros((ROWS, 3), np.float32)
    for make in (net(17), net(17, optimizer="sgd"), net(5, n_in=211)):
        assert np.isfinite(engine_of(make("float32")).train_on_batch(odd, y))


def test_memory_that_changes_during_a_run_is_noticed():
    _, rows = draw(ROWS, 211)
    y = np.zeros((ROWS, 3), np.float32)
    for network_class in ENGINES:
        numbers = rows.values.copy()
        held = SparseRows(_core.hold(numbers), rows.columns, rows.starts, rows.shape)
        made = network_class([211, 17, 3], seed=1)
        run = begun(trainer_of(made), held, y)
        run.advance(1, 0.0)
        numbers.resize(numbers.size - 1, refcheck=False)
        with pytest.raises(DataError, match="resized"):
            run.advance(2, 0.0)
