"""`LearningCurveDisplay`: losses and metrics over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arrays import as_array
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.history import History
from fastbp.network import Network, check_network
from fastbp.plot._display import Display
from fastbp.plot._style import GREY, SERIES, dress, ink, logarithmic
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[np.float64]

WIDE = 5  # losses with a larger ratio are drawn on a logarithmic axis
FEW = 30  # epochs whose points are marked
PREFIX = "validation_"
NAMES = {"r2": "R²"}


class LearningCurveDisplay(Display):
    """Losses over the epochs, and metrics of the rows held out in a second panel.

    The axis of the losses is logarithmic if they are positive and the largest one is more than five times the
    least. Epochs that were not measured (NaN) have no point; then the others are marked.

    Parameters
    ----------
    loss : array_like, shape (epochs,)
        Training loss.
    validation_loss : array_like, shape (epochs,), optional
        Loss of the rows held out.
    metrics : mapping of str to array_like of shape (epochs,), optional
        Metrics of the rows held out.
    best : int, optional
        The epoch to mark, from 1.
    baseline : mapping of str to float, optional
        What a constant answer reaches, to compare with: its "loss", and metrics by their names.

    Attributes
    ----------
    loss : array (epochs,)
    validation_loss : array (epochs,) or None
    metrics : dict of str to array (epochs,)
    best : int or None
    baseline : dict of str to float

    Raises
    ------
    ParameterError
        There are no epochs.
    ShapeError
        The columns have different lengths.
    DTypeError
        A column does not hold numbers.
    """

    def __init__(
        self,
        loss: ArrayLike,
        validation_loss: ArrayLike | None = None,
        metrics: Mapping[str, ArrayLike] | None = None,
        *,
        best: int | None = None,
        baseline: Mapping[str, float] | None = None,
    ) -> None:
        self.loss, self.best, self.baseline = _numbers("loss", loss), best, dict(baseline or {})
        self.validation_loss = (
            None if validation_loss is None else _numbers("validation_loss", validation_loss)
        )
        self.metrics = {name: _numbers(name, values) for name, values in (metrics or {}).items()}
        columns = {"validation_loss": self.validation_loss, **self.metrics}
        for name, column in columns.items():
            if column is not None and column.shape != self.loss.shape:
                raise ShapeError(f"{name} has shape {column.shape}, expected that of loss, {self.loss.shape}")
        if self.loss.ndim != 1 or not self.loss.size:
            raise ParameterError(f"loss has shape {self.loss.shape}, expected at least one epoch: fit first")

    @classmethod
    def from_history(cls, history: History, *, ax: Axes | None = None) -> Self:
        """Draw the record of a fit; the epoch with the least validation loss is marked.

        Parameters
        ----------
        history : History
            What `fit` returns, or `Network.history`.
        ax : matplotlib Axes, optional
            Where to draw; panels take their place. Default: on a new figure.

        Returns
        -------
        LearningCurveDisplay

        Raises
        ------
        ParameterError
            It is no history, or one without epochs.
        """
        if not isinstance(history, History):
            raise ParameterError(f"history is a {type(history).__name__}, expected a fastbp.History")
        columns = history.to_dict()
        loss, validation_loss = columns["loss"], columns.pop(f"{PREFIX}loss", None)
        metrics = {
            name.removeprefix(PREFIX): values for name, values in columns.items() if name.startswith(PREFIX)
        }
        best = None
        if validation_loss is not None and np.isfinite(validation_loss).any():
            best = int(np.nanargmin(validation_loss)) + 1
        return cls(loss, validation_loss, metrics, best=best).plot(ax)

    @classmethod
    def from_network(cls, net: Network, *, ax: Axes | None = None) -> Self:
        """Draw the history of a network, all of its fits; see `from_history`."""
        check_network(net)
        return cls.from_history(net.history, ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on these axes, or on a new figure, and return the display.

        If there are metrics, two panels take the place of the axes.
        """
        panels = self._panels(ax, 1, 2 if self.metrics else 1, (9.6 if self.metrics else 6.4, 4.0))
        losses = {"training": self.loss}
        if self.validation_loss is not None:
            losses["held out"] = self.validation_loss
        self._draw(panels[0], losses, ("loss",))
        panels[0].set_ylabel("loss")
        if _is_wide([*losses.values(), self.baseline.get("loss", np.nan)]):
            logarithmic(panels[0])
        if self.metrics:
            named = {NAMES.get(name, name): values for name, values in self.metrics.items()}
            self._draw(panels[1], named, tuple(self.metrics), first=1)
            what = plain(next(iter(named))) if len(named) == 1 else "metrics"
            panels[1].set_ylabel(f"{what} of rows held out")
        return self

    def _draw(
        self, axes: Axes, columns: Mapping[str, Array], scores: Sequence[str], *, first: int = 0
    ) -> None:
        """Draw columns over the epochs, in the style with this number and those after it.

        The baselines that belong to them have the names `scores`.
        """
        epochs = np.arange(1, self.loss.size + 1)
        lines, names = [], [*map(plain, columns)]
        for i, values in enumerate(columns.values(), first):
            color, dashes, marker = SERIES[i % len(SERIES)]
            measured = np.isfinite(values)
            if measured.sum() > FEW and measured.all():
                marker = ""
            points = epochs[measured], values[measured]
            look: dict[str, Any] = {"color": color, "linestyle": dashes, "marker": marker}
            lines += axes.plot(*points, **look, linewidth=1.8, markersize=4)
        if self.best is not None:
            lines.append(axes.axvline(self.best, color=ink(), linewidth=0.8))
            names.append(f"best epoch: {self.best:,}")
        for score in scores:
            if score in self.baseline:
                lines.append(axes.axhline(self.baseline[score], color=GREY, linestyle=":"))
                names.append("the same answer for all rows")
        axes.legend(lines, names)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("epoch")
        dress(axes)


def _numbers(argument: str, values: ArrayLike) -> Array:
    return as_array(argument, values).astype(np.float64)


def _is_wide(losses: Sequence[ArrayLike]) -> bool:
    """Tell whether losses are positive, and the largest one is many times the least."""
    numbers = np.hstack(losses)
    numbers = numbers[np.isfinite(numbers)]
    return bool(numbers.size and numbers.min() > 0 and numbers.max() > WIDE * numbers.min())
