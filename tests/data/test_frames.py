"""Frames by name: a network reads the columns of a frame in the order of its first fit or adapt."""

import copy
import pickle
from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DTypeError, ShapeError
from fastbp._base.arrays import as_array

NAMES = ("age", "member", "n")
COLUMNS = {"age": [30.0, 40.5, 50.0], "member": [True, False, True], "n": [1, 2, 3]}
X = np.array([*COLUMNS.values()], float).T  # (3, 3), as a network reads the frame
Y = [1.0, 2.0, 3.0]
LIBRARIES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "table"}


@pytest.fixture(params=LIBRARIES)
def table(request):
    """Make a frame of each library from a dict of columns."""
    library = pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return getattr(library, LIBRARIES[request.param])


def part(*names):
    return {name: COLUMNS[name] for name in names}


def named(network_class=fastbp.Network, **options):
    net = network_class([3, 4, 1], seed=0, dtype="float64", **options)
    net.feature_names = NAMES
    return net


# ---- which calls set the names -----------------------------------------------------------------------------


def test_fit_adapt_and_minimize_set_the_names(table, network_class):
    pytest.importorskip("scipy")
    frame = table(COLUMNS)
    for call in (
        lambda net: net.fit(frame, Y),
        lambda net: net.adapt(frame),
        lambda net: fastbp.minimize(net, frame, Y, max_iterations=1),
    ):
        net = network_class([3, 1], dtype="float64")
        call(net)
        assert net.feature_names == NAMES
        assert {type(name) for name in net.feature_names} == {str}


def test_other_calls_and_later_frames_set_none(table):
    net = fastbp.Network([3, 1])
    frame = table(COLUMNS)
    net.predict(frame)
    net.evaluate(frame, Y)
    net.train_on_batch(frame, Y)
    net.loss_and_gradients(frame, Y)
    net.adapt(y=Y)
    net.adapt(None)
    net.fit(X, Y)
    assert net.feature_names is None
    net.feature_names = NAMES[::-1]
    net.fit(frame, Y)
    net.adapt(frame)
    assert net.feature_names == NAMES[::-1]
    net.feature_names = None
    net.fit(table(part("n", "age", "member")), Y)
    assert net.feature_names == ("n", "age", "member")


def test_a_call_that_fails_in_its_checks_sets_none(table):
    frame, net = table(COLUMNS), fastbp.Network([3, 1])
    far = table(COLUMNS | {"n": [1e200, -1e200, 0]})
    for call in (
        lambda: net.fit(frame, Y[:2]),
        lambda: net.fit(frame, Y, epochs=0),
        lambda: net.fit(frame, Y, validation_data=(table(part("age", "n")), Y)),
        lambda: net.fit(table(part("age", "n")), Y),
        lambda: net.fit(far, Y),
        lambda: net.adapt(far),
        lambda: net.adapt(frame, Y[:2]),
    ):
        with pytest.raises(fastbp.Error):
            call()
        assert net.feature_names is None
    net.parameters[0] = np.nan
    with pytest.raises(DataError, match="parameters or optimizer state"):
        net.fit(frame, Y)
    assert net.feature_names is None


def test_callbacks_see_the_names_and_a_fit_that_diverges_keeps_them(table):
    net, seen = fastbp.Network([3, 1]), []
    frame, other = table(COLUMNS), table(part("n", "member", "age"))

    class Look:
        def on_fit_begin(self, state):
            seen.append(net.feature_names)
            assert net.predict(other).tobytes() == net.predict(X.astype(np.float32)).tobytes()

        def on_epoch_end(self, state):
            net.parameters[0] = np.nan

    with pytest.raises(fastbp.DivergenceError):
        net.fit(frame, Y, epochs=3, callbacks=Look())
    assert seen == [NAMES]
    assert net.feature_names == NAMES


# ---- order -------------------------------------------------------------------------------------------------


def results(net, frame, adapted):
    """Return what every call makes of a frame, as bytes."""
    weights = [1.0, 2.0, 0.5]
    if adapted:
        net.adapt(frame)
    history = net.fit(frame, Y, epochs=2, validation_data=(frame, Y, weights), sample_weight=weights)
    loss, gradients = net.loss_and_gradients(frame, Y)
    found = [*history["loss"], *history["validation_loss"], loss, net.train_on_batch(frame, Y)]
    found += [*net.evaluate(frame, Y).values(), gradients, net.predict(frame), net.forward(frame)]
    return [np.asarray(value).tobytes() for value in (*found, net.parameters)]


@pytest.mark.parametrize("adapted", [False, True])
def test_columns_in_another_order_have_the_bits_of_the_array(table, network_class, adapted):
    for names in (NAMES, ("n", "age", "member"), ("member", "n", "age")):
        assert results(named(network_class), table(part(*names)), adapted) == results(
            named(network_class), X, adapted
        )


def test_classes_and_minimize_read_by_name(table):
    pytest.importorskip("scipy")
    other = table(part("n", "age", "member"))
    net = fastbp.Network([3, 4, 2], loss="cross_entropy", seed=2)
    net.fit(table(COLUMNS), [0, 1, 0], epochs=20)
    np.testing.assert_array_equal(net.predict_classes(other), net.predict_classes(X))
    nets = named(), named()
    for net, given in zip(nets, (other, X), strict=True):
        fastbp.minimize(net, given, Y, max_iterations=3)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_validation_data_of_the_first_fit_are_read_by_the_names_of_x(table):
    other = table(part("n", "age", "member"))
    nets = [fastbp.Network([3, 1], seed=0) for _ in range(2)]
    histories = [
        nets[0].fit(table(COLUMNS), Y, validation_data=(other, Y)),
        nets[1].fit(X, Y, validation_data=(X, Y)),
    ]
    assert histories[0]["validation_loss"] == histories[1]["validation_loss"]
    with pytest.raises(ShapeError, match=r"^validation_data\[0\] lacks the column 'age'"):
        fastbp.Network([3, 1]).fit(table(COLUMNS), Y, validation_data=(table(part("n", "member")), Y))


def test_batches_are_read_by_the_names_of_the_first_one(table):
    frames = [table(part(*names)) for names in (NAMES, ("n", "age", "member"), NAMES[::-1])]
    nets = [fastbp.Network([3, 1], seed=0) for _ in range(2)]
    nets[0].fit([(frame, Y) for frame in frames], epochs=2)
    nets[1].fit([(X, Y)] * 3, epochs=2)
    assert nets[0].feature_names == NAMES
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert nets[0].evaluate([(frame, Y) for frame in frames]) == nets[1].evaluate([(X, Y)] * 3)
    before = nets[0].parameters.copy()
    with pytest.raises(ShapeError, match=r"^epoch 1 of this fit, step 2: X lacks the column 'age'"):
        nets[0].fit([(X, Y), (table(part("n", "member")), Y)])
    assert nets[0].parameters.tobytes() != before.tobytes()
    net = fastbp.Network([3, 1])
    with pytest.raises(ShapeError, match="y has shape"):
        net.fit([(frames[0], Y[:2])])
    assert net.feature_names is None


def test_copies_pickles_files_and_new_outputs_read_by_name(table, tmp_path):
    net = fastbp.Network([3, 4, 1], seed=0)
    net.fit(table(COLUMNS), Y)
    net.save(tmp_path / "net.safetensors")
    other = table(part("n", "age", "member"))
    expected = net.predict(X)
    loaded = fastbp.load(tmp_path / "net.safetensors")
    for twin in (net.clone(), copy.copy(net), pickle.loads(pickle.dumps(net)), loaded):
        assert twin.predict(other).tobytes() == expected.tobytes()
        with pytest.raises(ShapeError, match="lacks the column 'age'"):
            twin.predict(table(part("n", "member")))
    successor = net.replace_output(2)
    assert successor.predict(other).tobytes() == successor.predict(X).tobytes()


def test_without_names_and_without_strings_all_goes_by_position():
    pandas = pytest.importorskip("pandas")
    other = pandas.DataFrame(part("n", "age", "member"))
    expected = named().predict(other.to_numpy(dtype=float))
    net = named()
    net.feature_names = None
    assert net.predict(other).tobytes() == expected.tobytes()
    net = named()
    assert net.predict(other.to_numpy(dtype=float)).tobytes() == expected.tobytes()
    for columns in ([0, 1, 2], [("a", 1), ("b", 1), ("c", 2)]):
        assert net.predict(other.set_axis(columns, axis=1)).tobytes() == expected.tobytes()
    for columns in (["a", "b", "a"], ["a", "b", 1], [0, 1, 2]):  # no names to remember
        net = fastbp.Network([3, 1])
        net.fit(other.set_axis(columns, axis=1), Y)
        assert net.feature_names is None


def test_a_series_is_one_row_by_name():
    pandas = pytest.importorskip("pandas")
    row = pandas.Series({"n": 1.0, "age": 30.0, "member": 1.0})
    net = named()
    assert net.predict(row).tobytes() == net.predict(X[0]).tobytes()
    assert net.predict(row.set_axis([0, 1, 2])).tobytes() == net.predict(row.to_numpy()).tobytes()
    with pytest.raises(ShapeError, match=r"^X lacks the column 'age', .*; it has column 'old'"):
        net.predict(row.rename({"age": "old"}))
    with pytest.raises(ShapeError, match=r"^X has shape \(2,\)"):
        net.predict(row[:2])


# ---- errors ------------------------------------------------------------------------------------------------


def test_columns_that_do_not_fit_are_refused_by_name(table):
    extra = {"town": [1, 2, 3], "label": [1, 2, 3]}
    cases = {
        r"^X lacks the column 'age', expected the names in net\.feature_names$": part("n", "member"),
        r"^X lacks the columns 'age', 'n', .*; it has column 'town', which": part("member") | {"town": Y},
        r"^X has the columns 'town', 'label', .*select .*X\[list\(net\.feature_names\)\]": COLUMNS | extra,
    }
    net = named()
    before = net.parameters.copy()
    for message, columns in cases.items():
        frame = table(columns)
        for call in (
            net.predict,
            net.forward,
            net.adapt,
            net.predict_classes,
            lambda X: net.fit(X, Y),
            lambda X: net.evaluate(X, Y),
            lambda X: net.train_on_batch(X, Y),
            lambda X: net.loss_and_gradients(X, Y),
        ):
            with pytest.raises(ShapeError, match=message):
                call(frame)
    assert net.parameters.tobytes() == before.tobytes()
    assert net.input_mean is None
    many = {f"f{i}": Y for i in range(20)}
    with pytest.raises(ShapeError, match=r"it has columns 'f0', .*'f4' and 15 more, which"):
        net.predict(table(many))


def test_names_that_are_no_order_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    for columns, message in (
        (["age", "n", "age"], r"^X has more than one column 'age', expected .*each once"),
        (["age", "n", 3], r"^X has the column 3 beside columns named by strings"),
    ):
        with pytest.raises(ShapeError, match=message):
            named().predict(frame.set_axis(columns, axis=1))
    pyarrow = pytest.importorskip("pyarrow")
    twice = pyarrow.table([Y, Y, Y], names=["age", "n", "age"])
    with pytest.raises(ShapeError, match="more than one column 'age'"):
        named().predict(twice)
    net = fastbp.Network([3, 1])
    net.fit(twice, Y)
    assert net.feature_names is None


def test_missing_values_are_named(table):
    frame = table(COLUMNS | {"n": [1, None, 3]})
    if hasattr(frame, "convert_dtypes"):
        frame = frame.convert_dtypes()
    for call in (fastbp.Network([3, 1]).predict, lambda X: named().fit(X, Y)):
        with pytest.raises(
            DataError, match=r"^column 'n' of X has no value in row 1, .*fill(na|_null)\(\.\.\.\)"
        ):
            call(frame)
    with pytest.raises(DataError, match=r"^X\[1, 2\] \(feature 'n'\) is nan, expected a finite number"):
        named().fit(table({"n": [1.0, np.nan, 3.0]} | part("member", "age")), Y)


def test_columns_without_numbers_are_refused_with_advice():
    """The advice is each library's own; a column of numbers that has no dtype in NumPy is refused, too."""
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    text = ["a", "b", "a"]
    for series in (
        polars.Series(text),
        polars.Series(text, dtype=polars.Categorical),
        polars.Series(text, dtype=polars.Enum(["a", "b"])),
        polars.Series([1, 2, 3]).cast(polars.Date),
        polars.Series(["1", "2", "3"]).cast(polars.Decimal(5, 1)),
        polars.Series([1, 2, 3]).cast(polars.Int128),
        polars.Series([[1], [2], [3]]),
        polars.Series([None] * 3),
        polars.Series([object()] * 3),
    ):
        frame = polars.DataFrame(COLUMNS).with_columns(series.alias("town"))
        with pytest.raises(
            DTypeError,
            match=r"^column 'town' of X has dtype .*inputs .* to_dummies and labels .* to_physical",
        ):
            fastbp.Network([4, 1]).fit(frame, Y)
    for column in (
        pyarrow.array(text),
        pyarrow.array(text).dictionary_encode(),
        pyarrow.array([1, 2, 3], pyarrow.date32()),
        pyarrow.array([[1], [2], [3]]),
    ):
        frame = pyarrow.table({**COLUMNS, "town": column})
        with pytest.raises(DTypeError, match=r"^column 'town' of X has dtype .*indices of dictionary_encode"):
            fastbp.Network([4, 1]).fit(frame, Y)


# ---- numbers -----------------------------------------------------------------------------------------------


def test_every_type_of_number_is_read_in_the_common_dtype(table):
    """In the order of the frame, and in another."""
    for dtypes in (
        ("int8", "uint8", "bool"),
        ("float32", "int16", "bool"),
        ("float16", "float32", "uint64"),
        ("bool", "bool", "bool"),
        ("int64", "int32", "uint64"),
        ("float64", "float64", "float64"),
    ):
        columns = {name: np.array([0, 1, 1], dtype) for name, dtype in zip(NAMES, dtypes, strict=True)}
        expected = np.stack([*columns.values()], axis=1)
        backwards = dict(reversed(columns.items()))
        for given in (columns, backwards):
            found = as_array("X", table(given), NAMES)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_nullable_columns_are_numbers_in_any_order():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(part("n", "age", "member"))
    dtypes = {"age": "Float64", "member": "boolean", "n": "Int64"}
    given = [frame.astype(dtypes)]
    with suppress(ImportError):  # of pyarrow
        given.append(
            frame.astype({"age": "double[pyarrow]", "member": "bool[pyarrow]", "n": "int8[pyarrow]"})
        )
    for nullable in given:
        assert named().predict(nullable).tobytes() == named().predict(X).tobytes()


def test_record_batches_and_chunks():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(part("n", "age", "member"))
    chunks = pyarrow.concat_tables([table, table])
    np.testing.assert_array_equal(named().predict(chunks), named().predict(np.vstack([X, X])))
    (batch,) = table.to_batches()
    assert named().predict(batch).tobytes() == named().predict(X).tobytes()


def test_no_columns_and_no_rows(table):
    for columns, message in (({}, "X has 0 columns"), ({name: [] for name in NAMES}, "X has no rows")):
        frame = table({name: np.array(column, float) for name, column in columns.items()})
        with pytest.raises(ShapeError, match=message):
            fastbp.Network([3, 1]).fit(frame, [])


# ---- code of the user --------------------------------------------------------------------------------------


def test_names_that_the_user_sets_during_the_checks_stay(table):
    net = fastbp.Network([3, 1])

    class Targets:
        def __array__(self, dtype=None, copy=None):
            net.feature_names = NAMES[::-1]
            return np.array(Y)

    net.fit(table(COLUMNS), Targets())
    assert net.feature_names == NAMES[::-1]


def test_a_frame_of_two_minds_names_nothing():
    """Its array has more columns than it has names."""
    pandas = pytest.importorskip("pandas")

    class Odd(pandas.DataFrame):
        def to_numpy(self, *args, **options):
            return X

    net = fastbp.Network([3, 1])
    net.fit(Odd(part("age", "n")), Y)
    assert net.feature_names is None
