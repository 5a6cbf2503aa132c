"""Arrays that lie about themselves, through a subclass.

The outcome is that of the memory read as a plain array, or a refusal. Every probe runs in its own process,
because the wrong outcome is a crash.
"""

import numpy as np
import pytest

import fastbp
from helpers.changes import numbers
from helpers.odd_arrays import Arrays, network, outcome, table


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
    "adapt(y)": ("y", lambda net, a: net.adapt(a.X, a.y)),
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
    assert lied is None or (lied, *left) == honest, "not refused, and not as its memory is"
    assert lied is not None or left[0] == numbers(network(**options)), "refused, but the network changed"


PROBES = table("{0} lies in {1}", lie, LIES, USES)


@pytest.mark.parametrize("name", PROBES)
def test_outcome(outcomes, name):
    assert outcomes[name] == ""
