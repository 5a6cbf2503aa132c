"""`Setting`: a network without its numbers, and the models that a process makes of it."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from fastbp import _core
from fastbp._architecture import Architecture
from fastbp._model import Model
from fastbp.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp._engine.protocol import EngineClass

MOST_SETTINGS, MOST_MODELS = 4, 64  # that a process keeps, and models of each


class Setting(NamedTuple):
    """A network without its numbers and its learning rate, as a fit begins with it."""

    architecture: Architecture
    engine_class: EngineClass
    isa: str
    scaling: Scaling | None = None
    target_scaling: Scaling | None = None
    optimizer: Optimizer = SGD(1.0)  # which has no state, for those who only need gradients

    @classmethod
    def of(cls, model: Model, isa: str, *, with_optimizer: bool = False) -> Setting:
        """Return the setting of a model, to be computed on this instruction set."""
        setting = cls(model.architecture, model.engine_class, isa, model.scaling, model.target_scaling)
        if with_optimizer:
            setting = setting._replace(optimizer=model.optimizer.with_learning_rate(1.0))
        return setting

    def without_penalties(self) -> Setting:
        """Return the setting of the same network without l1 and l2."""
        layers = tuple(layer._replace(l1=0.0, l2=0.0) for layer in self.architecture.layers)
        return self._replace(architecture=self.architecture.__replace__(layers=layers))

    def new_model(self) -> Model:
        """Return a model with parameters and optimizer state of zeros."""
        optimizer = self.optimizer
        parts = self.architecture, 0, optimizer, optimizer, optimizer.schedule(0)
        model = Model.described(*parts, self.engine_class)
        if isinstance(model.engine, _core.Engine):
            model.engine.use_isa(self.isa)
        model.scale(self.scaling, self.target_scaling)
        return model


class PackedSetting:
    """A `Setting` on its way to workers: pickled once, and unpacked where no model of it is kept.

    Attributes
    ----------
    key : bytes
        Stands for the setting in all processes.
    """

    def __init__(self, setting: Setting | None, key: bytes = b"", pickled: bytes = b"") -> None:
        self._setting, self.key, self._pickled = setting, key or os.urandom(16), pickled

    @property
    def setting(self) -> Setting:
        """The setting."""
        if self._setting is None:
            setting: Setting = pickle.loads(self._pickled)
            self._setting = setting
        return self._setting

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._pickled:
            from distributed.protocol.pickle import dumps  # which takes functions of __main__ by value

            self._pickled = dumps(self._setting)
        return PackedSetting, (None, self.key, self._pickled)


class Models:
    """Models that no task is using, by setting: a cache of one process, of bounded size.

    A task overwrites all numbers of the model that it borrows.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: OrderedDict[bytes, list[Model]] = OrderedDict()  # the last one used longest ago first

    @contextmanager
    def borrowed(self, packed: PackedSetting) -> Iterator[Model]:
        """Lend a model; one whose task fails is not kept."""
        with self._lock:
            idle = self._idle.get(packed.key)
            model = idle.pop() if idle else None
        model = packed.setting.new_model() if model is None else model
        yield model
        with self._lock:
            kept = self._idle.setdefault(packed.key, [])
            self._idle.move_to_end(packed.key)
            if len(kept) < MOST_MODELS:
                kept.append(model)
            if len(self._idle) > MOST_SETTINGS:
                self._idle.popitem(last=False)

    def forget(self, packed: PackedSetting) -> None:
        """Let go of the models of a setting."""
        with self._lock:
            self._idle.pop(packed.key, None)


models = Models()
