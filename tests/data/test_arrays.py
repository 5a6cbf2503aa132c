"""Inputs become plain arrays: subclasses, sequences and objects with an array protocol; what is refused."""

import array
import collections
import ctypes
import decimal
import fractions
import re
import sys

import numpy as np
import pytest

from fastbp import DataError, DTypeError, ShapeError, losses, metrics
from fastbp._base.arrays import as_array, base_array, read_only
from fastbp.datasets import stratified_split
from helpers.errors import refuses
from helpers.layouts import FLOATS, INTEGERS, LAYOUTS
from helpers.names import name_of

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
    """Its shape and memory are independent of later changes to the user's array."""
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
    """The attributes that NumPy needs, without a base class."""

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
    ids=name_of,
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
    ((row for row in X), DTypeError, ["X is a generator", "iterables of batches", "without y"]),
    (map(float, [1]), DTypeError, ["X is a generator", "iterables of batches"]),
    ({}, DTypeError, ["X is a dict", "expected an array"]),
    ({1.0}, DTypeError, ["X is a set"]),
    ("abc", DTypeError, ["X has dtype <U3", "not text", "labels", "numpy.unique"]),
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
    assert len(refuses(lambda: as_array("X", given), error, *parts)) < 400


def test_no_memory_is_no_fault_of_the_value():
    with pytest.raises(MemoryError):
        as_array("X", raising(MemoryError()))


def test_generators_of_rows(network_class, state_of):
    net = network_class([3, 1], seed=0)
    before = state_of(net)
    with pytest.raises(
        DTypeError, match=r"^X is a generator, .* iterables of batches in place of X, without y"
    ):
        net.fit((row for row in X), np.zeros(4))
    with pytest.raises(DataError, match=r"^epoch 1 of this fit, step 1: the batch is <ndarray of shape"):
        net.fit(row for row in X)
    assert state_of(net) == before
