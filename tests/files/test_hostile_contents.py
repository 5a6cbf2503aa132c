"""Files with a correct checksum whose contents do not fit: ModelFileError, or a network that works.

The tests find all parts of an honest description and all tensors, whatever their names, and replace each by
what does not belong there. The probes run in their own processes, because the wrong outcome is a crash.
"""

import json
import os
import tempfile
import tracemalloc
from contextlib import suppress
from functools import partial
from io import FileIO

import numpy as np
import pytest

import fastbp
from fastbp import Dense, LeakyReLU, schedules
from fastbp._model_file import container, described
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from helpers import probes
from helpers.inside import remembered_by
from helpers.using import X, use


def trained(**options):
    layers = [3, Dense(4, LeakyReLU(0.1), l2=1e-3, dropout=0.1, max_norm=3.0), Dense(2, bias=False)]
    net = fastbp.Network(layers, seed=1, **options)
    net.adapt(X, 3 * X[:, :2])
    net.feature_names, net.class_names = ("a", "b", "c"), ("yes", "no")
    net.fit(X, X[:, :2], epochs=2, batch_size=None)
    remembered_by(net)["made up"] = {"best": np.inf, "text": "x", "n": 3}
    return net


def with_levenberg_marquardt():
    net = fastbp.Network([3, 4, 2], optimizer=fastbp.LevenbergMarquardt(), seed=1)
    net.fit(X, X[:, :2] ** 2, epochs=2, batch_size=None)
    return net


NETWORKS = {
    "Adam": lambda: trained(loss="huber"),
    "Warmup": lambda: trained(
        optimizer=fastbp.SGD(schedules.Warmup(schedules.Cosine(0.1, 5, growth=2), 3), momentum=0.9),
        loss=fastbp.Quantile(0.3, ignore_nan=True),
        dtype="float64",
    ),
    "Levenberg-Marquardt": with_levenberg_marquardt,
}


def contents_of(net, folder, **options):
    """Return the tensors and the description of a file of the network."""
    path = os.path.join(folder, "honest.safetensors")
    net.save(path, **options)
    with container.Reader(path) as reader:
        return {name: reader.read(name) for name in reader.tensors}, reader.description


def write(folder, tensors, description, name="hostile"):
    """Write a file with a correct checksum, without waiting for the disk."""
    path = os.path.join(folder, f"{name}.safetensors")
    with suppress(FileNotFoundError):
        os.unlink(path)  # some file systems wait for the disk where a file is written again
    with FileIO(path, "w") as file:
        container.write(file, tensors, description)
    return path


def load(path):
    """Load a file; return the network, or None if it is refused in the way that files are."""
    try:
        return fastbp.load(path)
    except (fastbp.ModelFileError, fastbp.ParameterError) as error:
        message = str(error)
    assert message.startswith((f"{path} ", "custom is empty, expected "))
    assert len(message) < 2000
    return None


# ---- every part of the description -------------------------------------------------------------------------


def parts(value, path=()):
    """Yield the path to each part, and the part."""
    yield path, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    )
    for name, child in children:
        yield from parts(child, (*path, name))


def replaced(value, path, new):
    """Return the value with another part at the path."""
    twin = json.loads(json.dumps(value))
    owner = twin
    for name in path[:-1]:
        owner = owner[name]
    owner[path[-1]] = new
    return twin


def wrong_parts(part):
    """Return what shall stand for a part: things of its kind that do not fit, and things of another."""
    others = [None, True, -1, 0, 1, 2, 1.5, 10**6, 2**31, 2**63, 2**64, 10**400, -(10**30), 1e39, 1e308]
    others += ["", "nothing", "x" * 10**5, "softmax", "sgd", [], {}, [[]], [1], ["a", "a"]]
    others += [{"custom": "f"}, {"custom": 1}, {"float": "nan"}, {"float": "-inf"}, {"float": "x"}]
    others += [{"type": "MSE"}, {"type": "SGD"}, {"type": "Constant", "learning_rate": 0}, {"type": "Dense"}]
    if isinstance(part, list):
        others += [part[:-1], part + part, part[::-1]]
    if isinstance(part, dict):
        others += [{name: part[name] for name in part if name != left_out} for left_out in part]
        others += [part | {"unexpected": 1}]
    return others


def crafted(kind, every, key=None):
    """Put wrong parts, every n-th, in each place; the last line says which, should it be the end."""
    with tempfile.TemporaryDirectory() as folder:
        tensors, description = contents_of(NETWORKS[kind](), folder)
        for i, (path, part) in enumerate(parts(description)):
            if path[:1] != (key,) if key else not path:
                continue
            for wrong in wrong_parts(part)[i % every :: every]:
                print(path, f"{wrong!r:.80}", flush=True)
                net = load(write(folder, tensors, replaced(description, path, wrong)))
                if net is not None:
                    use(net)


# ---- every tensor ------------------------------------------------------------------------------------------


def wrong_arrays(array):
    """Return what shall stand for an array, each with whether it must be refused."""
    flat = array.reshape(-1)
    return [
        (np.concatenate([flat, flat]), True),
        (flat[:-1], True),
        (array[None], True),
        (array.astype("i1"), True),
        (array.astype("f4" if array.dtype == "f8" else "f8"), True),
        (array.T.copy(), array.T.shape != array.shape),
        (np.full_like(array, np.nan) if array.dtype.kind == "f" else ~array, False),
        (np.zeros_like(array), False),
        (-array, False),
    ]


def hostile_tensors(kind):
    with tempfile.TemporaryDirectory() as folder:
        tensors, description = contents_of(NETWORKS[kind](), folder)
        for name, array in tensors.items():
            for i, (wrong, is_refused) in enumerate(wrong_arrays(array)):
                print(name, i, flush=True)
                net = load(write(folder, tensors | {name: wrong}, description))
                assert net is None or not is_refused
                if net is not None:
                    use(net)
            print(name, "missing", flush=True)
            kept = {other: tensors[other] for other in tensors if other != name}
            assert load(write(folder, kept, description)) is None or name == "optimizer.memory"
        for name in (
            "more",
            "layers.2.weights",
            "layers.1.biases",
            "buffers.0.mean",
            "fit.X",
            "history.x",
            "",
        ):
            assert load(write(folder, tensors | {name: np.zeros(3)}, description)) is None, name


TENSORS = {f"{kind}: tensors": partial(hostile_tensors, kind) for kind in NETWORKS}
SOME = TENSORS | {kind: partial(crafted, kind, 20) for kind in NETWORKS}
KEYS = [key for key in described.KEYS if key not in described.FURTHER]  # those of every file
ALL = {f"{kind}: {key}": partial(crafted, kind, 2, key) for kind in NETWORKS for key in KEYS}


def failures(table):
    return [f"{name}: {end}" for name, end in probes.outcomes(__file__, table).items() if end]


def test_contents_that_do_not_fit():
    found = failures("SOME")
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_more_contents_that_do_not_fit():
    found = failures("ALL")
    assert not found, "\n".join(found)


# ---- messages and memory -----------------------------------------------------------------------------------

MESSAGES = {
    ("seed",): (-1, "the network is invalid: seed is -1, expected an integer >= 0"),
    ("isa",): (None, "isa is None, expected a string"),
    ("dtype",): ("float16", "dtype is 'float16', expected float32 or float64"),
    ("layers", 0, "dropout"): (1.0, r"layers\[0\] is invalid: dropout is 1.0"),
    ("layers", 1, "dropout"): (0.5, r"layers\[2\] has dropout=0.5, expected 0 in the output layer"),
    ("layers", 1, "initializer"): (None, r"layers\[1\].initializer is null or missing"),
    ("layers", 0, "units"): (
        5,
        r"the tensor 'layers.0.weights' has .* shape \(3, 4\), expected float32 \(3, 5\)",
    ),
    ("optimizer", "current"): ({"type": "SGD"}, "optimizer.current is a value of SGD, expected one of Adam"),
    ("optimizer", "schedule"): (None, "optimizer.schedule is null, expected that of Adam"),
    ("history", "columns"): (["loss", "loss"], "history.columns is .*, expected distinct names"),
    ("history", "stopped"): (1, "history.stopped is 1, expected a string"),
    ("remembered", "made up", "best"): ([], r"remembered.'made up'.best is \[\], expected a number"),
    ("feature_names",): (["a", "b"], "feature_names is .*, expected None or a list of 3 strings"),
    ("inference",): (True, "history is .*, expected null in a file for inference"),
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return contents_of(NETWORKS["Adam"](), tmp_path_factory.mktemp("honest"))


@pytest.mark.parametrize("path", MESSAGES)
def test_messages(path, honest, tmp_path):
    wrong, message = MESSAGES[path]
    tensors, description = honest
    with pytest.raises(fastbp.ModelFileError, match=f"safetensors contains no valid network: .*{message}"):
        fastbp.load(write(tmp_path, tensors, replaced(description, path, wrong)))


TENSOR_MESSAGES = {
    "inputs.mean": (np.full(3, np.nan), "scaling has the shapes"),
    "targets.scale": (np.zeros(2), "scaling has the shapes"),
    "history.seconds": (np.zeros(3), r"the tensor 'history.seconds' has .* \(3,\), expected float64 \(2,\)"),
    "optimizer.state": (
        np.zeros((3, 24), "f4"),
        r"the tensor 'optimizer.state' has .* expected float32 \(2, 24\)",
    ),
    "optimizer.steps": (np.array(1, "i8"), "the tensor 'optimizer.steps' has the dtype int64"),
    "buffers.0.mean": (np.zeros(4), "the tensor 'buffers.0.mean' is unexpected"),
}


@pytest.mark.parametrize("name", TENSOR_MESSAGES)
def test_messages_of_tensors(name, honest, tmp_path):
    wrong, message = TENSOR_MESSAGES[name]
    tensors, description = honest
    with pytest.raises(fastbp.ModelFileError, match=f"contains no valid network: .*{message}"):
        fastbp.load(write(tmp_path, tensors | {name: wrong}, description))


def test_huge_layers_are_refused_without_memory(honest, tmp_path):
    """A small file cannot make the loader allocate what it only declares."""
    tensors, description = honest
    huge = replaced(replaced(description, ("n_in",), 10**6), ("layers", 0, "units"), 10**6)
    huge["feature_names"] = None
    for path in (
        write(tmp_path, tensors, huge),
        write(tmp_path, tensors, huge | {"history": None, "inference": True}, "inference"),
    ):
        tracemalloc.start()
        with pytest.raises(fastbp.ModelFileError, match=r"expected float32 \(1000000, 1000000\)"):
            fastbp.load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20


def test_a_checkpoint_is_a_network(tmp_path):
    """Parts of a fit are left aside."""
    net = NETWORKS["Adam"]()
    tensors, description = contents_of(net, tmp_path)
    path = write(tmp_path, tensors | {"fit.order": np.arange(3)}, description | {"fit": {"epochs": 3}})
    assert fastbp.load(path).predict(X).tobytes() == net.predict(X).tobytes()


def test_messages_of_long_parts_are_short(honest, tmp_path):
    tensors, description = honest
    for wrong in ({"k" * 10**5: 1}, {"format": 10**4000}):
        assert load(write(tmp_path, tensors, description | wrong)) is None


@pytest.mark.parametrize("wrong", ["x", 10**400, {"float": "inf"}])
@pytest.mark.parametrize("callback", [EarlyStopping("loss", resume=True), ReduceLROnPlateau("loss")])
def test_what_a_callback_cannot_have_remembered(callback, wrong, tmp_path):
    """The next fit refuses it, before it changes anything."""
    net = fastbp.Network([3, 2], seed=1)
    net.fit(X, X[:, :2], epochs=1, callbacks=callback)
    tensors, description = contents_of(net, tmp_path)
    for name in description["remembered"][repr(callback)]:
        if (wrong == {"float": "inf"} and name == "best") or (wrong == 10**400 and name != "best"):
            continue  # a value of its kind
        changed = replaced(description, ("remembered", repr(callback), name), wrong)
        loaded = fastbp.load(write(tmp_path, tensors, changed))
        with pytest.raises(fastbp.DataError, match=f"as its {name}, expected a number like"):
            loaded.fit(X, X[:, :2], epochs=1, callbacks=callback)
        assert len(loaded.history) == 1


@pytest.mark.filterwarnings("error")
def test_numbers_at_their_limits(tmp_path):
    """Scales whose inverse is infinite are refused, and so are step counts that later steps would wrap."""
    net = NETWORKS["Adam"]()
    tensors, description = contents_of(net, tmp_path)
    for name, wrong in (
        ("inputs.scale", np.full(3, 5e-324)),
        ("targets.scale", np.full(2, 1e-200)),
        ("optimizer.steps", np.array(2**63, np.uint64)),
    ):
        assert load(write(tmp_path, tensors | {name: wrong}, description)) is None, name
    tensors["inputs.mean"] = tensors["inputs.scale"] = np.full(3, 1.7e308)  # their sum is infinite
    assert np.isfinite(load(write(tmp_path, tensors, description)).predict(X)).all()


@pytest.mark.filterwarnings("error")
def test_memory_that_the_dtype_cannot_hold(tmp_path):
    tensors, description = contents_of(with_levenberg_marquardt(), tmp_path)
    tensors["optimizer.memory"] = np.full_like(tensors["optimizer.memory"], 1e300)
    load(write(tmp_path, tensors, description)).fit(X, X[:, :2], epochs=1, batch_size=None)
