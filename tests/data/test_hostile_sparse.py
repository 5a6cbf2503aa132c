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
from helpers.sparse_parts import COLUMNS, DENSE, REFUSED, RIGHT, ROWS, made, overwrite, part, shuffled

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

Y = np.random.default_rng(1).random((ROWS, 1)).astype("f4")

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


# ---- wrong and odd parts ----------------------------------------------------------------------------------


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
            for block in blocks(first, end):
                ATTACKS["shrink"](getattr(matrix, victim))
                yield block

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
