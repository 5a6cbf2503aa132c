"""`Subject`: a network and its data, as the parts of their page read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import isqrt
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.names import LONGEST, line
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, Rows, dense, for_user
from fastbp._explain.fragments import number
from fastbp.callbacks import RecordPath
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect import Diagnosis, diagnose, per_sample_gradient_norms
from fastbp.inspect._names import input_names
from fastbp.inspect._probe import Probe
from fastbp.losses import CustomLoss
from fastbp.losses._answers import Argmax
from fastbp.network import Network
from fastbp.plot._answers import classified
from fastbp.plot._saliency import image_shape_of

Array: TypeAlias = NDArray[Any]
Task: TypeAlias = Literal["classes", "questions", "numbers", "other"]

MOST_ROWS, FEWEST_ROWS = 2000, 32  # of a sample for what is expensive
BUDGET = 5 * 10**10  # multiplications for one picture, a few seconds
SMALLEST_IMAGE = 6  # rows and columns; 4 inputs without names are no image of 2 x 2 pixels


class Data(NamedTuple):
    """Checked rows."""

    rows: Rows  # inputs (n, n_in)
    y: Array  # (n, n_targets), or labels (n,)
    w: Array | None  # sample weights (n,) or (n, n_targets)
    numbers: NDArray[np.int64]  # of each row in the user's data, from 0

    @property
    def X(self) -> Any:
        """Inputs as public functions take them."""
        return for_user(self.rows)

    def take(self, chosen: NDArray[np.int64]) -> Data:
        """Return some of the rows."""
        w = None if self.w is None else self.w[chosen]
        return Data(self.rows[chosen], self.y[chosen], w, self.numbers[chosen])

    def dense(self) -> Array:
        """Return the inputs as an array (n, n_in)."""
        return dense(self.rows)


class Subject:
    """A network with its data, and what decides which parts its page has.

    Parameters
    ----------
    The arguments of `explain`.

    Attributes
    ----------
    data, present : Data
        All rows, and those that have a weight and a known target.
    held_out : Data or None
    path, steps : array (k, P) and (k,), or None
        Points of the fit, the finite ones, at least two.
    image_shape : tuple of int, or None
        What each row is an image of.
    task : str
        "classes": one of several classes, or yes or no; "questions": yes or no, several times; "numbers"; or
        "other": the loss is the user's function, so that outputs and targets may be anything.
    """

    def __init__(
        self,
        net: Network,
        X: Inputs | None,
        y: ArrayLike | None,
        *,
        X_val: Inputs | None = None,
        y_val: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        record: RecordPath | None = None,
        image_shape: tuple[int, ...] | None = None,
        seed: int = 0,
    ) -> None:
        probe = Probe(net)
        self.net, self.layers = net, net.layers
        self.seed = arguments.integer("seed", seed, at_least=0, below=2**64)
        arguments.check_pair("X", X, "y", y)
        if X is None or y is None:
            raise ParameterError("net is given without X and y, expected all three, or none")
        arguments.check_pair("X_val", X_val, "y_val", y_val)
        self.data, self.present = _checked(probe, X, y, sample_weight)
        self.held_out = None
        if X_val is not None and y_val is not None:
            self.held_out, _ = _checked(probe, X_val, y_val, names=("X_val", "y_val"))
        self.path, self.steps = _recorded(record, net.n_parameters)
        self.image_shape = _image_shape(image_shape, net)
        self.names = [line(name, LONGEST) for name in input_names(net.layers, net.feature_names)]
        self.is_finite = bool(np.isfinite(net.parameters).all())

    @cached_property
    def task(self) -> Task:
        loss = self.net.loss
        if isinstance(loss, CustomLoss):
            return "other"
        if loss.answers is None:
            return "numbers"
        is_one = isinstance(loss.answers, Argmax) or self.layers[-1].n_out == 1
        return "classes" if is_one else "questions"

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What `diagnose` says."""
        X_val, y_val = (None, None) if self.held_out is None else (self.held_out.X, self.held_out.y)
        data = self.data
        return diagnose(self.net, data.X, data.y, X_val=X_val, y_val=y_val, sample_weight=data.w)

    def few(self, work: int = 1) -> Data:
        """Return the rows that are present, or a fixed sample if they are many, in their order.

        `work` is the number of multiplications per row of what is to be done with them.
        """
        n, most = len(self.present.y), max(FEWEST_ROWS, min(MOST_ROWS, BUDGET // work))
        if n <= most:
            return self.present
        random = np.random.default_rng(self.seed)
        return self.present.take(np.sort(random.choice(n, most, replace=False)))

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """Norm of the gradient of each row (n,); 0 for rows that are not present, NaN for those not asked."""
        asked = self.few() if self.task == "other" else self.present  # a custom loss is called row by row
        norms = np.zeros(len(self.data.y))
        norms[self.present.numbers] = np.nan
        norms[asked.numbers] = per_sample_gradient_norms(self.net, asked.X, asked.y)
        return norms

    def teaching(self, limit: int) -> Data:
        """Return the rows with the largest norms, the largest first."""
        return self.data.take(np.argsort(-self.norms, kind="stable")[:limit])

    def sampled(self, data: Data) -> str:
        """Return what a page says about the rows that were read, "" if they are all."""
        n, total = len(data.y), len(self.present.y)
        return "" if n == total else f" On {n:,} of the {total:,} rows, drawn with seed {self.seed}."

    def answers(self, data: Data) -> tuple[list[str], list[str]]:
        """Return targets and predictions of rows as texts."""
        if self.task == "classes":
            found = classified(self.net, data.X, data.y)
            names = [line(name, LONGEST) for name in found.names]
            return [names[i] for i in found.true], [names[i] for i in found.predicted]
        outputs = self.net.loss.estimate(self.net.predict(data.X))
        return [*map(_numbers, data.y)], [*map(_numbers, outputs)]


class Topic(NamedTuple):
    """A part of the page about a network.

    Parameters
    ----------
    anchor : str
        The id of its section.
    title : str
    body : callable
        Returns the HTML below the title.
    applies : callable
        Whether the page has this part. Default: if all parameters are numbers.
    """

    anchor: str
    title: str
    body: Callable[[Subject], str]
    applies: Callable[[Subject], bool] = lambda subject: subject.is_finite


def _checked(
    probe: Probe,
    X: Inputs,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    names: tuple[str, str] = ("X", "y"),
) -> tuple[Data, Data]:
    """Return checked data, called `names`, and the rows of it that have a weight and a known target."""
    examples = probe.examples(X, y, sample_weight, *names)
    given = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    data = Data(examples.X, examples.y, given, np.arange(len(examples)))
    present = np.flatnonzero(examples.w.any(axis=1))
    return data, data if len(present) == len(examples) else data.take(present)


def _recorded(record: RecordPath | None, n_parameters: int) -> tuple[Array | None, NDArray[np.int64] | None]:
    """Return the finite points of a record and their steps."""
    if record is None:
        return None, None
    if not isinstance(record, RecordPath):
        raise ParameterError(f"record is {shown(record)}, expected a fastbp.callbacks.RecordPath or None")
    path, steps = record.path, record.steps
    if len(path) == 0:
        raise ParameterError("record has no points, expected that of a fit, in its argument callbacks")
    if path.shape[1] != n_parameters:
        raise ShapeError(
            f"record has points of {path.shape[1]:,} parameters, expected {n_parameters:,} as net has"
        )
    finite = np.isfinite(path).all(axis=1)
    return (path[finite], steps[finite]) if finite.sum() > 1 else (None, None)


def _image_shape(given: Any, net: Network) -> tuple[int, ...] | None:
    """Return the checked shape of an image, or that of a square one if the inputs can be that."""
    n_in = net.layers[0].n_in
    if given is None:
        side = isqrt(n_in)
        is_square = side * side == n_in and side >= SMALLEST_IMAGE and net.feature_names is None
        return (side, side) if is_square else None
    return image_shape_of(given, n_in)


def _numbers(row: Any) -> str:
    """Return a target or an output as text."""
    found = np.ravel(row)
    listed = [*map(number, found[:4].tolist())]
    return ", ".join([*listed, "..."] if found.size > 4 else listed)
