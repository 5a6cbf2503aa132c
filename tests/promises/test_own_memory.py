"""The network's own memory as data and as `out`, and resized while it is in use.

Every probe runs in its own process, because the wrong outcome is a crash.
"""

from contextlib import suppress

import numpy as np
import pytest

import fastbp
from helpers.changes import numbers
from helpers.odd_arrays import ATTACKS, network, outcome, table, value

OWN = {
    "parameters": lambda net: net.parameters,
    "gradients": lambda net: net.gradients,
    "weights": lambda net: net.weights[0],
    "biases": lambda net: net.biases[0],
    "input_mean": lambda net: net.input_mean,
    "input_scale": lambda net: net.input_scale,
    "target_mean": lambda net: net.target_mean,
    "target_scale": lambda net: net.target_scale,
    "result of loss_and_gradients": lambda net: net.loss_and_gradients(np.ones((4, 3)), np.ones((4, 1)))[1],
    "result of forward": lambda net: net.forward(np.ones((4, 3))),
    "result of predict": lambda net: net.predict(np.ones((4, 3))),
}


def own_network():
    rng = np.random.default_rng(0)
    net = fastbp.Network([3, 2_000, 1], seed=0)
    net.adapt(rng.normal(size=(10, 3)), rng.normal(size=(10, 1)))
    net.loss_and_gradients(np.ones((4, 3)), np.ones((4, 1)))
    return net


def own_memory(name, attack):
    """Attack all arrays that an attribute or a result is a view of: the network continues undisturbed."""
    net, twin = own_network(), own_network()
    array = OWN[name](net)
    OWN[name](twin)
    while isinstance(array, np.ndarray):
        with suppress(ValueError, TypeError, AttributeError):  # of an array that does not own its memory
            ATTACKS[attack](array)
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
    "adapt(y)": lambda net, a: net.adapt(a, a[:, :1]),
    "evaluate": lambda net, a: net.evaluate(a, a[:, :1]),
    "train_on_batch": lambda net, a: net.train_on_batch(a, a[:, 1:2]),
    "loss_and_gradients": lambda net, a: net.loss_and_gradients(a, a[:, 1:2]),
    "fit": lambda net, a: net.fit(a, a[:, 1:2], epochs=2),
    "fit, weighted": lambda net, a: net.fit(a, a[:, 1:2], sample_weight=abs(a[:, 0])),
    "fit, validated": lambda net, a: net.fit(a + 1, a[:, 1:2], validation_data=(a, a[:, 2:])),
    "backward": lambda net, a: (net.forward(a[:, :3] + 1), net.backward(a[:, :1]))[1],
}


ONE_STEP = [
    name for name in READS if not name.startswith(("fit", "minimize"))
]  # then the parameters are others


def aliased_input(where, name):
    """Read data out of the memory of the network: as a copy of them, or a refusal.

    Calls that change that memory and go over the data again see what they made of them, and are not tried.
    """
    found = []
    for copied in (False, True):
        net = own_network()
        data = OWN[where](net)[:300].reshape(-1, 3)
        data = data.copy() if copied else data
        found.append((outcome(READS[name], net, data), numbers(net)))
    assert found[0][0] is None or found[0] == found[1], "not refused, and not as a copy is"


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
    """Either the call is refused, or the prediction is in `out`."""
    net = network()
    out, rows = OUTS[name](X.copy())
    before, expected = rows.tolist(), value(net.predict(rows.copy()))
    result = outcome(lambda: net.predict(rows, out=out))
    assert result is None or value(np.ma.getdata(out)) == expected == result[0]
    assert result is None or not np.ma.is_masked(out)
    assert result is not None or rows.tolist() == before


PROBES = (
    table("{1} the base of {0}", own_memory, OWN, ATTACKS)
    | table("out is {0} {1}", aliased_out, ["parameters", "gradients", "weights", "biases"], [1, 10, 2000])
    | table("{0} as data for {1}", aliased_input, ["parameters"], ONE_STEP)
    | table("{0} as data for {1}", aliased_input, ["gradients"], READS)
    | table("out is {0}", odd_out, OUTS)
)


@pytest.mark.parametrize("name", PROBES)
def test_outcome(outcomes, name):
    assert outcomes[name] == ""
