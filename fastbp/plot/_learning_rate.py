"""`LearningRateDisplay`: the paths of gradient descent with several learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_array, as_doubles, check_shape
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect import Landscape, hessian_eigenvalues, landscape
from fastbp.inspect._probe import Probe
from fastbp.network import Network
from fastbp.plot._descents import WILD, Descent, Descents, verdicts
from fastbp.plot._display import Display
from fastbp.plot._plane import Range, Scale, draw_bar, draw_path, draw_values, label, span_of

Doubles: TypeAlias = NDArray[np.float64]

RESOLUTION = 41  # points along an axis
MOST_RATES = 12
NAMES = ("direction to the best end", "direction of most curvature")  # of the axes
PARALLEL = 0.1  # sine of the angle between two directions that are too close


class LearningRateDisplay(Display):
    """Paths of gradient descent from one start, a panel per learning rate.

    Parameters
    ----------
    rates : sequence of float
        The learning rates.
    losses : sequence of array_like, shape (k,) each
        The losses before each step and after the last one, per rate. An infinite one ends a descent.
    verdicts : sequence of str
        What became of each descent.
    landscape : Landscape
        Losses in a plane.
    paths : sequence of array_like, shape (k, 2) each
        Coordinates in this plane of the points with these losses, as of `Landscape.project`.

    Attributes
    ----------
    rates, losses, verdicts, landscape, paths
        The parameters of the same names.

    Raises
    ------
    ParameterError, ShapeError, DTypeError
        An argument is not as above.
    """

    def __init__(
        self,
        rates: Sequence[float],
        losses: Sequence[ArrayLike],
        verdicts: Sequence[str],
        landscape: Landscape,
        paths: Sequence[ArrayLike],
    ) -> None:
        arguments.instance("landscape", landscape, Landscape, "fastbp.inspect.Landscape")
        for name, given in (("losses", losses), ("verdicts", verdicts), ("paths", paths)):
            if len(given) != len(rates):
                raise ShapeError(f"{name} has {len(given)} entries, expected {len(rates)}, one per rate")
        self.rates, self.verdicts, self.landscape = list(rates), list(verdicts), landscape
        self.losses = [as_doubles(f"losses[{i}]", each) for i, each in enumerate(losses)]
        self.paths = [as_doubles(f"paths[{i}]", each) for i, each in enumerate(paths)]
        for i, path in enumerate(self.paths):
            check_shape(f"paths[{i}]", path, (*self.losses[i].shape, 2))

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike,
        *,
        rates: Sequence[float] | None = None,
        epochs: int = 60,
        start: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Descend from one start with each learning rate, and draw the paths.

        Each descent is plain gradient descent: a step of `SGD` on all rows per epoch. The plane of the
        picture contains the way from the start to the lowest point of the best descent that neither
        oscillates nor diverges, and the direction in which the loss is curved most there: an eigenvector of
        the largest eigenvalue lambda of the Hessian, without its part along the way. On a quadratic loss,
        descent with a rate above 2 / lambda leaps farther across this valley with each step. The plane cuts
        the paths, whose distance to it is not shown.

        Parameters
        ----------
        net : Network
            It does not change.
        X, y : array_like, or sparse for X
            Inputs (n, n_in) and targets as for `fit`.
        rates : sequence of 1 to 12 numbers > 0, optional
            The learning rates. Default: four of which the first is too small, the second right, the third too
            large, and with the fourth the descent diverges. They are found by trying up to 24 rates, from
            1/16 of 1 / lambda at the start on, each larger than the one before by the factor sqrt(2).
        epochs : int, >= 1
            Number of steps.
        start : array_like, shape (P,), optional
            Parameters to start from. Default: those of the network. A trained network has little left to
            show: use the first point of a `RecordPath`, or a network after `reset`.
        sample_weight : array_like, shape (n,) or (n, n_targets), optional
            Weights of the loss, as for `fit`.
        ax : matplotlib Axes, optional
            Place for the panels. Default: a new figure.

        Returns
        -------
        LearningRateDisplay

        Raises
        ------
        ParameterError, ShapeError, DTypeError, DataError
            An argument is not as above, or as for `fit`; the network has one parameter only; the loss at the
            start is infinite or NaN, or, without rates, has no curvature.
        BusyError
            Another thread is changing the network.

        Notes
        -----
        The verdicts come from the measured losses and steps. A descent *diverged* if its loss became
        infinite, or was above that of the start and fell by less than 0.1 of what the best one fell.
        Otherwise, it *oscillates* if the second half of its steps goes back and forth: this half has more
        than 0.05 of the length of the path, and the cosine of the angle between one step and the next is
        below -0.3, on an average weighted with the lengths of both. Of the descents that do neither, those
        are *slow* that fell by less than 0.9 of what the best of them did. Others have *converged* if the
        last tenth of the steps brought at most 0.01 of the fall, and are *still falling* if it brought more.

        The paths take 8 (epochs + 1) P bytes per rate.
        """
        n = Probe(net).parameters.size
        if n < 2:
            raise ParameterError("net has one parameter, expected at least two, which span a plane")
        chosen = None if rates is None else _rates(rates)
        epochs = arguments.integer("epochs", epochs, at_least=1)
        first = net.parameters if start is None else _start(start, n)
        descents = Descents(net, X, y, sample_weight, first, epochs)
        found = descents.at_typical_rates() if chosen is None else [descents.descend(x) for x in chosen]
        named = verdicts(found)
        best = _best(found, named)
        if not np.isfinite(best.losses[0]):
            raise DataError("the loss at the start is infinite or NaN, expected a finite one")
        if not np.isfinite(best.path[0]).all():
            raise DataError("net has parameters that are NaN or infinite, expected finite ones")
        directions = _directions(best, descents)
        with np.errstate(all="ignore"):  # a path may end at infinity
            paths = [(each.path - best.lowest) @ directions.T for each in found]
        plane = landscape(
            net,
            X,
            y,
            directions=directions,
            resolution=RESOLUTION,
            span=_span(paths, named),
            center=best.lowest,
            sample_weight=sample_weight,
        )._replace(names=NAMES)
        rates, losses = [each.rate for each in found], [each.losses for each in found]
        return cls(rates, losses, named, plane, paths).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the paths over the landscape, whose colors are as in `LandscapeDisplay.plot`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Place for the panels. Default: a new figure.

        Returns
        -------
        LearningRateDisplay
            The display itself.
        """
        columns = min(2, len(self.rates))
        rows = -(-len(self.rates) // columns)
        panels = self._panels(ax, rows, columns, (4.2 * columns + 0.6, 3.2 * rows), sharex=True, sharey=True)
        plane = self.landscape
        scale = Scale.of(plane.losses)
        drawn = zip(panels, self.rates, self.losses, self.verdicts, self.paths, strict=False)
        for axes, rate, losses, verdict, path in drawn:
            colors = draw_values(axes, plane.a, plane.b, plane.losses, scale)
            draw_path(axes, path)
            axes.set_title(f"{verdict}\nrate {rate:.2g}, loss {losses[-1]:.3g}", fontsize="small")
            axes.locator_params(nbins=3)
        label(panels[0], self.paths[0][0], "start")
        for axes in panels[len(self.rates) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel(plane.names[1], fontsize="small")
        for axes in panels[-columns:]:
            axes.set_xlabel(plane.names[0], fontsize="small")
        draw_bar(panels, colors, scale, "loss")
        return self


def _rates(rates: Any) -> list[float]:
    """Return checked learning rates."""
    listed = arguments.entries(rates, MOST_RATES)
    if listed is None or not 1 <= len(listed) <= MOST_RATES:
        raise ParameterError(f"rates is {shown(rates)}, expected 1 to {MOST_RATES} learning rates, or None")
    return [arguments.number(f"rates[{i}]", rate, above=0) for i, rate in enumerate(listed)]


def _start(start: ArrayLike, n: int) -> NDArray[Any]:
    """Return checked parameters to start from."""
    array = as_array("start", start)
    if array.shape != (n,):
        raise ShapeError(f"start has shape {array.shape}, expected ({n},), the network's parameters")
    if not np.isfinite(array).all():
        raise DataError("start has numbers that are NaN or infinite, expected finite ones")
    return array


def _best(found: Sequence[Descent], verdicts: Sequence[str]) -> Descent:
    """Return the descent that fell farthest, of those that are calm if there are any."""
    calm = [each for each, verdict in zip(found, verdicts, strict=True) if verdict not in WILD]
    return max(calm or found, key=lambda each: each.fall)


def _directions(best: Descent, descents: Descents) -> Doubles:
    """Return two orthogonal unit vectors (2, P): the way of a descent, and of most curvature at its end."""
    way = best.lowest - best.path[0]
    twin = descents.at_start.clone()
    twin.parameters[:] = best.lowest
    vectors = hessian_eigenvalues(twin, **descents.data, k=2, which="largest").vectors
    if not way.any():
        return vectors
    way /= np.abs(way).max()  # no squares overflow
    way /= np.linalg.norm(way)
    across = vectors - np.outer(vectors @ way, way)
    lengths = np.linalg.norm(across, axis=1)
    i = int(lengths[0] < PARALLEL)  # then the second eigenvector is not parallel
    return np.array([way, across[i] / lengths[i]])


def _span(paths: Sequence[Doubles], verdicts: Sequence[str]) -> tuple[Range, Range]:
    """Return the ends of the axes: all of the calm paths, and of the others what is not far away."""
    ends = np.array([paths[0][0], (0, 0)])
    calm = [path for path, verdict in zip(paths, verdicts, strict=True) if verdict not in WILD]
    low, high = np.array(span_of(np.vstack([ends, *calm]))).T
    swings = [path for path, verdict in zip(paths, verdicts, strict=True) if verdict == "oscillates"]
    near = np.clip(np.vstack([ends, *calm, *swings]), 2 * low - high, 2 * high - low)
    return span_of(near)
