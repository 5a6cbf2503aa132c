"""States that do not fit together, and pickles with flipped bits: an exception, or a network that works.

The tests find all parts of a state, whatever their names, and replace each by a value that does not belong
there. Every probe runs in its own process, because the wrong outcome is a crash.
"""

import pickle
from copy import copy
from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import Dense, LeakyReLU, schedules
from helpers import probes
from helpers.using import X, use


def trained(**options):
    layers = [3, Dense(4, LeakyReLU(0.1), l2=1e-3, dropout=0.1, max_norm=3.0), 2]
    net = fastbp.Network(layers, seed=1, **options)
    net.adapt(X, 3 * X[:, :2])
    net.fit(X, X[:, :2], epochs=2, batch_size=None)
    return net


def with_names():
    net = trained(loss="huber")
    net.class_names = ("yes", "no")
    return net


NETWORKS = {
    "Adam": with_names,
    "Cosine": lambda: trained(optimizer=fastbp.SGD(schedules.Cosine(0.1, 5, growth=2), momentum=0.9)),
    "float64": lambda: trained(
        dtype="float64", optimizer=fastbp.RMSprop(schedules.Step(0.01, 3), clip_norm=1.0)
    ),
}


# ---- parts that do not fit ---------------------------------------------------------------------------------


def parts(value, path=()):
    """Yield the path to each part of a state, and the part."""
    yield path, value
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, (tuple, list)):
        children = enumerate(value)
    elif type(value).__module__.startswith("fastbp") and hasattr(value, "__dict__"):
        children = vars(value).items()
    else:
        children = ()
    for name, child in children:
        yield from parts(child, (*path, name))


def replaced(value, path, new):
    """Return the value with another part at the path; all that leads there is copied."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, (tuple, list)):
        items = list(value)
        items[first] = replaced(items[first], rest, new)
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    twin = copy(value)
    owner = twin if isinstance(twin, dict) else vars(twin)
    owner[first] = replaced(owner[first], rest, new)
    return twin


def wrong_parts(part):
    """Return what shall stand for a part: things of its kind that do not fit, and things of another."""
    if isinstance(part, np.ndarray):
        read_only = part.copy()
        read_only.flags.writeable = False
        return [
            part[..., :-1],
            np.concatenate([part, part], axis=-1),
            part[..., :0],
            part.astype(np.int8),
            part.astype(">f8"),
            part.reshape(-1, 1),
            part * np.nan,
            part * 0,
            np.broadcast_to(part.flat[:1].reshape(-1), (10**12,)) if part.size else part,
            np.array(None),
            read_only,
        ]
    if isinstance(part, (bool, int, np.integer)):
        return [-1, 0, 1, 2, 7, 10**6, 2**31, 2**63, 2**64, 10**400, 1.5, "1", None]
    if isinstance(part, float):
        return [0.0, -1.0, 0.5, 1e39, -1e308, 1e-320, float("nan"), float("inf"), 10**400, "1", None]
    if isinstance(part, str):
        return ["", "nothing", "x" * 10**6, "sgd", "softmax", None, 1]
    if isinstance(part, np.dtype):
        return [
            np.dtype("f2"),
            np.dtype(">f4"),
            np.dtype("i4"),
            np.dtype("f8"),
            np.dtype("f4"),
            np.dtype("O"),
        ]
    others = [None, 1, "x", b"", {}, [], (), fastbp.SGD(), fastbp.MSE(), fastbp.CrossEntropy(), np.zeros(3)]
    if isinstance(part, (tuple, list)) and not hasattr(part, "_make"):
        others += [part[:-1], part + part, part[::-1]]
    if isinstance(part, dict):
        others += [{name: part[name] for name in part if name != left_out} for left_out in part]
    return others


def attempt(make):
    """Use the network that comes of it, if one does."""
    try:
        net = make()
        use(net)
    except Exception as error:
        print("refused,", type(error).__name__, flush=True)


def crafted(kind, path):
    """Put each wrong part in one place of a state; the last line says which, should it be the end."""
    state = NETWORKS[kind]().__getstate__()
    part = next(part for where, part in parts(state) if where == path)

    def restored(wrong):
        net = object.__new__(fastbp.Network)
        net.__setstate__(replaced(state, path, wrong))
        return net

    for wrong in wrong_parts(part):
        print(f"{wrong!r:.80}", flush=True)
        attempt(partial(restored, wrong))


STATES = {
    f"{kind}: {'.'.join(map(str, path))}": partial(crafted, kind, path)
    for kind in NETWORKS
    for path, _ in parts(NETWORKS[kind]().__getstate__())
}


# ---- flipped bits ------------------------------------------------------------------------------------------

FLIPS = 20  # of each pickle in one process


def unpickled(data):
    """Load a pickle in Python: a wrong index makes the unpickler in C fill gigabytes."""
    return pickle._loads(data)


def flipped(kind, protocol, seed):
    """Flip a bit of an honest pickle, again and again; the last line says which, should it be the end."""
    honest = pickle.dumps(NETWORKS[kind](), protocol)
    rng = np.random.default_rng(seed)
    for _ in range(FLIPS):
        data = bytearray(honest)
        at, bit = int(rng.integers(len(data))), int(rng.integers(8))
        print(f"bit {bit} of byte {at} of {len(data)}", flush=True)
        data[at] ^= 1 << bit
        attempt(partial(unpickled, bytes(data)))


def flips(seeds):
    """Return the probes of these seeds."""
    return {
        f"{kind}, protocol {protocol}, seed {seed}": partial(flipped, kind, protocol, seed)
        for kind in NETWORKS
        for protocol in (0, 2, 5)
        for seed in seeds
    }


FLIPPED = flips(range(2))
FLIPPED_MORE = flips(range(2, 60))


def failures(table):
    return [f"{name}: {end}" for name, end in probes.outcomes(__file__, table).items() if end]


def test_crafted_states():
    found = failures("STATES")
    assert not found, "\n".join(found)


def test_flipped_bits():
    found = failures("FLIPPED")
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_many_flipped_bits():
    found = failures("FLIPPED_MORE")
    assert not found, "\n".join(found)
