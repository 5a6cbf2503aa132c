"""`SaliencyDisplay`: which pixels of an image the answer of a network depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt, prod
from typing import Any, Self, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments
from fastbp._base.arrays import as_doubles
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, Rows, dense
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.inspect._integrated_gradients import chosen_outputs
from fastbp.inspect._probe import Probe, quietly
from fastbp.losses._answers import Argmax
from fastbp.network import Network
from fastbp.plot._answers import class_names, reading
from fastbp.plot._display import Display
from fastbp.plot._style import GREY, VERMILION, sequential
from fastbp.plot._text import plain

Array: TypeAlias = NDArray[Any]

MOST_COLUMNS = 6  # images side by side
LONG_TITLE = 16  # characters of both names; longer ones are on two lines
COLORS = 3  # channels of an image that is drawn in color


class SaliencyDisplay(Display):
    """Images, and below each of them how strongly its pixels move the answer of the network.

    Parameters
    ----------
    images : array_like, shape (n, rows, columns) or (n, rows, columns, channels)
        Inputs. Three channels are drawn as red, green and blue, others as their mean, light where it is
        large; the darkest and the lightest number of all images are black and white.
    maps : array_like, of the same shape
        Derivatives of the answer by the inputs. Their magnitude is drawn; of several channels the largest.
        The colors of each map go from 0 to its own largest magnitude.
    answers, true : sequence of str, optional
        For each image, the name of the answer, and of the right one. Where they differ, the title says so.

    Attributes
    ----------
    images, maps : array
    answers, true : tuple of str

    Raises
    ------
    ShapeError, DataError
        The shapes do not fit, or a number is infinite or NaN.

    References
    ----------
    K. Simonyan, A. Vedaldi and A. Zisserman, Deep inside convolutional networks: visualising image
    classification models and saliency maps, 2014.
    """

    def __init__(
        self,
        images: ArrayLike,
        maps: ArrayLike,
        answers: Sequence[str] | None = None,
        true: Sequence[str] | None = None,
    ) -> None:
        self.images = as_doubles("images", images)
        self.maps = as_doubles("maps", maps)
        shape = self.images.shape
        if len(shape) not in (3, 4) or 0 in shape:
            raise ShapeError(f"images has shape {shape}, expected (n, rows, columns) or one more: channels")
        if self.maps.shape != shape:
            raise ShapeError(f"maps has shape {self.maps.shape}, expected {shape} as images has")
        for name, values in (("images", self.images), ("maps", self.maps)):
            if not np.isfinite(values).all():
                raise DataError(f"{name} has NaN or infinite numbers, expected finite numbers to plot")
        self.answers = ("",) * shape[0] if answers is None else tuple(answers)
        self.true = self.answers if true is None else tuple(true)
        for name, texts in (("answers", self.answers), ("true", self.true)):
            if len(texts) != shape[0]:
                raise ShapeError(f"{name} has {len(texts)} entries, expected {shape[0]}, one per image")

    @classmethod
    def from_network(
        cls,
        net: Network,
        X: Inputs,
        y: ArrayLike | None = None,
        *,
        image_shape: Sequence[int] | None = None,
        limit: int = 6,
        output: int | ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Compute the derivatives for the first rows of X, and draw them.

        The answer is the weighted sum z of one output unit, before its activation: of softmax outputs the
        score of the class, as in the paper. The probability itself would not do: where the network is sure,
        it hardly moves at all. The score says what speaks for this class, y only adds the true class to the
        titles. Show the rows that teach most with ``X[norms.rows(6)]``, see `GradientNormsDisplay`.

        Parameters
        ----------
        net : Network
        X : array_like or sparse, shape (n, n_in)
            Images, a row each: pixels row by row, the channels of a pixel side by side.
        y : array_like, optional
            Targets as for `Network.evaluate`.
        image_shape : (rows, columns) or (rows, columns, channels), optional
            Default: a square of one channel, if n_in is a square number.
        limit : int, >= 1
            Most images.
        output : int, or array_like (n,) of int, optional
            Index of the output unit, or one for each row. Default: the only one, or of softmax outputs that
            of the predicted class. Other networks with several outputs have no default.
        ax : matplotlib Axes, optional
            What the panels take the place of. Default: a new figure.

        Returns
        -------
        SaliencyDisplay

        Raises
        ------
        ParameterError
            The shape of the images is not known, or has not n_in numbers; there is no default output.
        ShapeError, DTypeError, DataError
            An argument is not as above.
        """
        probe = Probe(net)
        limit = arguments.integer("limit", limit, at_least=1)
        shape = image_shape_of(image_shape, probe.layers[0].n_in)
        targets = None
        if y is None:
            rows = probe.inputs(X)
        else:
            rows, targets, *_ = probe.examples(X, y)
            targets = targets[:limit]
        outputs = chosen_outputs(probe, rows, output)[:limit]
        rows = rows[:limit]
        h, maps = _outputs_and_maps(probe, rows, outputs)
        named = _names(net, h, outputs, targets)
        return cls(dense(rows).reshape(-1, *shape), maps.reshape(-1, *shape), *named).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the images, up to six side by side, and their maps below them.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            What the panels take the place of. Default: a new figure.

        Returns
        -------
        SaliencyDisplay
        """
        n = len(self.images)
        columns = min(n, MOST_COLUMNS)
        lines = -(-n // columns)
        panels = self._panels(ax, 2 * lines, columns, (1.5 * columns + 0.4, 3.3 * lines))
        for panel in panels:
            panel.set_axis_off()
        pairs = np.array(panels).reshape(lines, 2, columns).swapaxes(1, 2).reshape(-1, 2)  # image above map
        light, dark = self.images.max(), self.images.min()
        images = (self.images - dark) / ((light - dark) or 1)
        for i, (above, below) in enumerate(pairs[:n]):
            _show(above, _flat(images[i], np.mean), "gray", 1)
            sizes = _flat(np.abs(self.maps[i]), np.max, colors=False)
            _show(below, sizes, sequential(VERMILION), float(sizes.max()) or 1)
            above.set_anchor("S")  # close to its map, however high the figure is
            below.set_anchor("N")
            above.set_title(self._title(i))
            if i % columns == 0:
                above.set_ylabel("image")
                below.set_ylabel("sensitivity")
        return self

    def _title(self, i: int) -> str:
        """Return the answer for an image, and the right one if it is another."""
        answer, true = (plain(name, limit=14) for name in (self.answers[i], self.true[i]))
        if self.answers[i] == self.true[i]:
            return answer
        return f"{answer}, not {true}" if len(answer + true) < LONG_TITLE else f"{answer},\nnot {true}"


def _flat(image: Array, over_channels: Callable[..., Any], *, colors: bool = True) -> Array:
    """Return an image (rows, columns), or with three channels as it is if it may have colors."""
    if image.ndim == 2 or (colors and image.shape[2] == COLORS):
        return image
    flat: Array = over_channels(image, axis=2)
    return flat


def _show(panel: Axes, image: Array, colors: Any, most: float) -> None:
    """Draw an image in a frame; `most` is the number with the full color."""
    panel.imshow(image, cmap=colors, vmin=0, vmax=most, interpolation="nearest")
    panel.set_axis_on()
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set(color=GREY, linewidth=0.5)


def image_shape_of(image_shape: Any, n_in: int) -> tuple[int, ...]:
    """Return the checked shape of the images, or a square."""
    if image_shape is None:
        side = isqrt(n_in)
        if side * side != n_in:
            raise ParameterError(
                f"image_shape is None, and {n_in} inputs are no square, expected (rows, columns) or "
                "(rows, columns, channels)"
            )
        return side, side
    sizes = arguments.entries(image_shape, 3)
    if sizes is None or len(sizes) not in (2, 3):
        raise ParameterError(
            f"image_shape is {shown(image_shape)}, expected (rows, columns) or (rows, columns, channels)"
        )
    shape = tuple(arguments.integer(f"image_shape[{i}]", size, at_least=1) for i, size in enumerate(sizes))
    if prod(shape) != n_in:
        raise ParameterError(
            f"image_shape is {shape} with {prod(shape):,} numbers, expected {n_in:,} (the network's inputs)"
        )
    return shape


@quietly
def _outputs_and_maps(probe: Probe, rows: Rows, outputs: NDArray[np.intp]) -> tuple[Array, Array]:
    """Return the outputs (m, n_out), and the derivatives (m, n_in) of z of one output unit per row."""
    tape = probe.passes.forward(probe.scaled_inputs(rows))
    unit = np.zeros_like(tape.h)
    unit[np.arange(len(outputs)), outputs] = 1
    maps = probe.passes.d_inputs(probe.passes.backward(tape, unit)[0])
    if probe.input_scaling is not None:
        maps *= probe.input_scaling[1]
    return tape.h, maps


def _names(
    net: Network, h: Array, outputs: NDArray[np.intp], targets: Array | None
) -> tuple[list[str], list[str]]:
    """Return the names of the answers and of the right ones; where those are unknown, again the answers."""
    answers = reading(net)
    if answers is None or (h.shape[1] > 1 and not isinstance(answers, Argmax)):
        numbered = [f"output {i}" if h.shape[1] > 1 else "" for i in outputs]
        return numbered, numbered
    names = class_names(net, answers)
    said = outputs if isinstance(answers, Argmax) else answers.read(h)[:, 0].astype(np.intp)
    true = said if targets is None else answers.read(targets).reshape(-1).astype(np.intp)
    known = np.where((true >= 0) & (true < len(names)), true, said)
    return [names[i] for i in said], [names[i] for i in known]
