"""What the user brings becomes a plain array: subclasses, tables, sequences and what speaks a protocol."""

import array
import collections
import ctypes
import decimal
import fractions
import re
import sys
import warnings

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DTypeError, ShapeError, losses, metrics
from fastbp._base.arrays import as_array, base_array, read_only
from fastbp.datasets import stratified_split
from helpers.layouts import FLOATS, INTEGERS, LAYOUTS

MASKED = np.ma.masked_array(np.arange(12.0).reshape(4, 3), np.eye(4, 3) > 0)
X = np.arange(12.0).reshape(4, 3) / 12


# ---- the base class ----------------------------------------------------------------------------------------


class Liar(np.ndarray):
    """Says something else about itself than what it is, in every way that a subclass has."""

    shape = property(lambda self: (10**6, 3))
    ndim = property(lambda self: 2)
    dtype = property(lambda self: np.dtype("f8"))
    flags = property(lambda self: None)
    base = property(lambda self: None)
    __class__ = property(lambda self: list)
    __array_interface__ = property(lambda self: 1 / 0)

    def __array__(self, *args, **kwargs):
        return np.zeros((99, 9))

    def __getitem__(self, key):
        return 7

    def __len__(self):
        return 10**6

    def view(self, *args):
        raise AssertionError("view")

    def __array_finalize__(self, source):
        if source is not None and type(source) is Liar:
            raise AssertionError("finalized")


def liar():
    return np.arange(6, dtype=np.float32).reshape(2, 3).view(Liar)


@pytest.mark.parametrize("convert", [as_array, base_array])
def test_a_subclass_is_read_as_what_it_is(convert):
    given = liar()
    found = convert("X", given)
    assert type(found) is np.ndarray
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0, 1, 2], [3, 4, 5]])
    assert np.shares_memory(found, np.ndarray.view(given, np.ndarray))
    assert as_array("X", [given, given]).shape == (2, 2, 3)


def test_a_class_that_only_claims_to_be_one():
    class Claims:
        __class__ = np.ndarray

    class Refuses:
        @property
        def __class__(self):
            raise RuntimeError

    for given in (Claims(), Refuses()):
        with pytest.raises(DTypeError, match=r"^X has dtype object"):
            as_array("X", given)


@pytest.mark.parametrize("convert", [as_array, base_array])
def test_a_view_of_its_own(convert):
    """Neither its shape nor its memory follows what the user does to theirs."""
    given = np.zeros((4, 3))
    found = convert("X", given)
    assert found is not given
    given.shape = (12,)
    assert found.shape == (4, 3)
    given[5] = 1
    assert found[1, 2] == 1
    with pytest.raises(ValueError, match="resize"):
        given.resize(3)


@pytest.mark.parametrize("kind", [*FLOATS, *INTEGERS, "?"])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_read_only(kind, layout):
    """The same memory, which cannot be made writeable again."""
    for shape in ((6, 3), (6,)):
        given = LAYOUTS[layout](np.arange(np.prod(shape)).reshape(shape).astype(kind))
        found = read_only(given)
        assert (found.dtype, found.shape) == (given.dtype, given.shape)
        assert np.shares_memory(found, given)
        np.testing.assert_array_equal(found, given)
        with pytest.raises(ValueError, match="read-only"):
            found[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            found.flags.writeable = True


# ---- what is taken -----------------------------------------------------------------------------------------


class Interface:
    """As much as NumPy needs, and no base class."""

    memory = np.arange(3.0)
    __array_interface__ = memory.__array_interface__


class DLPack:
    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Converts:
    """An object whose conversion does or returns this."""

    def __init__(self, result):
        self.result = result

    def __array__(self, dtype=None, copy=None):
        return self.result()


TAKEN = {
    "list": [0, 1, 2],
    "range": range(3),
    "deque": collections.deque([0, 1, 2]),
    "array.array": array.array("d", [0, 1, 2]),
    "memoryview": memoryview(np.arange(3.0)),
    "bytearray": bytearray([0, 1, 2]),
    "ctypes": (ctypes.c_double * 3)(0, 1, 2),
    "interface": Interface(),
    "DLPack": DLPack(np.arange(3.0)),
    "__array__": Converts(lambda: np.arange(3)),
}


@pytest.mark.parametrize("given", TAKEN.values(), ids=TAKEN)
def test_protocols(given):
    found = as_array("X", given)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, [0, 1, 2])


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_trains_as_an_array(network_class):
    rows = network_class([3, 2], seed=0).fit(np.matrix(X), np.matrix(X[:, :2]), epochs=2).loss
    assert rows == network_class([3, 2], seed=0).fit(X, X[:, :2], epochs=2).loss


# ---- what is refused ---------------------------------------------------------------------------------------


def holding(item):
    """An object array of one array."""
    found = np.empty(1, object)
    found[0] = item
    return found


MASKS = {
    "itself": MASKED,
    "without holes": np.ma.masked_array(X),
    "rows of a list": list(MASKED),
    "rows of a tuple": tuple(MASKED),
    "deeper": [[list(MASKED)]],
    "beside arrays": [X[0], MASKED[1]],
    "a constant": [np.ma.masked, 1.0],
    "numbers of a list": [[np.ma.masked_array(1.0, True), 2.0]],
    "rows of a deque": collections.deque(MASKED),
    "what is converted to": Converts(lambda: MASKED),
    "an object": holding(MASKED),
}


@pytest.mark.parametrize("given", MASKS.values(), ids=MASKS)
def test_masked_arrays_are_refused(given):
    with pytest.raises(DTypeError, match=r"^X .*([Mm]asked)"):
        as_array("X", given)


CALLS = {
    "X": lambda net, m: net.fit(m, X[:, 0]),
    "y": lambda net, m: net.fit(X, m),
    "sample_weight": lambda net, m: net.fit(X, X[:, 0], sample_weight=[r[0] for r in m]),
    "validation_data[0]": lambda net, m: net.fit(X, X[:, 0], validation_data=(m, X[:, 0])),
    "validation_data[1]": lambda net, m: net.fit(X, X[:, 0], validation_data=(X, m)),
    "output": lambda net, m: net.loss(m, X[:, 0]),
    "target": lambda net, m: net.loss(X, m),
}


@pytest.mark.parametrize("argument", CALLS)
def test_masked_rows_in_every_argument(network_class, state_of, argument):
    net = network_class([3, 1], seed=0)
    before = state_of(net)
    with pytest.raises(DTypeError, match=rf"^{re.escape(argument)} holds a masked array"):
        CALLS[argument](net, list(MASKED))
    assert state_of(net) == before


@pytest.mark.parametrize("call", ["predict", "forward", "evaluate", "train_on_batch", "loss_and_gradients"])
def test_masked_rows_in_every_call(network_class, call):
    net = network_class([3, 1], seed=0)
    targets = () if call in ("predict", "forward") else (X[:, 0],)
    with pytest.raises(DTypeError, match=r"^X holds a masked array"):
        getattr(net, call)(list(MASKED), *targets)


@pytest.mark.parametrize(
    "function",
    [
        *(f for loss in losses.LOSSES.values() for f in (loss, loss.gradient)),
        losses.CustomLoss(lambda output, target: (0.0, output)),
        *(metrics.accuracy, metrics.f1, metrics.auc, metrics.TopK(2), metrics.r2, metrics.mae),
    ],
    ids=str,
)
def test_masked_arrays_in_losses_and_metrics(function):
    for masked in (MASKED, list(MASKED)):
        with pytest.raises(DTypeError, match=r"^output .* masked array"):
            function(masked, X)
        with pytest.raises(DTypeError, match=r"^target .* masked array"):
            function(X, masked)


def test_masked_arrays_are_not_split():
    with pytest.raises(DTypeError, match=r"^X holds a masked array"):
        stratified_split(list(MASKED), [0, 0, 1, 1])
    with pytest.raises(DTypeError, match=r"^y is a masked array"):
        stratified_split(X, np.ma.masked_array([0, 0, 1, 1]))


def test_a_list_that_holds_itself_is_refused():
    given = []
    given.append(given)
    with pytest.raises((ShapeError, DTypeError), match=r"^X"):
        as_array("X", given)


def raising(error):
    def result():
        raise error

    return Converts(result)


REFUSED = [
    ((row for row in X), DTypeError, ["X is a generator", "train_on_batch in a loop"]),
    (map(float, [1]), DTypeError, ["X is a generator", "train_on_batch"]),
    ({}, DTypeError, ["X is a dict", "expected an array"]),
    ({1.0}, DTypeError, ["X is a set"]),
    ("abc", DTypeError, ["X has dtype <U3", "no text", "labels", "numpy.unique"]),
    (["cat", "dog"], DTypeError, ["X has dtype <U3", "labels"]),
    ([b"cat"], DTypeError, ["X has dtype |S3", "labels"]),
    (np.array([np.nan, "cat"], object), DTypeError, ["X has dtype object", "labels"]),
    (None, DTypeError, ["X has dtype object (NoneType)"]),
    ([1.0, None], DTypeError, ["X has dtype object (NoneType, float)"]),
    ([fractions.Fraction(1, 3)], DTypeError, ["X has dtype object (Fraction)", "astype(float)"]),
    (np.array([decimal.Decimal(1)]), DTypeError, ["X has dtype object (Decimal)", "astype(float)"]),
    ([10**30], DTypeError, ["X has dtype object (int)", "astype(float)"]),
    (
        np.zeros(2, [(f"column {i}", "f8") for i in range(99)]),
        DTypeError,
        ["X has dtype [('column 0', '<f8')"],
    ),
    ([1j], DTypeError, ["X has dtype complex128", "real numbers (float16"]),
    (np.zeros(2, "M8[s]"), DTypeError, ["X has dtype datetime64[s]"]),
    (sys, DTypeError, ["X has dtype object (module)"]),
    (raising(RuntimeError("on the GPU" + 9999 * ".")), DTypeError, ["X is a Converts", "on the GPU"]),
    (raising(ValueError("not now")), DTypeError, ["X is a Converts", "ValueError: not now"]),
    (Converts(lambda: [1, 2]), DTypeError, ["X is a Converts", "not producing an array"]),
    (DLPack(np.array([None])), DTypeError, ["X is a DLPack", "BufferError"]),
    ([[1.0, 2.0], [3.0]], ShapeError, ["X does not form an array", "rows of one length"]),
    ([[1.0, 2.0]] * 5000 + [[3.0]], ShapeError, ["X does not form an array"]),
]


@pytest.mark.parametrize(("given", "error", "parts"), REFUSED, ids=[parts[0] for _, _, parts in REFUSED])
def test_refused(given, error, parts):
    with pytest.raises(error) as caught:
        as_array("X", given)
    for part in parts:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 400


def test_no_memory_is_no_fault_of_the_value():
    with pytest.raises(MemoryError):
        as_array("X", raising(MemoryError()))


def test_generators_of_rows_and_of_batches(network_class, state_of):
    net = network_class([3, 1], seed=0)
    before = state_of(net)
    for given in (((row for row in X), np.zeros(4)), (((X, np.zeros(4)) for _ in range(3)), None)):
        with pytest.raises(DTypeError, match=r"^X is a generator, .* train_on_batch in a loop"):
            net.fit(*given)
    assert state_of(net) == before


# ---- other libraries ---------------------------------------------------------------------------------------


def test_only_libraries_that_the_user_has_imported_are_asked(python):
    run = python("""
        import sys, numpy, fastbp
        fastbp.Network([1, 1]).fit([[1.0]], [[2.0]])
        print({"numpy.ma", "pandas", "torch", "tqdm"} & set(sys.modules))
    """)
    assert run.stdout == "set()\n", run.stderr


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas", reason="pandas is not installed")


@pytest.fixture
def frame(pandas):
    return pandas.DataFrame({"age": [30.0, 40.0, 50.0], "member": [True, False, True], "n": [1, 2, 3]})


def test_frames_of_numbers_and_bool(network_class, frame):
    expected = [[30, 1, 1], [40, 0, 2], [50, 1, 3]]
    for given in (frame, frame.astype({"age": "Float64", "member": "boolean", "n": "Int64"})):
        found = as_array("X", given)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)
        net = network_class([3, 1], seed=0)
        assert net.fit(given, given["n"]).loss == network_class([3, 1], seed=0).fit(expected, [1, 2, 3]).loss
    assert as_array("X", frame[["member"]].astype("boolean")).dtype == bool
    assert as_array("X", frame["n"].astype("UInt8")).dtype == np.uint8
    assert as_array("X", frame.index).dtype == np.int64


def test_one_block_of_a_frame_is_not_copied(pandas):
    given = pandas.DataFrame(X)
    assert np.shares_memory(as_array("X", given), given.to_numpy())


def test_missing_values_are_named(network_class, frame):
    frame["n"] = frame["n"].astype("Int64")
    frame.loc[1, "n"] = None
    for call in ("fit", "evaluate"):
        with pytest.raises(DataError, match=r"^column 'n' of X has no value in row 1, expected .*fillna"):
            getattr(network_class([3, 1]), call)(frame, [1, 2, 3])
    with pytest.raises(DataError, match=r"^column 'n' of X has no value in row 1"):
        network_class([3, 1]).predict(frame)
    with pytest.raises(DataError, match=r"^y has no value in row 1"):
        network_class([2, 1]).fit(frame[["age", "member"]], frame["n"])


def test_columns_without_numbers_are_named(pandas, frame):
    text = pandas.Series(["a", "b", "a"])
    for column in (
        text,
        text.astype("category"),
        text.astype(object),
        pandas.Series([1, None, 2.5], dtype=object),
        pandas.to_datetime(pandas.Series(["2020-01-01"] * 3)),
        pandas.Series(pandas.interval_range(0, 3)),
    ):
        with pytest.raises(DTypeError, match=r"^column 'town' of X has dtype .*encode classes"):
            as_array("X", frame.assign(town=column))
        with pytest.raises(DTypeError, match=r"^y has dtype .*encode classes"):
            as_array("y", column)


def test_sparse_columns_and_empty_frames(pandas):
    sparse = pandas.get_dummies(pandas.Series(["a", "b"]), sparse=True)
    np.testing.assert_array_equal(as_array("X", sparse), np.eye(2))
    with pytest.raises(ShapeError, match="X has 0 columns"):
        fastbp.Network([2, 1]).fit(pandas.DataFrame(index=range(3)), [1, 2, 3])


def test_tensors(network_class):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tensor = torch.ones(4, 3)
    assert np.shares_memory(as_array("X", tensor), tensor.numpy())
    net = network_class([3, 1])
    for given, word in (
        (torch.ones(4, 3, requires_grad=True), "detach"),
        (torch.ones(4, 3, dtype=torch.bfloat16), "BFloat16"),
        (torch.ones(4, 3).to_sparse(), "sparse|Sparse"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for call in (net.predict, lambda given: net.fit(given, np.ones(4))):
                with pytest.raises(DTypeError, match=rf"^X is a Tensor that NumPy cannot read.*({word})"):
                    call(given)
