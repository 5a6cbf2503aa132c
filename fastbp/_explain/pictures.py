"""Plots as pictures inside a page: SVG whose text and lines take the color of the page, light or dark."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO
from threading import RLock
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastbp._explain.page import fill
from fastbp.plot._style import settings

INK = "#010203"  # a color that no plot uses: it becomes that of the page's text

WIDE, PAIRED = (8.8, 3.6), (5.2, 4.2)  # inches, of a picture as wide as the page, and of one of two in a row

NARROWEST = 62  # pixels per inch, below which text is too small: the picture scrolls where the page is narrow
DENSE = 1500  # shapes or points; what has more of them is drawn as an image, which takes less memory
RESOLUTION = 144  # pixels per inch of such images

TURN = RLock()  # of one thread; a signal handler may come in between


def picture(
    draw: Callable[[Axes], Any],
    caption: str,
    *,
    size: tuple[float, float] = (6.4, 4.0),
    label: str | None = None,
) -> str:
    """Return a figure element: what `draw` puts on axes, and a caption.

    Parameters
    ----------
    draw : callable
        Such as ``display.plot``.
    caption : str
        Text below the picture, which is escaped.
    size : (float, float)
        Width and height in inches.
    label : str, optional
        What screen readers say the picture is. Default: the caption.
    """
    with own_settings(caption):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        rasterize_dense(figure)
        svg = inline(figure, label or caption)
        style = f"min-width: {round(NARROWEST * size[0])}px"
        return fill("figure.html", svg=svg, style=style, caption=escape(caption))


@contextmanager
def own_settings(salt: str) -> Iterator[None]:
    """Draw with the settings of pages, whatever the user's are, which come back in the end.

    Settings and filters of warnings belong to the process: pages of several threads take turns, or one would
    give back those of another. `salt` goes into the ids of the picture.
    """
    with TURN, mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about characters that the font lacks
        mpl.rcdefaults()
        mpl.rcParams.update(settings(INK, "none", **{"svg.hashsalt": salt}))
        yield


def rasterize_dense(figure: Figure) -> None:
    """Let what consists of many shapes be an image within the picture; text and axes stay as they are."""
    for axes in figure.axes:
        for each in axes.collections:
            n = sum(np.size(path.vertices) for path in each.get_paths()) // 2
            n = max(n, len(np.asarray(each.get_offsets())))
            each.set_rasterized(each.get_rasterized() or n > DENSE)
        for line in axes.lines:
            if line.get_linestyle() == "None":
                line.set_rasterized(len(np.asarray(line.get_xdata())) > DENSE)


def inline(figure: Figure, label: str) -> str:
    """Return a figure, drawn with `settings` of INK, as an svg element."""
    file = StringIO()
    figure.savefig(file, format="svg", transparent=True, dpi=RESOLUTION, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # ids that nothing refers to; other pictures of the page have some of them, too
    text = re.sub(r'(<g|<image [^>]*) id="[\w.]+"', r"\1", text)
    text = re.sub(r"\n\s*", "\n", text)
    # not between the tags, where a name might be that of the color
    text = re.sub(r"<[^>]*>", lambda tag: tag[0].replace(INK, "currentColor"), text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
