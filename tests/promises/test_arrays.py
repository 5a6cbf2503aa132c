"""Arrays that lie about themselves, that change between check and use, or that are the network's own memory.

Whatever an array says of itself, the outcome is that of its memory read as a plain array, or a refusal. Every probe
has a process of its own, for the wrong outcome is a crash.
"""

import sys
from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np
import probes
import pytest
from changes import numbers

import fastbp

REFUSED = (fastbp.Error, TypeError, ValueError)
ROWS = 5_000  # some pages of memory in each array
SIZES = [3, 4, 1]


class Arrays:
    """Honest arguments."""

    def __init__(self, rows=ROWS):
        rng = np.random.default_rng(0)
        self.X = rng.random((rows, 3), np.float32)
        self.y = rng.random((rows, 1), np.float32)
        self.weights = rng.random(rows)
        self.held_out_X, self.held_out_y = self.X.copy(), self.y.copy()
        self.out = np.zeros((rows, 1), np.float32)


def own_loss(output, target):
    error = output - target.reshape(output.shape)
    return float(np.mean(error**2)), 2 * error / error.size


def network(**options):
    return fastbp.Network(SIZES, seed=0, **options)


def outcome(call, *args):
    """Return what came of a call as a value in a tuple, or None if it was refused."""
    try:
        return (value(call(*args)),)
    except REFUSED:
        return None


def value(result):
    if isinstance(result, np.ndarray):
        return result.shape, result.tobytes()
    if isinstance(result, fastbp.History):
        return result.loss
    if isinstance(result, tuple):
        return [value(part) for part in result]
    return result


# ---- arrays that lie ---------------------------------------------------------------------------------------


def read(name, answer):
    """Return a lie: a class of arrays with this attribute."""
    return lambda claimed: type("Liar", (np.ndarray,), {name: property(lambda self: answer(claimed))})


def called(name, answer):
    """Return a lie: a class of arrays with this method."""
    return lambda claimed: type("Liar", (np.ndarray,), {name: lambda self, *args, **options: answer(claimed)})


def tiny(claimed):
    return np.zeros((1,) * claimed.ndim, claimed.dtype)


# what an array of two rows says of itself that is to pass for `claimed`
LIES = {
    "shape": read("shape", lambda claimed: claimed.shape),
    "ndim": read("ndim", lambda claimed: 1),
    "size": read("size", lambda claimed: claimed.size),
    "strides": read("strides", lambda claimed: (1 << 20,) * claimed.ndim),
    "dtype": read("dtype", lambda claimed: np.dtype(np.float64)),
    "dtype of one byte": read("dtype", lambda claimed: np.dtype(np.int8)),
    "flags": read("flags", lambda claimed: claimed.flags),
    "base": read("base", lambda claimed: claimed),
    "T": read("T", lambda claimed: claimed.T),
    "mask": read("mask", lambda claimed: False),
    "len": called("__len__", len),
    "items": called("__getitem__", tiny),
    "reshape": called("reshape", lambda claimed: claimed),
    "astype": called("astype", tiny),
    "copy": called("copy", tiny),
    "min": called("min", lambda claimed: 0.0),
    "array": called("__array__", lambda claimed: claimed),
    "ufunc": called("__array_ufunc__", lambda claimed: np.True_),
    "function": called("__array_function__", lambda claimed: claimed),
    "iteration": called("__iter__", lambda claimed: iter(())),
}


def arguments(**given):
    """Return honest arguments, but for those given."""
    arrays = Arrays()
    vars(arrays).update(given)
    return arrays


# a call, and the argument of it that lies
USES = {
    "predict(X)": ("X", lambda net, a: net.predict(a.X)),
    "predict(out)": ("out", lambda net, a: net.predict(a.X, out=a.out)),
    "predict_classes": ("X", lambda net, a: net.predict_classes(a.X)),
    "forward": ("X", lambda net, a: net.forward(a.X)),
    "backward": ("y", lambda net, a: (net.forward(a.X), net.backward(a.y))[1]),
    "adapt": ("X", lambda net, a: net.adapt(a.X)),
    "evaluate(X)": ("X", lambda net, a: net.evaluate(a.X, a.y)),
    "evaluate(y)": ("y", lambda net, a: net.evaluate(a.X, a.y)),
    "fit(X)": ("X", lambda net, a: net.fit(a.X, a.y, batch_size=1024)),
    "fit(y)": ("y", lambda net, a: net.fit(a.X, a.y, batch_size=1024)),
    "fit(sample_weight)": (
        "weights",
        lambda net, a: net.fit(a.X, a.y, sample_weight=a.weights, batch_size=1024),
    ),
    "fit(validation_data)": (
        "held_out_X",
        lambda net, a: net.fit(a.X, a.y, batch_size=1024, validation_data=(a.held_out_X, a.held_out_y)),
    ),
    "train_on_batch(X)": ("X", lambda net, a: net.train_on_batch(a.X, a.y)),
    "train_on_batch(y)": ("y", lambda net, a: net.train_on_batch(a.X, a.y)),
    "loss_and_gradients(X)": ("X", lambda net, a: net.loss_and_gradients(a.X, a.y)),
    "loss(output)": ("y", lambda net, a: net.loss(a.y, a.out)),
    "loss.gradient(target)": ("y", lambda net, a: net.loss.gradient(a.out, a.y)),
    "activation": ("X", lambda net, a: fastbp.activations.get("tanh")(a.X)),
    "r2(target)": ("y", lambda net, a: fastbp.metrics.r2(a.out, a.y)),
    "minimize(X)": ("X", lambda net, a: fastbp.minimize(net, a.X, a.y, max_iterations=1).fun),
}


def lie(lie_name, use_name):
    """Compare a call on a lying array of two rows with the call on its memory."""
    argument, call = USES[use_name]
    claimed = getattr(Arrays(), argument)
    options = {"loss": "binary_cross_entropy"} if "classes" in use_name else {}
    found = []
    for kind in (LIES[lie_name](claimed), np.ndarray):
        net = network(**options)
        array = claimed[:2].copy().view(kind)
        result = outcome(call, net, arguments(**{argument: array}))
        found.append((result, numbers(net), array.tobytes()))
    (lied, *left), honest = found[0], found[1]
    assert lied is None or (lied, *left) == honest, "neither refused nor as its memory is"
    assert lied is not None or left[0] == numbers(network(**options)), "refused, but the network changed"


# ---- arrays that change between check and use --------------------------------------------------------------


class ReadLate:
    """An argument that does something when it is read."""

    def __init__(self, array, attack):
        self._array, self._attack = array, attack

    def __array__(self, dtype=None, copy=None):
        self._attack()
        return self._array


class ListedLate(Sequence):
    """Callbacks that do something when they are listed."""

    def __init__(self, attack):
        self._attack = attack

    def __len__(self):
        return 0

    def __getitem__(self, i):
        self._attack()
        raise IndexError


class Metric:
    """A metric that does something when it is asked for its name."""

    def __init__(self, attack):
        self._attack = attack

    @property
    def __name__(self):
        self._attack()
        return "metric"

    def __call__(self, output, target):
        return 0.0


class Number(int):
    """A number that does something when it is looked at."""

    def __new__(cls, attack, n):
        number = super().__new__(cls, n)
        number._attack = attack
        return number

    def __index__(self):
        self._attack()
        return int.__add__(self, 0)

    def __ge__(self, other):
        self._attack()
        return int.__ge__(self, other)

    __lt__ = __le__ = __gt__ = lambda self, other: self._attack() or True


class Errors:
    """A stream that does something when it is written to."""

    def __init__(self, attack):
        self.write = lambda text: attack()

    def flush(self):
        pass

    def isatty(self):
        return False


def to_errors(attack, a):
    sys.stderr = Errors(attack)
    return {"verbose": 2}


# what runs code of the user's in a fit: an attack and the honest arguments make options of the fit
HOOKS = {
    "callbacks listed": lambda attack, a: {"callbacks": ListedLate(attack)},
    "callback": lambda attack, a: {"callbacks": lambda state: attack()},
    "metric": lambda attack, a: {"metrics": lambda output, target: attack() or 0.0},
    "name of a metric": lambda attack, a: {"metrics": Metric(attack)},
    "y read": lambda attack, a: {"y": ReadLate(a.y.copy(), attack)},
    "sample_weight read": lambda attack, a: {"sample_weight": ReadLate(a.weights.copy(), attack)},
    "validation_data read": lambda attack, a: {
        "validation_data": (a.held_out_X, ReadLate(a.held_out_y.copy(), attack))
    },
    "epochs": lambda attack, a: {"epochs": Number(attack, 2)},
    "batch_size": lambda attack, a: {"batch_size": Number(attack, 1024)},
    "verbose": to_errors,
}
NETWORKS = {
    "own loss": lambda attack: {"loss": lambda output, target: (attack(), own_loss(output, target))[1]},
    "learning rate": lambda attack: {"optimizer": fastbp.SGD(lambda epoch: attack() or 0.01)},
}


def reshape(array):
    array.shape = (array.size, 1) if array.ndim == 2 and array.shape[1] > 1 else (1, array.size)


def retype(array):
    array.dtype = np.int8 if array.dtype == np.float32 else np.int16


def shrink(array):
    array.resize(1, refcheck=False)


def grow(array):
    array.resize(array.size * 16, refcheck=False)


ATTACKS = {"reshape": reshape, "retype": retype, "shrink": shrink, "grow": grow}
VICTIMS = ("X", "y", "weights", "held_out_X", "held_out_y")


def change(hook, victim, attack):
    """Compare a fit whose data code of the user's changes with one that is let alone."""
    found = []
    for does in (ATTACKS[attack], lambda array: None):
        arrays, armed = Arrays(), [True]
        array = getattr(arrays, victim)

        def strike(does=does, array=array, armed=armed):
            if armed and network_is_made:
                armed.pop()
                does(array)

        network_is_made = []
        net = network(**NETWORKS[hook](strike) if hook in NETWORKS else {})
        network_is_made.append(True)
        options = {
            "X": arrays.X,
            "y": arrays.y,
            "sample_weight": None if hook == "own loss" else arrays.weights,
            "validation_data": (arrays.held_out_X, arrays.held_out_y),
            "epochs": 2,
            "batch_size": 1024,
        }
        if hook in HOOKS:
            options |= HOOKS[hook](strike, arrays)
        found.append((outcome(lambda net=net, options=options: net.fit(**options)), net.parameters.tobytes()))
    (attacked, left), (alone, right) = found
    assert alone is not None, "refused without an attack"
    assert attacked is None or (attacked, left) == (alone, right), "the change was seen, but not refused"


# ---- the network's own memory ------------------------------------------------------------------------------

OWN = {
    "parameters": lambda net: net.parameters,
    "gradients": lambda net: net.gradients,
    "weights": lambda net: net.weights[0],
    "biases": lambda net: net.biases[0],
    "input_mean": lambda net: net.input_mean,
    "input_scale": lambda net: net.input_scale,
    "result of loss_and_gradients": lambda net: net.loss_and_gradients(np.ones((4, 3)), np.ones((4, 1)))[1],
    "result of forward": lambda net: net.forward(np.ones((4, 3))),
    "result of predict": lambda net: net.predict(np.ones((4, 3))),
}


def own_network():
    rng = np.random.default_rng(0)
    net = fastbp.Network([3, 2_000, 1], seed=0)
    net.adapt(rng.normal(size=(10, 3)))
    net.loss_and_gradients(np.ones((4, 3)), np.ones((4, 1)))
    return net


def own_memory(name, attack):
    """Attack all arrays that an attribute or a result is a view of; the network goes on as if nothing had been."""
    net, twin = own_network(), own_network()
    array = OWN[name](net)
    OWN[name](twin)
    while isinstance(array, np.ndarray):
        try:
            ATTACKS[attack](array)
        except (ValueError, TypeError, AttributeError):  # an array that does not own its memory
            pass
        array = array.base
    X = np.linspace(-1, 1, 30).reshape(10, 3)
    assert np.array_equal(net.predict(X), twin.predict(X))
    assert outcome(lambda: net.gradients) == outcome(lambda: twin.gradients)
    for each in (net, twin):
        outcome(each.step)
        each.fit(X, X[:, :1], epochs=2)
    assert np.array_equal(net.parameters, twin.parameters)
    assert np.array_equal(net.clone().predict(X), twin.predict(X))


def aliased_out(where, rows):
    """Predict into memory of the network: a read that changes it must be refused."""
    net = own_network()
    memory = OWN[where](net).reshape(-1)
    before = net.parameters.copy(), net.gradients.copy()
    result = outcome(net.predict, np.ones((rows, 3), np.float32), memory[:rows].reshape(rows, 1))
    after = net.parameters, net.gradients
    assert result is None, "not refused"
    assert all(map(np.array_equal, before, after)), "the network changed"


READS = {
    "predict": lambda net, a: net.predict(a),
    "forward": lambda net, a: net.forward(a),
    "adapt": lambda net, a: net.adapt(a),
    "evaluate": lambda net, a: net.evaluate(a, a[:, :1]),
    "train_on_batch": lambda net, a: net.train_on_batch(a, a[:, 1:2]),
    "loss_and_gradients": lambda net, a: net.loss_and_gradients(a, a[:, 1:2]),
    "fit": lambda net, a: net.fit(a, a[:, 1:2], epochs=2),
    "fit, weighted": lambda net, a: net.fit(a, a[:, 1:2], sample_weight=abs(a[:, 0])),
    "fit, validated": lambda net, a: net.fit(a + 1, a[:, 1:2], validation_data=(a, a[:, 2:])),
    "backward": lambda net, a: (net.forward(a[:, :3] + 1), net.backward(a[:, :1]))[1],
    "minimize": lambda net, a: fastbp.minimize(net, a, a[:, :1], max_iterations=2).fun,
}


ONE_STEP = [
    name for name in READS if not name.startswith(("fit", "minimize"))
]  # then the parameters are others


def aliased_input(where, name):
    """Read data out of the memory of the network: as a copy of them, or a refusal."""
    found = []
    for copied in (False, True):
        net = own_network()
        data = OWN[where](net)[:300].reshape(-1, 3)
        data = data.copy() if copied else data
        found.append((outcome(READS[name], net, data), numbers(net)))
    assert found[0][0] is None or found[0] == found[1], "neither refused nor as a copy is"


def read_only(array):
    array.flags.writeable = False
    return array


X = np.linspace(0, 1, 30, dtype=np.float32).reshape(10, 3)
OUTS = {
    "X itself": lambda a: (a[:, :1], a),
    "X, overlapping": lambda a: (a.reshape(-1)[5:15].reshape(10, 1), a),
    "masked": lambda a: (np.ma.array(np.zeros((10, 1), "f4"), mask=[[1]] * 10, hard_mask=True), a),
    "masked, one row": lambda a: (np.ma.array(np.zeros(1, "f4"), mask=[1], hard_mask=True), a[0]),
    "read-only": lambda a: (read_only(np.zeros((10, 1), "f4")), a),
    "broadcast": lambda a: (np.broadcast_to(np.zeros(1, "f4"), (10, 1)), a),
    "strided": lambda a: (np.zeros((10, 2), "f4")[:, :1], a),
    "other byte order": lambda a: (np.zeros((10, 1), ">f4"), a),
    "record": lambda a: (np.zeros((10, 1), "f4").view(np.recarray), a),
    "memoryview": lambda a: (memoryview(np.zeros((10, 1), "f4")), a),
    "list": lambda a: ([[0.0]] * 10, a),
}


def odd_out(name):
    """Refused, or the prediction stands there."""
    net = network()
    out, rows = OUTS[name](X.copy())
    before, expected = rows.tolist(), value(net.predict(rows.copy()))
    result = outcome(lambda: net.predict(rows, out=out))
    assert result is None or value(np.ma.getdata(out)) == expected == result[0]
    assert result is None or not np.ma.is_masked(out)
    assert result is not None or rows.tolist() == before


# ---- the probes --------------------------------------------------------------------------------------------


def table(form, probe, *parts):
    """Return a probe for each combination of the parts."""
    return {form.format(*chosen): partial(probe, *chosen) for chosen in product(*parts)}


PROBES = (
    table("{0} lies in {1}", lie, LIES, USES)
    | table("{0}: {2} {1}", change, [*HOOKS, *NETWORKS], VICTIMS, ATTACKS)
    | table("{1} the base of {0}", own_memory, OWN, ATTACKS)
    | table("out is {0} {1}", aliased_out, ["parameters", "gradients", "weights", "biases"], [1, 10, 2000])
    | table("{0} as data for {1}", aliased_input, ["parameters"], ONE_STEP)
    | table("{0} as data for {1}", aliased_input, ["gradients"], READS)
    | table("out is {0}", odd_out, OUTS)
)


@pytest.fixture(scope="module")
def outcomes():
    return probes.outcomes(__file__)


@pytest.mark.parametrize("name", PROBES)
def test_arrays(outcomes, name):
    assert outcomes[name] == ""
