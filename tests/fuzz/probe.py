"""One random call, and what must hold of it.

- It returns, or raises an error of fastbp's, TypeError for a call that Python itself refuses, or MemoryError.
- An argument of an unknown name is refused.
- The caller's arrays are what they were; so is the network after a refusal.
- Ordinary numbers make no NaN and no infinity, and both engines make the same of them.
- A value is equal to its copies, and a network takes no value whose numbers its dtype cannot hold.
"""

import contextlib
import io
import math
import pickle
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

import fastbp
from fastbp import reference
from fuzz.arguments import SHARES, Subject, value
from fuzz.entries import FUNCTIONS, METHODS, parameters
from fuzz.streams import TAKE_BATCHES, Batches, is_read_late, stream
from helpers.inside import engine_of
from helpers.problems import fitting

WRONG = 0.15  # of the arguments: anything
GIVEN = 0.35  # of the optional arguments
UNKNOWN = 0.04  # of the calls: with an argument that nobody knows
UNKNOWN_NAMES = ("lr", "weight_decay_", "betas", "learningrate", "random_state", "n_jobs", "size")
LONGEST = 2000  # characters of an error
PROTOCOL = ("argument", "positional", "callable", "abstract class")  # in TypeErrors of Python's own

ALLOWED = (fastbp.Error, MemoryError)
LOOKUPS = {
    "history.row": (IndexError, TypeError),
    "history[]": (KeyError, TypeError),  # as of lists and dicts
    **dict.fromkeys(("fastbp.load", "load", "save", "export_arrays"), OSError),
}
ODD = ("step", "exponential")  # hidden units that jump, or make exp(exp(x))
SMOOTH = ("sgd", "momentum", "nesterov")  # whose steps follow small differences of gradients only so far


class Outcome:
    """Outcome of a call: a result or an error."""

    def __init__(self, call: Any, *args: Any, **given: Any) -> None:
        self.result, self.error = None, None
        try:
            self.result = call(*args, **given)
        except Exception as error:
            self.error = error

    @property
    def kind(self) -> str:
        return "a result" if self.error is None else type(self.error).__name__


class Probe:
    """The call with this index in a campaign."""

    def __init__(self, seed: int, index: int) -> None:
        self._random = np.random.default_rng([seed, index])
        names = [*FUNCTIONS, *METHODS, *METHODS, *METHODS]  # more often, because they take more arguments
        self.entry = names[self._random.integers(len(names))]
        self._is_method = self.entry in METHODS
        self._call = METHODS[self.entry] if self._is_method else FUNCTIONS[self.entry]
        self._subject = self._draw_subject()
        self._unknown = ""
        self.given = self._draw_arguments()

    def _draw_subject(self) -> Subject:
        random = self._random
        layers = random.integers(1, 9, size=random.integers(2, 5)).tolist()
        dtype = "float32" if random.random() < 0.5 else "float64"
        loss = value(random, "loss", None, 0)
        layers = list(fitting(layers, loss))
        rows = int(random.integers(1, 20))
        return Subject(
            layers, dtype, loss, rows, is_one_row=self.entry in ("predict", "forward") and rows == 1
        )

    def _draw_arguments(self) -> dict[str, Any]:
        random, subject = self._random, self._subject
        names, required = parameters(self._call)
        if "callbacks" in names:
            required.add("callbacks")  # which end a fit of any number of epochs
        wrong = WRONG if random.random() < 0.6 else 0.0
        chosen = [name for name in names if name in required or random.random() < GIVEN]
        given = {name: value(random, name, subject, wrong) for name in chosen}
        if self.entry in TAKE_BATCHES:
            stream(random, subject, given)
        if random.random() < UNKNOWN:
            self._unknown = UNKNOWN_NAMES[random.integers(len(UNKNOWN_NAMES))]
            given[self._unknown] = 0.5
        return given

    def describe(self) -> str:
        """Return the call as text."""
        given = ", ".join(f"{name}={thing!r:.300}" for name, thing in self.given.items())
        where = f"  on {self._subject}" if self._is_method else ""
        return f"{self.entry}({given}){where}"

    # ---- the run, and what is looked at afterwards

    def run(self) -> list[str]:
        """Make the call; return what is wrong."""
        before = {name: contents(thing) for name, thing in self.given.items()}
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            found = self._run_method() if self._is_method else self._run_function()
        found += [
            f"changed object: {name}"
            for name, thing in self.given.items()
            if name != "out" and contents(thing) != before[name]
        ]
        return sorted(set(found))

    def _run_function(self) -> list[str]:
        outcome = Outcome(self._call, **self.given)
        found = self._errors(outcome)
        thing = outcome.result
        if isinstance(thing, fastbp.Network):
            found += unheld(thing)
        elif is_dataclass(thing) and not any(
            callable(self.given.get(name)) for name in ("function", "loss", "learning_rate", "derivative")
        ):
            copy = Outcome(lambda: pickle.loads(pickle.dumps(thing)))
            if copy.result != thing and not has_nan(thing):
                found.append("wrong silence: a value is not equal to its pickle")
            found += self._used(thing)
        elif not self._subject.wild and not is_finite(thing) and not self.entry.startswith("fastbp.metrics"):
            found.append("wrong silence: not finite")
        return found

    def _used(self, thing: Any) -> list[str]:
        """Use a value in networks of both dtypes."""
        role = {
            fastbp.activations.Activation: "activation",
            fastbp.losses.Loss: "loss",
            fastbp.optimizers.Optimizer: "optimizer",
        }
        name = next((name for kind, name in role.items() if isinstance(thing, kind)), None)
        if name is None or (name == "activation" and thing.name == "softmax"):
            return []
        found = []
        for dtype in ("float32", "float64"):
            n_out = 2 * (thing.outputs_per_target if name == "loss" else 1)
            made = Outcome(fastbp.Network, [3, 4, n_out], dtype=dtype, seed=0, **{name: thing})
            found += self._errors(made)
            if made.error is not None:
                continue
            found += unheld(made.result)
            if name == "activation" and not is_finite(made.result.predict(np.zeros((2, 3)))):
                found.append("wrong silence: not finite for inputs of 0")
            y = np.array([0, 1]) if name == "loss" and thing.name == "cross_entropy" else np.ones((2, 2))
            found += self._errors(Outcome(made.result.fit, np.ones((2, 3)), y, batch_size=None))
        return found

    def _run_method(self) -> list[str]:
        random = self._random
        options = {
            "activation": value(random, "activation", self._subject, 0),
            "optimizer": value(random, "optimizer", self._subject, 0),
        }
        if options["activation"] == "softmax":
            options["activation"] = "tanh"
        begin = int(random.integers(4))
        subject = self._subject
        nets = [
            kind(subject.layers, loss=subject.loss, dtype=subject.dtype, seed=7, **options)
            for kind in (fastbp.Network, reference.Network)
        ]
        for net in nets:
            self._begin(net, begin)
        left = [state(net) for net in nets]
        outcomes = []
        for net in nets:
            given = self.given
            if isinstance(given.get("out"), np.ndarray):
                given = given | {"out": given["out"].copy()}
            outcomes.append(Outcome(self._call, net, **given))
        found = []
        for net, before, outcome in zip(nets, left, outcomes, strict=True):
            found += self._errors(outcome)
            if self._is_refused(outcome) and state(net) != before:
                found.append("changed object: the network, by a refused call")
        is_tame = not self._subject.wild and options["activation"] not in ODD
        if outcomes[0].kind != outcomes[1].kind:
            # a line search may meet infinity in the one engine and pass it by in the other
            kinds = outcomes[0].kind + outcomes[1].kind
            if (is_tame and self.entry != "minimize") or "Divergence" not in kinds:
                found.append(
                    f"wrong silence: {outcomes[0].kind} by the core, {outcomes[1].kind} by the reference"
                )
        elif is_tame:
            found += self._compared(nets, [outcome.result for outcome in outcomes], options["optimizer"])
        return found

    def _is_refused(self, outcome: Outcome) -> bool:
        """Tell whether the call was refused before it began, not under way by a user function."""
        under_way = (
            self.entry == "forward, backward, step"
            or callable(self.given.get("metrics"))
            or (self.entry == "fit" and any(map(is_read_late, map(self.given.get, "Xy"))))
        )
        is_refusal = isinstance(outcome.error, (fastbp.Error, TypeError))
        return is_refusal and not under_way and not isinstance(outcome.error, fastbp.DivergenceError)

    def _begin(self, net: fastbp.Network, begin: int) -> None:
        """Bring a network into one of the states that calls meet."""
        rng = np.random.default_rng(begin)
        X = rng.normal(size=(self._subject.rows, self._subject.layers[0]))
        if begin >= 1:
            net.adapt(rng.normal(size=(8, self._subject.layers[0])))  # few rows have columns that hardly vary
        if begin >= 2:
            net.forward(X)
        if begin == 3 and "step" not in repr(net.layers):
            net.backward(rng.normal(size=(len(X), self._subject.layers[-1])))

    def _errors(self, outcome: Outcome) -> list[str]:
        """Judge what was raised, or that nothing was."""
        error = outcome.error
        if error is None:
            return [f"wrong silence: unknown argument {self._unknown}"] if self._unknown else []
        lookup = LOOKUPS.get(self.entry)
        is_protocol = type(error) is TypeError and any(word in str(error) for word in PROTOCOL)
        if not (isinstance(error, ALLOWED) or is_protocol or (lookup and isinstance(error, lookup))):
            return [f"unexpected exception: {type(error).__name__}"]
        return ["unexpected exception: a text of many lines"] if len(str(error)) > LONGEST else []

    def _compared(self, nets: list[fastbp.Network], results: list[Any], optimizer: Any) -> list[str]:
        found = []
        if not is_finite(results[0]) and self.entry != "evaluate":
            found.append("wrong silence: not finite")
        tolerance = 1e-8 if self._subject.dtype == "float64" else 3e-3
        if self.entry != "minimize" and not close(*results, tolerance):
            found.append("wrong silence: the engines' results differ")
        name = optimizer if isinstance(optimizer, str) else getattr(optimizer, "row", "")
        numbers = [net.parameters for net in nets]
        if name in SMOOTH and self.entry != "minimize" and not close(*numbers, 10 * tolerance):
            found.append("wrong silence: the engines' parameters differ")
        return found


# ---- things compared ---------------------------------------------------------------------------------------


def contents(thing: Any) -> Any:
    """Return what an argument holds, as a value."""
    if isinstance(thing, np.ndarray):
        return thing.shape, str(thing.dtype), np.ascontiguousarray(thing).tobytes()
    if isinstance(thing, (list, tuple)):
        return [contents(part) for part in thing]
    if isinstance(thing, Batches):
        return contents(thing.batches)
    if hasattr(thing, "indptr"):  # sparse
        return [contents(part) for part in (thing.indptr, thing.indices, thing.data)]
    return repr(thing) if isinstance(thing, (dict, set, bytearray)) else None


def state(net: fastbp.Network) -> Any:
    """Return what a call may change of a network, as a value."""
    engine = engine_of(net)
    scalings = net.input_mean, net.input_scale, net.target_mean, net.target_scale
    scaling = [None if a is None else a.tobytes() for a in scalings]
    numbers = engine.parameters.tobytes(), engine.state.tobytes(), engine.t
    return (
        numbers,
        scaling,
        repr(net.optimizer),
        net.learning_rate,
        contents(list(net.history.to_dict().values())),
    )


def unheld(net: fastbp.Network) -> list[str]:
    """Return the numbers of a network's values that its dtype makes 0 or infinite."""
    found = []
    for thing in (net.loss, net.optimizer, *(layer.activation for layer in net.layers)):
        if isinstance(thing, fastbp.LevenbergMarquardt):
            continue  # which computes in float64
        for field in fields(thing):
            number = getattr(thing, field.name)
            harmless = field.name in SHARES or (field.name, type(thing)) == ("alpha", fastbp.RMSprop)
            if isinstance(number, float) and math.isfinite(number) and number:
                held = float(net.dtype.type(number))
                if not math.isfinite(held) or (held == 0 and not harmless):
                    found.append(f"wrong silence: {field.name} of {type(thing).__name__} beyond {net.dtype}")
    return found


def has_nan(thing: Any) -> bool:
    return any(
        isinstance(v, float) and math.isnan(v) for v in (getattr(thing, f.name) for f in fields(thing))
    )


def floats(thing: Any) -> list[Any]:
    """Return the arrays and numbers in a result."""
    if isinstance(thing, (float, np.floating)) or (isinstance(thing, np.ndarray) and thing.dtype.kind == "f"):
        return [np.asarray(thing, np.float64)]
    if isinstance(thing, fastbp.History):
        return [np.asarray(thing.loss)]
    if isinstance(thing, dict) and not hasattr(thing, "fun"):
        thing = list(thing.values())
    return [a for part in thing for a in floats(part)] if isinstance(thing, (list, tuple)) else []


def is_finite(thing: Any) -> bool:
    return all(np.isfinite(a).all() for a in floats(thing))


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Tell whether the numbers of two results are the same, by the largest of them."""
    pairs = zip(floats(a), floats(b), strict=True)
    return all(
        x.shape == y.shape
        and (
            (abs(x - y) <= tolerance * (1 + np.nanmax(abs(y), initial=0))) | (np.isnan(x) & np.isnan(y))
        ).all()
        for x, y in pairs
    )
