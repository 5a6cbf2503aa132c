"""Calls that change a network, and what must hold after each, however it ended.

`CHANGES` is a table of them. A `Change` makes its network anew for each try, so that one table serves every
kind of trouble: an interruption, an allocation that fails, a reference that is kept.
"""

import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fastbp
from fastbp import Dense, ShuffledSplit, schedules
from fastbp.callbacks import EarlyStopping, ExponentialMovingAverage, ReduceLROnPlateau
from helpers.inside import engine_of

SIZES = [3, 4, 2]


class Data:
    """Examples of one try, and `note`, a callback that a recording of the call puts to use."""

    def __init__(self, note: Callable[[Any], None] = lambda state: None) -> None:
        rng = np.random.default_rng(0)
        self.X = rng.normal(size=(12, 3))
        self.y = np.tanh(self.X[:, :2])
        self.held_out = self.X[:5].copy(), self.y[:5].copy()
        self.note = note


@dataclass(frozen=True)
class Change:
    """A call, and the options of the network that it is for; `prepare` trains that before."""

    call: Callable[[fastbp.Network, Data], Any]
    options: dict[str, Any] = field(default_factory=dict)
    layers: list[Any] = field(default_factory=lambda: SIZES)
    descends: bool = False  # whatever the parameters, a loss that is not higher is right
    keeps_first: bool = False  # a callback keeps the first epoch, also after an error
    counts_later: bool = False  # a Python step ends shortly before its epoch enters the history

    def fresh(self, network_class: type[fastbp.Network]) -> fastbp.Network:
        """Return a network that has not trained."""
        options = {"activation": "tanh", "dtype": "float64", "seed": 3, "optimizer": fastbp.Adam(0.01)}
        return network_class(self.layers, **options | self.options)

    def network(self, network_class: type[fastbp.Network] = fastbp.Network) -> fastbp.Network:
        """Return a network that has trained, has an optimizer's state and scales its inputs."""
        net = self.fresh(network_class)
        data = Data()
        net.adapt(data.X)
        net.fit(data.X, data.y, epochs=1, batch_size=None)
        return net


def custom_loss(output: Any, target: Any) -> tuple[float, Any]:
    """Return half the sum of the squared errors, and its derivative."""
    error = output - target
    return 0.5 * float((error * error).sum()), error


def fit(net: fastbp.Network, data: Data, callbacks: tuple[Any, ...] = (), **options: Any) -> Any:
    """Fit with full batches: every step ends an epoch, so that `note` sees the end of each."""
    both = (data.note, *callbacks, data.note)
    return net.fit(data.X, data.y, **{"epochs": 4, "batch_size": None} | options, callbacks=both)


class AllHooks:
    """A callback with all hooks, which do nothing."""

    def on_fit_begin(self, state: Any) -> None: ...
    def on_epoch_begin(self, state: Any) -> None: ...
    def on_batch_end(self, state: Any) -> None: ...
    def on_epoch_end(self, state: Any) -> None: ...
    def on_fit_end(self, state: Any) -> None: ...


def step_by_parts(net: fastbp.Network, data: Data) -> None:
    """Train as with a loss that only the caller knows."""
    net.backward(net.forward(data.X) - data.y)
    net.step()


def fit_two(net: fastbp.Network, data: Data) -> None:
    """Fit the network beside another one."""
    options: dict[str, Any] = {"epochs": 4, "batch_size": None}
    callbacks = [(), (data.note, data.note)]
    results = fastbp.fit_many([net.clone(), net], data.X, data.y, callbacks=callbacks, **options)
    errors = [result for result in results if isinstance(result, Exception)]
    try:
        if errors:
            raise errors[0]
    finally:
        del results, errors  # which the traceback would keep, in a circle


def unpickle(net: fastbp.Network, data: Data) -> None:
    """Copy the network through a pickle."""
    pickle.loads(pickle.dumps(net))


# worse from the first epoch on: the best epoch is the first
WORSE = {"optimizer": fastbp.SGD(3.0), "loss": "half_sse"}
DIVERGING = {"optimizer": fastbp.SGD(1e200), "loss": "half_sse", "activation": "identity"}
BEST = (EarlyStopping("validation_loss", 2, restore_best=True), ReduceLROnPlateau("loss", patience=1))
BY_EPOCH = {"optimizer": fastbp.SGD(lambda epoch: 0.1 / (1 + epoch))}
REGULAR = [3, Dense(4, l1=1e-3, l2=1e-3, dropout=0.2, max_norm=2.0), 2]
FROZEN = [3, Dense(4, bias=False, trainable=False), Dense(3, learning_rate_factor=0.5), 2]
WEIGHTS = np.linspace(0, 1, 12)


def setting(name: str, value: Any) -> Callable[[fastbp.Network, Data], None]:
    """Return the call that sets this attribute."""
    return lambda net, data: setattr(net, name, value)


CHANGES = {
    "fit": Change(fit),
    "fit, weighted": Change(lambda net, data: fit(net, data, sample_weight=WEIGHTS)),
    "fit, mini-batches": Change(
        lambda net, data: net.fit(data.X, data.y, batch_size=12, callbacks=data.note)
    ),
    "fit, validated": Change(
        lambda net, data: fit(net, data, validation_data=data.held_out, metrics=["r2", "mae"])
    ),
    "fit, restore_best": Change(
        lambda net, data: fit(net, data, BEST, validation_data=data.held_out), WORSE, keeps_first=True
    ),
    "fit, hooks": Change(lambda net, data: fit(net, data, (AllHooks(),), epochs=2)),
    "fit, averaging": Change(
        lambda net, data: fit(net, data, (ExponentialMovingAverage(0.5),), validation_data=data.held_out)
    ),
    "fit, split": Change(
        lambda net, data: fit(
            net, data, validation_split=ShuffledSplit(0.3), validation_every=3, max_seconds=1e6
        )
    ),
    "fit, tol": Change(lambda net, data: fit(net, data, epochs=9, tol=0.5, patience=1)),
    "fit, gradient_tol": Change(lambda net, data: fit(net, data, gradient_tol=1e3)),
    "fit, rate of the epoch": Change(fit, BY_EPOCH),
    "fit, schedule": Change(fit, {"optimizer": fastbp.SGD(schedules.Step(0.1, 2, 0.5), momentum=0.9)}),
    "fit, custom loss": Change(fit, {"loss": custom_loss, "optimizer": fastbp.SGD(0.01)}, counts_later=True),
    "fit, diverging": Change(lambda net, data: fit(net, data, epochs=9), DIVERGING),
    "fit, regularized": Change(fit, {"input_noise": 0.1}, REGULAR),
    "fit, Levenberg-Marquardt": Change(
        lambda net, data: fit(net, data, epochs=2),
        {"optimizer": fastbp.LevenbergMarquardt(bayesian=True)},
        counts_later=True,
    ),
    "fit, verbose": Change(lambda net, data: fit(net, data, epochs=2, verbose=2)),
    "fit_many": Change(fit_two),
    "train_on_batch": Change(lambda net, data: net.train_on_batch(data.X, data.y)),
    "loss_and_gradients": Change(lambda net, data: net.loss_and_gradients(data.X, data.y)),
    "forward, backward": Change(lambda net, data: net.backward(net.forward(data.X))),
    "forward, backward, step": Change(step_by_parts),
    "adapt": Change(lambda net, data: net.adapt(2 * data.X + 1)),
    "adapt(None)": Change(lambda net, data: net.adapt(None)),
    "adapt(X, y)": Change(lambda net, data: net.adapt(2 * data.X + 1, 3 * data.y - 1)),
    "setting the optimizer": Change(setting("optimizer", fastbp.RMSprop(0.1, momentum=0.5))),
    "setting the learning rate": Change(setting("learning_rate", 0.5)),
    "setting trainable": Change(setting("trainable", [True, False])),
    "setting learning_rate_factors": Change(setting("learning_rate_factors", [0.5, 2])),
    "setting class_names": Change(setting("class_names", ["no", "yes"])),
    "fit, frozen": Change(fit, layers=FROZEN),
    "replace_output": Change(lambda net, data: net.replace_output(5, freeze=True)),
    "reset": Change(lambda net, data: net.reset()),
    "minimize": Change(
        lambda net, data: fastbp.minimize(net, data.X, data.y, max_iterations=3), descends=True
    ),
    "clone": Change(lambda net, data: net.clone()),
    "pickle": Change(unpickle),
    "evaluate": Change(lambda net, data: net.evaluate(data.X, data.y, metrics=["r2", "mae"])),
    "predict": Change(lambda net, data: net.predict(data.X)),
}


# ---- what must hold ----------------------------------------------------------------------------------------


def numbers(net: fastbp.Network) -> tuple[Any, ...]:
    """Return what a step, a scaling or a setting changes, as a value."""
    engine = engine_of(net)
    scalings = net.input_mean, net.input_scale, net.target_mean, net.target_scale
    scaling = [None if a is None else a.tobytes() for a in scalings]
    # a rate that is a function of the epoch is asked for as the next one begins
    has_rate = (
        isinstance(net.optimizer, fastbp.optimizers.GradientOptimizer) and not net.optimizer.goes_by_epoch
    )
    rate = net.learning_rate if has_rate else None
    fits_only = isinstance(net.optimizer, fastbp.LevenbergMarquardt)
    t = None if fits_only else engine.t  # which only formulas of single steps read
    return engine.parameters.tobytes(), engine.state.tobytes(), t, repr(net.optimizer), rate, *scaling


class Course:
    """A call without trouble: where a call that is broken off may leave its network."""

    def __init__(self, change: Change, network_class: type[fastbp.Network] = fastbp.Network) -> None:
        self.change, self._class = change, network_class
        self._fresh = change.fresh(network_class).parameters
        net = change.network(network_class)
        self._before, self._loss_before = len(net.history), self._loss(net)
        self._right = {(numbers(net), self._before)}

        def note(state: Any) -> None:
            if state.epoch == 0 or not change.keeps_first:
                self._right.add((numbers(net), self._before + state.epoch + 1))

        with suppress(fastbp.DivergenceError):
            change.call(net, Data(note))
        self._right.add((numbers(net), len(net.history)))
        self._losses = net.history.loss

    def network(self) -> fastbp.Network:
        """Return a network as that was before the call."""
        return self.change.network(self._class)

    def _loss(self, net: fastbp.Network) -> float:
        data = Data()
        return net.evaluate(data.X, data.y)["loss"]

    def wrong(self, net: fastbp.Network, atomic: bool = True) -> list[str]:
        """Return what is wrong with a network that such a call left.

        An engine whose steps are not atomic may be left in the middle of one.
        """
        found = []
        try:
            for what, holds in self._checks(net, atomic):
                if not holds:
                    found.append(what)
        except Exception as error:
            found.append(f"usable, but {error!r}")
        return found

    def _checks(self, net: fastbp.Network, atomic: bool) -> Any:
        data, engine = Data(), engine_of(net)
        yield "parameters finite", np.isfinite(engine.parameters).all()
        yield "optimizer state finite", np.isfinite(engine.state).all()
        yield "history columns of one length", len({len(net.history[name]) for name in net.history}) == 1
        if self.change.descends:
            yield "a loss that is not higher", self._loss(net) <= self._loss_before * (1 + 1e-12)
        elif atomic:
            epochs = [len(net.history) + later for later in range(1 + self.change.counts_later)]
            if self.change.keeps_first and len(net.history) > self._before:
                epochs.append(self._before + 1)
            is_right = any((numbers(net), n) in self._right for n in epochs)
            yield "at the end of a step, with the history of that", is_right
            n = min(len(net.history), len(self._losses))
            yield "the losses of the same call", net.history.loss[:n] == self._losses[:n]
        for what, copy in (("clone", net.clone), ("pickle", lambda: pickle.loads(pickle.dumps(net)))):
            if what == "pickle" and net.optimizer.goes_by_epoch:
                continue  # a function of the test's has no name to pickle it by
            twin = copy()
            yield (
                f"a {what} predicts alike",
                np.array_equal(net.predict(data.X), twin.predict(data.X), equal_nan=True),
            )
            yield f"a {what} is the same", numbers(net) == numbers(twin)
        yield "usable", self._works(net, data)

    def _works(self, net: fastbp.Network, data: Data) -> bool:
        """Tell whether the network trains and resets as ever: nothing holds it busy, nothing is stale."""
        before = len(net.history)
        if not isinstance(net.optimizer, fastbp.LevenbergMarquardt):
            net.forward(data.X)
            net.backward(np.zeros_like(data.y))
            net.step()
        try:
            net.fit(data.X, data.y, epochs=2, batch_size=None)
        except fastbp.DivergenceError:
            pass
        else:
            if len(net.history) != before + 2:
                return False
        kind = type(net.optimizer)
        net.trainable = True  # a frozen layer keeps its weights
        net.reset()
        if type(net.optimizer) is not kind:
            return False
        return np.array_equal(net.parameters, self._fresh) and len(net.history) == 0
