"""`Model`: one network's architecture and everything that training changes."""

from __future__ import annotations

import os
from copy import copy
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core, initializers
from fastbp._architecture import Architecture
from fastbp._base.arguments import integer, number
from fastbp._data.checks import InputChecks
from fastbp._model import states
from fastbp._model.rows import optimizer_numbers, rates, scaling_numbers
from fastbp._model.trainer import trainer_of
from fastbp.history import History
from fastbp.layers import trained
from fastbp.losses import CustomLoss, mse
from fastbp.optimizers import GradientOptimizer, Optimizer
from fastbp.schedules import Schedule, check_row

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp._engine.protocol import Engine, EngineClass, Trainer

Array: TypeAlias = NDArray[Any]

# What the last call left that goes with the present parameters: the shape of the X of a forward pass that
# `backward` may follow, or None, and whether there are gradients.
Left: TypeAlias = tuple[tuple[int, ...] | None, bool]
NOTHING: Left = (None, False)


class Model:
    """The state behind a `Network`: architecture, engine, current optimizer and schedule, scaling, history.

    It checks no arrays and lets every call in; `Network` calls its methods through `guard`.

    Attributes
    ----------
    architecture : Architecture
    engine : Engine
        Parameters, gradients, optimizer state, and the passes over them.
    trainer : Trainer
        The engine, or with a custom loss or activation the Python code around it.
    checks : InputChecks
    guard : Guard
    chosen : Optimizer
        The optimizer that the user set, to which `reset` returns.
    optimizer : Optimizer
        The current optimizer: `chosen`, or `chosen` with a learning rate that was set later.
    makes_steps : bool
        Whether the optimizer can make single steps.
    schedule : Schedule
        The current schedule.
    scaling, target_scaling : Scaling or None
        Mean and scale of the inputs and of the targets, after `adapt`.
    seed : int
    history : History
        All epochs since the model was made or reset.
    remembered : dict
        By callback, what those with ``resume = True`` remember: numbers and strings by name. `reset` and
        setting the optimizer forget it.
    feature_names, class_names : tuple of str, or None
        Names of the inputs, and of the outputs as classes.
    is_trainable, is_differentiable : bool
        Whether the architecture is, kept here because asking it would slow calls for one batch.
    """

    __slots__ = (
        "architecture",
        "checks",
        "chosen",
        "class_names",
        "engine",
        "engine_class",
        "guard",
        "history",
        "is_differentiable",
        "is_trainable",
        "makes_steps",
        "optimizer",
        "remembered",
        "scaling",
        "schedule",
        "seed",
        "target_scaling",
        "trainer",
    )

    def __init__(
        self, architecture: Architecture, optimizer: Optimizer, seed: int, engine_class: EngineClass
    ) -> None:
        """Set the model up with parameters of zeros."""
        optimizer.check_dtype(architecture.dtype)
        self._set_up(architecture, seed, engine_class)
        self._install(*self._prepared(optimizer, epoch=0))

    def _set_up(self, architecture: Architecture, seed: int, engine_class: EngineClass) -> None:
        """Set up all but the optimizer."""
        self.seed, self.engine_class = seed, engine_class
        self._describe(architecture)
        self.checks, self.guard = InputChecks(architecture), _core.Guard()
        self.scaling: Scaling | None = None
        self.target_scaling: Scaling | None = None
        self.history = History()
        self.class_names: tuple[str, ...] | None = None
        self.engine = self._new_engine(architecture)
        self.trainer: Trainer = trainer_of(self.engine, architecture)

    @classmethod
    def described(
        cls,
        architecture: Architecture,
        seed: int,
        chosen: Optimizer,
        optimizer: Optimizer,
        schedule: Schedule,
        engine_class: EngineClass,
    ) -> Self:
        """Return a model of checked parts with zeros for all of its numbers; it calls no user code.

        `chosen` is the optimizer that the user set, `optimizer` the current one and `schedule` that in force.
        """
        model = object.__new__(cls)
        model._set_up(architecture, seed, engine_class)
        # A function of the epoch is not called: the schedule has what it returned.
        rated = optimizer.__replace__(learning_rate=schedule) if optimizer.goes_by_epoch else optimizer
        setup = model.engine.prepare_optimizer(*optimizer_numbers(rated, schedule))
        model._install(setup, optimizer, schedule)
        model.chosen = chosen
        return model

    def _describe(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.is_differentiable = not architecture.obstacle
        self.is_trainable = self.is_differentiable and any(architecture.trainable)

    def check_trainable(self) -> None:
        """Raise ParameterError if no gradient can train the network, or all of its layers are frozen."""
        if not self.is_trainable:
            self.architecture.check_trainable()

    def check_differentiable(self) -> None:
        """Raise ParameterError if no gradient can train the network, frozen layers or not."""
        if not self.is_differentiable:
            self.architecture.check_trainable()

    def set_training(self, what: str, architecture: Architecture) -> None:
        """Change to an architecture that differs only in how layers are trained; all numbers stay."""
        self.guard.changing(f"setting {what}", NOTHING, self._put_training, architecture)

    def _put_training(self, architecture: Architecture) -> None:
        self.engine.set_training(architecture.trainable, architecture.learning_rate_factors)
        self._describe(architecture)

    def _new_engine(self, architecture: Architecture) -> Engine:
        """Return an engine with parameters of zeros."""
        loss: Any = architecture.loss
        return self.engine_class(
            architecture.layers,
            mse if isinstance(loss, CustomLoss) else loss,  # in place of a custom one; never computed
            _core.aligned_zeros(architecture.n_parameters, architecture.dtype),
            seed=self.seed,
            input_noise=architecture.input_noise,
        )

    def twin(self, dtype: np.dtype[Any]) -> Engine:
        """Return an engine in another dtype with copies of the parameters, and without an optimizer."""
        engine = self._new_engine(self.architecture.__replace__(dtype=dtype))
        engine.parameters[:] = self.engine.parameters
        engine.set_scaling(*scaling_numbers(self.scaling, self.target_scaling, self.architecture.loss))
        return engine

    # ---- optimizer and learning rate -----------------------------------------------------------------------

    def set_optimizer(self, optimizer: Optimizer) -> None:
        """Use another optimizer from now on, with a state of zeros."""
        optimizer.check_dtype(self.architecture.dtype)
        prepared = self._prepared(optimizer, len(self.history))
        self.guard.changing("setting the optimizer", NOTHING, self._install, *prepared)

    def _prepared(self, optimizer: Optimizer, epoch: int) -> tuple[Any, Optimizer, Schedule]:
        """Return the arguments of `_install`, for an optimizer that starts in this epoch."""
        schedule = self.checked_schedule(optimizer, epoch)
        setup = self.engine.prepare_optimizer(*optimizer_numbers(optimizer, schedule))
        return setup, optimizer, schedule

    def _install(self, setup: Any, optimizer: Optimizer, schedule: Schedule) -> None:
        self.engine.install_optimizer(setup)
        self.chosen = self.optimizer = optimizer
        self.schedule = schedule
        self.remembered: dict[str, dict[str, float | str]] = {}
        self.makes_steps = isinstance(optimizer, GradientOptimizer)

    def checked_schedule(self, optimizer: Optimizer, epoch: int) -> Schedule:
        """Return the optimizer's schedule in this epoch; refuse rates that the dtype cannot hold."""
        schedule = optimizer.schedule(epoch)
        check_row(schedule)
        schedule.check_dtype(self.architecture.dtype)
        return schedule

    def put_in_force(self, optimizer: Optimizer, schedule: Schedule) -> None:
        """Change to an optimizer that differs only in its learning rate; may be repeated if interrupted."""
        self.engine.set_schedule(*rates(schedule))
        self.optimizer, self.schedule = optimizer, schedule

    def set_learning_rate(self, rate: float) -> None:
        """Use a constant learning rate from now on, which the dtype holds; the optimizer keeps its state."""
        optimizer = self._with_learning_rate(rate)
        optimizer.check_dtype(self.architecture.dtype)
        schedule = self.checked_schedule(optimizer, epoch=0)
        self.guard.changing("setting the learning rate", None, self.put_in_force, optimizer, schedule)

    def _with_learning_rate(self, rate: float) -> Optimizer:
        return self.optimizer.with_learning_rate(number("learning_rate", rate, above=0))

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step; setting it ends a schedule and keeps the optimizer's state.

        Callbacks set it, and may let it fall below what the dtype can hold.
        """
        return self.engine.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        optimizer = self._with_learning_rate(rate)
        _core.to_the_end(self.put_in_force, (optimizer, self.checked_schedule(optimizer, epoch=0)))

    def begin_epoch(self, epoch: int) -> None:
        """Ask for the learning rate of this epoch, if it is a function of the epoch."""
        if self.optimizer.goes_by_epoch:
            _core.to_the_end(
                self.put_in_force, (self.optimizer, self.checked_schedule(self.optimizer, epoch))
            )

    # ---- parameters and scaling ----------------------------------------------------------------------------

    def draw_weights(self, parameters: Array) -> None:
        """Draw the initial weights from the seed into a vector of zeros (P,)."""
        for i, (W, _) in enumerate(self.architecture.split(parameters)):
            W[:] = initializers.draw(self.architecture.initializers[i], self.seed, i, *W.shape)

    def reset(self) -> None:
        """Draw the initial weights, but of frozen layers; reset optimizer state, step count and history."""
        prepared = self._prepared(self.chosen, epoch=0)
        parameters = self.engine.parameters.copy()
        drawn = np.zeros_like(parameters)
        self.draw_weights(drawn)
        for part, _ in trained(self.architecture.layers):
            parameters[part] = drawn[part]
        self.guard.changing("reset", NOTHING, self._start, prepared, parameters, History())

    def _start(self, prepared: tuple[Any, Optimizer, Schedule], parameters: Array, history: History) -> None:
        self._install(*prepared)
        self.engine.parameters[:] = parameters
        self.history = history

    def scale(
        self,
        inputs: Scaling | EllipsisType | None,
        targets: Scaling | EllipsisType | None,
        names: tuple[str, ...] | None = None,
    ) -> None:
        """Scale inputs and targets from now on, and `adopt` names; None: no scaling; ...: keep what holds."""
        x = self.scaling if isinstance(inputs, EllipsisType) else inputs
        y = self.target_scaling if isinstance(targets, EllipsisType) else targets
        self.trainer.set_scaling(*scaling_numbers(x, y, self.architecture.loss))
        self.checks.scale_targets(y is not None)
        self.scaling, self.target_scaling = x, y
        self.adopt(names)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the inputs; the checks of arrays need them, too."""
        return self.checks.feature_names

    @feature_names.setter
    def feature_names(self, names: tuple[str, ...] | None) -> None:
        self.checks.feature_names = names

    def adopt(self, names: tuple[str, ...] | None) -> None:
        """Name the inputs, if they have no names yet and there are names for them."""
        self.feature_names = self.feature_names or names

    def name(self, what: str, given: Any) -> None:
        """Name the features or the classes: `what` is the attribute's name."""
        self.guard.changing(f"setting {what}", None, setattr, self, what, self.checked_names(what, given))

    def checked_names(self, what: str, given: Any) -> tuple[str, ...] | None:
        """Return names for one of the attributes `feature_names` and `class_names`; None for none."""
        from fastbp._data.names import checked  # few need it

        return checked(what, given, self.architecture)

    # ---- copies --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return everything that a copy needs; it shares no memory with the model."""
        engine = self.engine
        return {
            "format": states.FORMAT,
            "architecture": self.architecture,
            "seed": self.seed,
            "optimizers": (self.chosen, self.optimizer),
            "schedule": self.schedule,
            "numbers": (engine.parameters.copy(), engine.state.copy(), engine.t, copy(engine.memory)),
            "scaling": self.scaling,
            "target_scaling": self.target_scaling,
            "history": copy(self.history),
            "remembered": states.remembered(self.remembered),
            "names": (self.feature_names, self.class_names),
        }

    def take_over(self, other: Model) -> None:
        """Become like a model of the same architecture, whose optimizer differs only in its learning rate.

        The arrays of the engine stay where they are. May be repeated if interrupted.
        """
        own, its = self.engine, other.engine
        own.parameters[:], own.state[:] = its.parameters, its.state
        own.t, own.memory = its.t, copy(its.memory)
        own.seed = self.seed = other.seed
        self.scale(other.scaling, other.target_scaling)
        self.put_in_force(other.optimizer, other.schedule)
        self.remembered, self.history = other.copy_of_remembered(), other.history

    def copy_of_remembered(self) -> dict[str, dict[str, float | str]]:
        """Return a copy of what callbacks remember, which later epochs do not change."""
        return {name: dict(state) for name, state in self.remembered.items()}

    @classmethod
    def from_state(cls, state: Any, engine_class: EngineClass) -> Self:
        """Return the model with this state, whose parts may be anything.

        Raises
        ------
        DataError
            The state comes from another version of fastbp.
        Exception
            Any other, if its parts do not fit each other.
        """
        states.check_format(state)
        architecture = states.expect("architecture", state["architecture"], Architecture)
        chosen, optimizer = state["optimizers"]
        optimizers = states.optimizers_of(chosen, optimizer, state["schedule"], architecture)
        model = cls.described(architecture, resolve_seed(state["seed"]), *optimizers, engine_class)
        parameters, optimizer_state, steps, memory = state["numbers"]
        states.copy_into(model.engine.parameters, "parameters", parameters)
        states.copy_into(model.engine.state, "optimizer state", optimizer_state)
        model.complete(
            steps,
            memory,
            (state["scaling"], state["target_scaling"]),
            states.expect("history", state["history"], History),
            state["remembered"],
            state["names"],
        )
        return model

    def complete(
        self,
        steps: Any,
        memory: Any,
        scalings: tuple[Any, Any],
        history: History,
        remembered: Any,
        names: tuple[Any, Any],
    ) -> None:
        """Take over the parts of a state beside its large arrays; refuse those that do not fit the model.

        `memory` is that of Levenberg-Marquardt or None; each pair is of the inputs or features first.
        """
        engine = self.engine
        engine.t = integer("steps", steps, at_least=0, below=2**63)  # half of what C holds: it never wraps
        if memory is not None:
            engine.memory = states.vector("memory", memory, engine.parameters.size + 2)
        if any(found is not None for found in scalings):
            from fastbp._data import scaling  # few need it

            self.scale(*scaling.of_copy(self.checks, *scalings))
        self.history, self.remembered = history, states.remembered(remembered)
        if any(found is not None for found in names):
            self.feature_names = self.checked_names("feature_names", names[0])
            self.class_names = self.checked_names("class_names", names[1])


def resolve_seed(seed: int | None) -> int:
    """Return the seed as an int; for None, a new one."""
    if seed is None:
        return int.from_bytes(os.urandom(8), "little")
    return integer("seed", seed, at_least=0, below=2**64)
