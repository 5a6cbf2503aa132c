"""Random iterables of batches, as arguments of calls."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fastbp
from fastbp import _core
from fuzz import arguments
from fuzz.arguments import Random, Subject, pick

TAKE_BATCHES = ("fit", "evaluate", "predict", "predict_classes")
#: arguments that only batches have a use for, and only arrays
OF_BATCHES = ("steps_per_epoch", "prefetch")
OF_ARRAYS = (
    "y",
    "batch_size",
    "shuffle",
    "sample_weight",
    "class_weight",
    "validation_split",
    "gradient_tol",
)


class Batches:
    """An iterable of batches that starts anew each time, and may end with an error."""

    def __init__(self, batches: list[Any], error: Exception | None) -> None:
        self.batches, self.error = batches, error

    def __iter__(self) -> Iterator[Any]:
        yield from self.batches
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.batches!r:.250}, {self.error!r})"


class Sized(Batches):
    """The same with a length."""

    def __len__(self) -> int:
        return len(self.batches)


def batches(random: Random, subject: Subject) -> Any:
    """Return batches in any form, some of them wrong."""
    drawn = [batch(random, subject) for _ in range(random.integers(0, 4))]
    error = fastbp.DataError("of the iterable") if random.random() < 0.1 else None
    kind = pick(random, [list, tuple, Batches, Sized])
    return kind(drawn, error) if issubclass(kind, Batches) else kind(drawn)


def batch(random: Random, subject: Subject) -> Any:
    """Return (X, y) or (X, y, sample_weight)."""
    own = replace(subject, rows=int(random.integers(1, 20)), is_one_row=False)
    drawn = [arguments.inputs(random, own), arguments.targets(random, own)]
    if random.random() < 0.3:
        drawn.append(arguments.weights(random, own))
    if random.random() < 0.05:
        own.wild = True
        drawn[random.integers(len(drawn))] = arguments.wrong(random)
    subject.wild |= own.wild
    if random.random() < 0.03:
        subject.wild = True
        return arguments.wrong(random)
    return tuple(drawn) if random.random() < 0.8 else drawn


def stream(random: Random, subject: Subject, given: dict[str, Any]) -> None:
    """Put batches in the place of the arrays among the arguments of a call, now and then."""
    left_out = OF_BATCHES
    if random.random() < 0.2:
        given["X"], left_out = batches(random, subject), OF_ARRAYS
    for name in left_out:
        if random.random() < 0.95:
            given.pop(name, None)


def is_read_late(thing: Any) -> bool:
    """Tell whether an argument is read when a fit is under way."""
    return isinstance(thing, (Batches, list, tuple)) or _core.is_mapped(thing)
