"""Sparse matrices that are wrong, that lie, or that user code changes while a call works on them.

The outcome is a refusal, or that of the matrix as its memory says. Each table is probed in a process of its
own, because the wrong outcome is a crash.
"""

import numpy as np
import pytest

import fastbp
from fastbp._data import sparse
from helpers import probes
from helpers.changes import numbers
from helpers.odd_arrays import ATTACKS, custom_loss, outcome, value

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

ROWS, COLUMNS = 2500, 8  # some pages of memory in each part
RNG = np.random.default_rng(0)
DENSE = (RNG.random((ROWS, COLUMNS)) * (RNG.random((ROWS, COLUMNS)) < 0.2)).astype("f4")
DENSE[0, :2] = DENSE[-1, -2:] = 1
Y = RNG.random((ROWS, 1)).astype("f4")

CALLS = {
    "predict": lambda net, X: net.predict(X),
    "forward": lambda net, X: net.forward(X),
    "adapt": lambda net, X: net.adapt(X),
    "evaluate": lambda net, X: net.evaluate(X, Y),
    "train_on_batch": lambda net, X: net.train_on_batch(X, Y),
    "fit": lambda net, X: net.fit(X, Y, batch_size=1024),
    "fit(validation_data)": lambda net, X: net.fit(DENSE, Y, batch_size=1024, validation_data=(X, Y)),
}


def network(**options):
    return fastbp.Network([COLUMNS, 4, 1], seed=0, **options)


def made(kind):
    """Return an honest matrix, whose parts own their memory."""
    matrix = kind(DENSE)
    for name in ("indptr", "indices", "data"):
        setattr(matrix, name, getattr(matrix, name).copy())
    return matrix


# ---- wrong parts -------------------------------------------------------------------------------------------


def part(name, change):
    """Return an attack that puts something else in the place of a part."""
    return lambda matrix: setattr(matrix, name, change(getattr(matrix, name)))


def element(name, i, value, dtype=np.int64):
    """Return an attack that changes one element of a part."""

    def change(matrix):
        array = getattr(matrix, name).astype(dtype)
        array[i] = value
        setattr(matrix, name, array)

    return change


def shape(change):
    return lambda matrix: setattr(matrix, "_shape", change(matrix.shape))


def masked(array):
    return np.ma.array(array, mask=np.arange(len(array)) == 5)


REFUSED = {
    "index -1": element("indices", 7, -1, np.int32),
    "index too large": element("indices", -1, ROWS, np.int32),
    "index of 64 bits": element("indices", 7, 2**32 + 1),
    "least index": element("indices", 0, -(2**63)),
    "greatest index": element("indices", -1, 2**64 - 1, np.uint64),
    "first start": element("indptr", 0, 1),
    "first start of 64 bits": element("indptr", 0, 2**63, np.uint64),
    "negative start": element("indptr", 1, -5),
    "start far away": element("indptr", 3, 2**40),
    "starts descend": part("indptr", lambda a: a[::-1]),
    "last start": element("indptr", -1, 2**40),
    "last start by one": lambda matrix: element("indptr", -1, len(matrix.data) + 1)(matrix),
    "greatest start": element("indptr", -1, 2**64 - 1, np.uint64),
    "a start too few": part("indptr", lambda a: a[:-1]),
    "a start too many": part("indptr", lambda a: np.append(a, a[-1])),
    "no starts": part("indptr", lambda a: a[:0]),
    "few indices": part("indices", lambda a: a[:3]),
    "few data": part("data", lambda a: a[:3]),
    "no data": part("data", lambda a: a[:0]),
    "wide data": part("data", lambda a: np.stack([a, a])),
    "wide indices": part("indices", lambda a: a[:, None]),
    "wide starts": part("indptr", lambda a: a[None]),
    "scalar data": part("data", lambda a: np.array(1.0)),
    "scalar indices": part("indices", lambda a: np.array(1)),
    "scalar starts": part("indptr", lambda a: np.array(0)),
    "data None": part("data", lambda a: None),
    "starts listed": part("indptr", list),
    "indices listed": part("indices", list),
    "indices in a memoryview": part("indices", memoryview),
    "float indices": part("indices", lambda a: a.astype(float)),
    "float starts": part("indptr", lambda a: a.astype(float)),
    "bool indices": part("indices", lambda a: a.astype(bool)),
    "objects as indices": part("indices", lambda a: a.astype(object)),
    "objects as data": part("data", lambda a: a.astype(object)),
    "text": part("data", lambda a: a.astype("S4")),
    "complex data": part("data", lambda a: a.astype(complex)),
    "long double": part("data", lambda a: a.astype(np.longdouble)),
    "records": part("data", lambda a: a.view("f2,f2")),
    "masked data": part("data", masked),
    "masked indices": part("indices", masked),
    "masked starts": part("indptr", masked),
    "no attribute": lambda matrix: delattr(matrix, "indices"),
    "fewer rows": shape(lambda s: (s[0] - 1, s[1])),
    "more columns": shape(lambda s: (s[0], s[1] + 1)),
    "many rows": shape(lambda s: (2**62, s[1])),
    "too many rows": shape(lambda s: (2**70, s[1])),
    "negative rows": shape(lambda s: (-1, s[1])),
    "three axes": shape(lambda s: (*s, 1)),
    "one axis": shape(lambda s: s[:1]),
    "no shape": shape(lambda s: None),
    "text as shape": shape(lambda s: "ab"),
}


def refused(attack, kind):
    """Expect an error that names X, and a network that is as before."""
    for call in CALLS.values():
        net, matrix = network(), made(kind)
        before = numbers(net)
        REFUSED[attack](matrix)
        try:
            call(net, matrix)
        except fastbp.Error as error:
            message = str(error)
        else:
            raise AssertionError("not refused")
        assert message.startswith(("X", "validation_data[0]")), message
        assert "expected" in message or "cannot be read" in message, message
        assert numbers(net) == before, "refused, but the network changed"


# ---- odd parts ---------------------------------------------------------------------------------------------


def misaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    buffer[:] = array
    return buffer


def lying(name, answer):
    """Return an array of a class whose attribute lies."""
    return lambda a: a.view(type("Liar", (np.ndarray,), {name: property(lambda self: answer(self))}))


def shuffled(matrix):
    """Reverse the entries of each row or column; the flags stay."""
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        for array in (matrix.indices, matrix.data):
            array[start:end] = array[start:end][::-1].copy()


def doubled(matrix):
    """Have each entry in two halves; the flags stay."""
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    matrix.indptr = matrix.indptr * 2
    matrix.indices = np.repeat(matrix.indices, 2)
    matrix.data = np.repeat(matrix.data / 2, 2)


def each(change):
    def attack(matrix):
        for name in ("indptr", "indices", "data"):
            part(name, change)(matrix)

    return attack


RIGHT = {
    "as it is": lambda matrix: None,
    "shuffled": shuffled,
    "doubled": doubled,
    "strided": each(lambda a: np.repeat(a, 3)[1::3]),
    "backwards": each(lambda a: a[::-1].copy()[::-1]),
    "misaligned": each(misaligned),
    "swapped": each(lambda a: a.astype(a.dtype.newbyteorder(">"))),
    "read-only": each(lambda a: np.frombuffer(a.tobytes(), a.dtype)),
    "wide indices": part("indices", lambda a: a.astype(np.uint64)),
    "narrow indices": part("indices", lambda a: a.astype(np.int16)),
    "more entries than starts tell": each(lambda a: np.append(a, np.array([7], a.dtype)) if a[0] else a),
    "liars about size": each(lying("size", lambda self: 2)),
    "liars about shape": each(lying("shape", lambda self: (2,))),
    "liars about dtype": each(lying("dtype", lambda self: np.dtype(np.int8))),
}


def right(attack, kind):
    """Expect what the dense array gives; the matrix stays as it is."""
    for name, call in CALLS.items():
        if name == "adapt":  # whose sums are in another order
            continue
        net, dense, matrix = network(), network(), made(kind)
        RIGHT[attack](matrix)
        before = [np.ndarray.tobytes(p) for p in (matrix.indptr, matrix.indices, matrix.data)]
        found, expected = outcome(call, net, matrix), outcome(call, dense, DENSE)
        assert (found, numbers(net)) == (expected, numbers(dense)), name
        assert found is not None
        assert [np.ndarray.tobytes(p) for p in (matrix.indptr, matrix.indices, matrix.data)] == before


# ---- matrices that change ----------------------------------------------------------------------------------


def raising(self):
    raise RuntimeError("no")


def turning(name):
    """Return a property with the right answer at first, and then with nonsense."""

    def read(self):
        self.__dict__["reads"] = self.__dict__.get("reads", 0) + 1
        true = self.__dict__[name]
        return true if self.reads == 1 else np.full(3, 2**40)

    return property(read, lambda self, value: self.__dict__.update({name: value}))


def resizing(name, victim):
    """Return a property that makes another part smaller when it is read."""

    def read(self):
        self.__dict__[victim].resize(1, refcheck=False)
        return self.__dict__[name]

    return property(read, lambda self, value: self.__dict__.update({name: value}))


LIARS = {
    "shape raises": {"shape": property(raising)},
    "data raises": {"data": property(raising)},
    "shape is text": {"shape": "ab"},
    "shape is a number": {"shape": 3},
    "shape has no numbers": {"shape": (2.5, COLUMNS)},
    "another format": {"format": "csc"},
    "no format": {"format": None},
    "sums itself": {"sum_duplicates": raising, "tocsr": raising, "toarray": raising, "__len__": raising},
    "starts turn": {"indptr": turning("indptr")},
    "indices turn": {"indices": turning("indices")},
    "data turn": {"data": turning("data")},
    "data shrink the indices": {"data": resizing("data", "indices")},
    "data shrink the starts": {"data": resizing("data", "indptr")},
    "indices shrink the starts": {"indices": resizing("indices", "indptr")},
}


def liar(lie, kind):
    """Expect the outcome of the dense array, or a refusal."""
    for name, call in CALLS.items():
        net, dense, matrix = network(), network(), kind(DENSE)
        parts = {part: getattr(matrix, part) for part in ("indptr", "indices", "data")}
        matrix.__class__ = type("Liar", (kind,), LIARS[lie])
        matrix.__dict__.update({key: value.copy() for key, value in parts.items()})
        try:
            found = (call(net, matrix),)
        except fastbp.Error:
            found = None
        if found is None:
            assert numbers(net) == numbers(network()), "refused, but the network changed"
        elif name != "adapt":
            call(dense, DENSE)
            assert numbers(net) == numbers(dense), name


def overwrite(name, value):
    def attack(matrix):
        getattr(matrix, name)[:] = value

    return attack


CHANGES = {
    **{f"{attack} {name}": (lambda m, a=ATTACKS[attack], n=name: a(getattr(m, n)))
       for attack in ATTACKS for name in ("indptr", "indices", "data")},
    "indices far away": overwrite("indices", 10**9),
    "indices negative": overwrite("indices", -(10**9)),
    "starts far away": overwrite("indptr", 10**9),
    "other indices": part("indices", lambda a: np.zeros(3, np.int32)),
    "other data": part("data", lambda a: a[:0]),
    "resized": lambda matrix: matrix.resize((3, 3)),
    "no entries": lambda matrix: overwrite("data", 0)(matrix) or matrix.eliminate_zeros(),
    "sorted": lambda matrix: matrix.sort_indices(),
}  # fmt: skip


class ReadLate:
    """Targets that do something when they are read, which is after the inputs."""

    def __init__(self, attack):
        self._attack = attack

    def __array__(self, dtype=None, copy=None):
        self._attack()
        return Y.copy()


HOOKS = {
    "callback": lambda attack: (network(), {"callbacks": lambda state: attack()}),
    "metric": lambda attack: (network(), {"metrics": lambda output, target: attack() or 0.0}),
    "targets": lambda attack: (network(), {"y": ReadLate(attack)}),
    "custom loss": lambda attack: (
        network(loss=lambda output, target: (attack(), custom_loss(output, target))[1]),
        {},
    ),
}


def changed(change, kind):
    """Expect the outcome of an undisturbed fit, a refusal, or if only numbers changed, any end of the fit."""
    for hook in HOOKS.values():
        found = []
        for does in (CHANGES[change], lambda matrix: None):
            matrix, armed = made(kind), []

            def strike(does=does, matrix=matrix, armed=armed):
                if armed:
                    armed.pop()
                    does(matrix)

            net, options = hook(strike)
            armed.append(True)
            options = {
                "y": Y,
                "epochs": 2,
                "batch_size": 1024,
                "validation_data": (made(kind), Y),
            } | options
            result = outcome(lambda net=net, matrix=matrix, options=options: net.fit(matrix, **options))
            found.append((result, net.parameters.tobytes()))
            assert not armed
        (attacked, left), (alone, expected) = found
        assert alone is not None, "refused without an attack"
        if "no entries" not in change:
            assert attacked is None or (attacked, left) == (alone, expected)


def between_blocks(victim):
    """Return a hook of the checks, which a signal handler may come between: it makes a part smaller."""
    blocks = sparse._blocks

    def hook(matrix):
        def struck(first, end):
            for part in blocks(first, end):
                ATTACKS["shrink"](getattr(matrix, victim))
                yield part

        return {"_blocks": struck}

    return hook


def before(function, victim):
    """Return a hook that makes a part smaller before a function of the checks."""
    work = getattr(sparse, function)

    def hook(matrix):
        def struck(*args):
            ATTACKS["shrink"](getattr(matrix, victim))
            return work(*args)

        return {function: struck}

    return hook


SIGNALS = {name: between_blocks(name) for name in ("indptr", "indices", "data")} | {
    "copy": before("_starts", "indptr"),
    "moments": before("_differences", "data"),
}


def signaled(name, kind):
    """Expect a refusal that says why, or the outcome of an undisturbed call; of unsorted entries, too."""
    for arrange in (lambda matrix: None, shuffled):
        for call in CALLS.values():
            net, dense, matrix = network(), network(), made(kind)
            arrange(matrix)
            expected = outcome(call, dense, kind(DENSE))
            with pytest.MonkeyPatch.context() as patch:
                for function, struck in SIGNALS[name](matrix).items():
                    patch.setattr(sparse, function, struck)
                try:
                    found = (value(call(net, matrix)),)
                except fastbp.DataError as error:
                    found, message = None, str(error)
            if found is None:
                assert "resized" in message, message
                assert numbers(net) == numbers(network())
            else:
                assert (found, numbers(net)) == (expected, numbers(dense))


def all_of(function, table, kind):
    """Return a probe of a whole table; after a crash, the last name that it said tells where that was."""

    def probe():
        for name in table:
            print(name, flush=True)
            function(name, kind)

    return probe


PROBES = {
    f"{function.__name__}: {kind.__name__}": all_of(function, table, kind)
    for function, table in (
        (refused, REFUSED),
        (right, RIGHT),
        (liar, LIARS),
        (changed, CHANGES),
        (signaled, SIGNALS),
    )
    for kind in (sp.csr_array, sp.csc_matrix)
}


@pytest.fixture(scope="module")
def outcomes(request):
    return probes.outcomes(str(request.path))


@pytest.mark.parametrize("name", PROBES)
def test_outcome(outcomes, name):
    assert outcomes[name] == ""


def test_errors_name_what_is_wrong():
    net = network()
    for attack, text in {
        "index -1": r"^X\.indices\[7\] is -1, expected 0 to 7, for 8 columns",
        "index too large": r"^X\.indices\[\d+\] is 2500, expected 0 to 7",
        "greatest index": r"^X\.indices\[\d+\] is 18446744073709551615, expected 0 to 7",
        "first start": r"^X\.indptr\[0\] is 1, expected 0",
        "start far away": r"^X\.indptr\[4\] is \d+, expected at least the one before it, 1099511627776",
        "last start": r"^X\.indptr\[2500\] is 1099511627776, expected at most \d+, the number of entries",
        "a start too few": r"^X\.indptr has 2500 elements, expected 2501",
        "float indices": r"^X\.indices has dtype float64, expected integers",
        "starts listed": r"^X\.indptr is a list, expected an array",
        "masked data": r"^X\.data is a masked array",
        "wide data": r"^X\.data has shape \(2, \d+\), expected one dimension",
        "negative rows": r"^X has shape \(-1, 8\), expected no negative number",
        "no attribute": r"^X is a csr_array that cannot be read: AttributeError",
    }.items():
        matrix = made(sp.csr_array)
        REFUSED[attack](matrix)
        with pytest.raises(fastbp.Error, match=text):
            net.predict(matrix)
    matrix = made(sp.csc_array)
    REFUSED["index too large"](matrix)
    with pytest.raises(fastbp.DataError, match=r"is 2500, expected 0 to 2499, for 2500 rows"):
        net.predict(matrix)
    matrix = sp.csc_array((2, COLUMNS))
    matrix._shape = (2**31, COLUMNS)
    with pytest.raises(
        fastbp.ShapeError, match=r"^X has 2147483648 rows or columns, expected at most 2147483647"
    ):
        net.predict(matrix)
