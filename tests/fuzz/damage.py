"""Damaged model files are loaded, fits continue from damaged checkpoints, and this must hold.

- A damaged file is refused by ModelFileError, or by ParameterError where it names something of the caller's.
- If only the checksum is wrong, the file is always refused.
- A fit that refuses a file has changed nothing.
- What is accepted is a network: it predicts, trains, and can be saved and loaded again.
- Nothing needs much memory: not even MemoryError is allowed.
"""

import contextlib
import json
import random as plain
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

import fastbp
from fastbp import callbacks
from fuzz.arguments import Subject, inputs, targets, value
from helpers.model_files import assembled, header_of, sealed
from helpers.problems import fitting

DAMAGES = 10  # of one file
LONGEST = 3000  # characters of an error
CUSTOM = {"f": len, "len": len}  # a function is stored by its own name
PATH = Path("damaged.safetensors")  # in the current folder, which is the worker's own
ALIEN: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    10**9,
    2**63,
    -(2**63),
    10**30,
    0.5,
    -0.0,
    1e308,
    "",
    "x",
    [],
    {},
]
ALIEN += [
    [0],
    [None],
    [[]],
    {"type": "Dense"},
    {"custom": "f"},
    {"custom": 1},
    {"type": "eval"},
    "float64",
    "adam",
]


class DamagedFile:
    """Loads of one file with many damages, the probe of this index in a campaign."""

    entry = "load of a damaged file"
    allowed: tuple[type[Exception], ...] = (fastbp.ModelFileError, fastbp.ParameterError)

    def __init__(self, seed: int, index: int) -> None:
        self._plain = plain.Random(f"{seed}:{index}")
        self._random = np.random.default_rng([seed, index])
        dtype = str(self._random.choice(["float32", "float64"]))
        self._subject = Subject([3, 4, 2], dtype, value(self._random, "loss", None, 0), 5)
        self._subject.layers = list(fitting(self._subject.layers, self._subject.loss))
        self.done = 0

    def describe(self) -> str:
        """Return the probe as text."""
        return f"{self.entry}: {DAMAGES} times, of {self._subject}"

    def run(self) -> list[str]:
        """Damage the file of a random network again and again; return what is wrong."""
        with np.errstate(all="ignore"):
            sound = self._sound_file()
            found = [what for _ in range(DAMAGES) for what in self._load_damaged(sound)]
        return sorted(set(found))

    def _sound_file(self) -> bytes:
        """Return the bytes of a file."""
        options = {
            name: value(self._random, name, self._subject, 0) for name in ("optimizer", "input_noise", "seed")
        }
        net = fastbp.Network(
            self._subject.layers, loss=self._subject.loss, dtype=self._subject.dtype, **options
        )
        if self._plain.random() < 0.5:
            net.adapt(np.arange(15.0).reshape(5, 3))
        if self._plain.random() < 0.7:
            self._train(net)
        net.save(PATH, inference=self._plain.random() < 0.2)
        return PATH.read_bytes()

    def _train(self, net: fastbp.Network) -> None:
        """Train for an epoch, if the network can."""
        subject = self._subject
        y = targets(self._random, subject)
        try:
            net.fit(inputs(self._random, subject), y, epochs=1, batch_size=None)
        except (fastbp.Error, TypeError):
            if subject.wild:
                return
            raise

    def _load_damaged(self, sound: bytes) -> list[str]:
        damage = self._plain.choice(
            [self._flipped, self._reworded, self._retold, self._retold, self._relisted]
        )
        data = damage(sound)
        with open(PATH, "r+b") as file:
            file.write(data)
            file.truncate()
        try:
            net = self._open()
        except self.allowed as error:
            return ["unexpected exception: a text of many lines"] if len(str(error)) > LONGEST else []
        except Exception as error:
            return [f"unexpected exception: {type(error).__name__}"]
        if damage == self._flipped and data != sound:
            return ["wrong silence: damage is not noticed"]
        return self._used(net)

    def _open(self) -> fastbp.Network:
        """Return the network in the file."""
        return fastbp.load(PATH, custom=CUSTOM)

    def _used(self, net: fastbp.Network) -> list[str]:
        """Use a network that was loaded."""
        found = []
        for use in (self._predicts, self._saved_again, self._trained):
            try:
                found += use(net)
            except fastbp.Error:
                pass
            except Exception as error:
                found.append(f"unexpected exception: {type(error).__name__} by {use.__name__.strip('_')}")
        return found

    def _predicts(self, net: fastbp.Network) -> list[str]:
        rows = len(net.predict(zeros(net)))
        return [] if rows == 2 else ["wrong silence: predict returns another number of rows"]

    def _saved_again(self, net: fastbp.Network) -> list[str]:
        net.save(PATH)
        try:
            again = fastbp.load(PATH, custom=CUSTOM)
        except fastbp.Error:
            return ["wrong silence: what was loaded can be saved, but not loaded again"]
        same = again.parameters.tobytes() == net.parameters.tobytes()
        return [] if same else ["wrong silence: other numbers after the second load"]

    def _trained(self, net: fastbp.Network) -> list[str]:
        net.fit(zeros(net), np.zeros((2, 1)), epochs=1, batch_size=None)
        return []

    # ---- damages

    def _flipped(self, data: bytes) -> bytes:
        """Change, delete or insert some bytes; the checksum is wrong."""
        pick = self._plain
        changed = bytearray(data)
        for _ in range(pick.randint(1, 3)):
            at = pick.randrange(len(changed))
            changed[at : at + pick.randint(0, 4)] = pick.randbytes(pick.randint(0, 4))
        return bytes(changed)

    def _reworded(self, data: bytes) -> bytes:
        """Do the same, and correct the checksum."""
        return sealed(self._flipped(data))

    def _retold(self, data: bytes) -> bytes:
        """Change the description."""
        listed, told, payload = taken_apart(data)
        for _ in range(self._plain.randint(1, 2)):
            self._change(told)
        return assembled(json.dumps(listed), json.dumps(told), payload)

    def _relisted(self, data: bytes) -> bytes:
        """Change the list of arrays, and the description sometimes."""
        listed, told, payload = taken_apart(data)
        self._change(listed)
        if self._plain.random() < 0.3:
            self._change(told)
        return assembled(json.dumps(listed), json.dumps(told), payload)

    def _change(self, node: Any) -> None:
        """Change a random part of JSON."""
        pick = self._plain
        while True:
            key = pick.choice([*node] if isinstance(node, dict) else [*range(len(node))]) if node else None
            inner = None if key is None else node[key]
            if not isinstance(inner, (dict, list)) or not inner or pick.random() < 0.1:
                break
            node = inner
        how = pick.randrange(5)
        if how == 0 and key is not None:
            del node[key]
        elif how == 1 and isinstance(node, dict):
            node[pick.choice(["", "type", "custom", "x", "units", "format"])] = deepcopy(pick.choice(ALIEN))
        elif how == 2 and isinstance(node, list):
            node.append(deepcopy(pick.choice([*node, *ALIEN])))
        elif key is not None:
            near = [inner + 1, inner * 2, -inner] if type(inner) in (int, float) else []
            node[key] = deepcopy(pick.choice([*ALIEN, *near, *near, [inner], {"type": inner}]))


class KillError(Exception):
    """Ends a fit as a kill does: without another file."""


class DamagedCheckpoint(DamagedFile):
    """Fits that continue from one checkpoint with many damages, the probe of this index in a campaign."""

    entry = "fit from a damaged checkpoint"
    allowed = (
        fastbp.ModelFileError,
        fastbp.ParameterError,
        fastbp.DataError,
    )  # the last one: not of these X and y

    def _sound_file(self) -> bytes:
        """Return the bytes of a checkpoint."""
        pick, subject = self._plain, self._subject
        subject.layers, subject.loss = [3, 4, 2], pick.choice(["mse", "log_cosh", "cross_entropy"])
        self._optimizer = value(self._random, "optimizer", subject, 0)
        self._X = self._random.normal(size=(5, 3))
        self._y = np.arange(5) % 2 if subject.loss == "cross_entropy" else self._random.normal(size=(5, 2))
        watchers = [
            callbacks.EarlyStopping("loss", restore_best=True),
            callbacks.ReduceLROnPlateau("loss", patience=1),
            callbacks.ExponentialMovingAverage(0.9),
        ]
        self._batch_size = 2 if self._optimizer in ("sgd", "adam", "rmsprop", "lion") else None
        self._callbacks = [watcher for watcher in watchers if pick.random() < 0.5]
        checkpoint = callbacks.Checkpoint(PATH, every=pick.choice([1, "0.000001s"]), keep=1)
        last = pick.choice([1, 2, 9])

        def kill(state: Any) -> None:
            if state.epoch == last:
                raise KillError

        with contextlib.suppress(KillError):
            self._fit(self._network(), callbacks=[*self._callbacks, checkpoint, kill])
        return PATH.read_bytes()

    def _network(self) -> fastbp.Network:
        subject = self._subject
        return fastbp.Network(
            subject.layers, loss=subject.loss, dtype=subject.dtype, optimizer=self._optimizer, seed=1
        )

    def _fit(self, net: fastbp.Network, **options: Any) -> None:
        net.fit(self._X, self._y, epochs=4, batch_size=self._batch_size, **options)

    def _open(self) -> fastbp.Network:
        """Return a network after a fit that continued from the file."""
        net = self._network()
        before = net.parameters.tobytes()
        try:
            self._fit(net, callbacks=self._callbacks, resume=PATH)
        except fastbp.DivergenceError:
            pass
        except fastbp.Error:
            if net.parameters.tobytes() != before or len(net.history):
                raise RuntimeError("changed by a refused file") from None
            raise
        return net

    def _change(self, node: Any) -> None:
        """Change what only checkpoints have more often."""
        fit = node.get("fit")  # which may have been changed to anything
        super()._change(fit if isinstance(fit, (dict, list)) and self._plain.random() < 0.7 else node)


def zeros(net: fastbp.Network) -> Any:
    """Return two rows of inputs."""
    return np.zeros((2, len(net.weights[0])))


def taken_apart(data: bytes) -> tuple[Any, Any, bytes]:
    """Return the list of arrays, the description without checksum, and the bytes of the arrays."""
    header = header_of(data)
    listed = json.loads(header)
    told = json.loads(listed.pop("__metadata__")["fastbp"])
    del told["checksum"]
    return listed, told, data[8 + len(header) :]
