"""The style of all plots, light and dark, in colors that color-blind readers can tell apart."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.image import AxesImage
from matplotlib.ticker import LogLocator, NullFormatter

from fastbp._base.arguments import choice

# From the palette of Okabe and Ito, and a grey. Each has a contrast of at least 3:1 on light and dark pages.
BLUE, VERMILION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#888888"

#: Color, dashes and marker of the curves of a plot, so that nothing is told by color alone.
SERIES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, ":", "^"), (PURPLE, "-.", "D"))

#: Color of text and lines, and of the page.
THEMES = {"light": ("#1a1a1a", "#ffffff"), "dark": ("#e6e6e6", "#16181c")}


def style(theme: str = "light") -> AbstractContextManager[None]:
    """Return a context manager in which plots are made for a light or a dark page.

    Parameters
    ----------
    theme : "light" or "dark"

    Raises
    ------
    ParameterError
        The theme is another one.

    Examples
    --------
    A picture for a dark page::

        with fastbp.plot.style("dark"):
            display = fastbp.plot.LearningCurveDisplay.from_network(net)
            display.figure_.savefig("curve.png")
    """
    return mpl.rc_context(settings(*choice("theme", theme, THEMES)))


def settings(ink: str, paper: str, **more: Any) -> Any:
    """Return the settings of matplotlib for text and lines in one color, on a page of the other, and more."""
    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    papered = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return {
        **dict.fromkeys(inked, ink),
        **dict.fromkeys(papered, paper),
        "legend.facecolor": paper,
        "legend.edgecolor": GREY,
        "grid.color": GREY,
        "font.size": 10,
        "axes.titlesize": 11,
        "svg.fonttype": "none",
        **more,
    }


def ink() -> Any:
    """Return the color of text, which is that of the style in force."""
    return mpl.rcParams["text.color"]


def sequential(color: str = BLUE) -> LinearSegmentedColormap:
    """Return colors from nothing (0), which shows the page, to a full color (1)."""
    r, g, b, _ = to_rgba(color)
    return LinearSegmentedColormap.from_list("sequential", [(r, g, b, 0), (r, g, b, 1)])


def dress(axes: Axes, *, grid: bool = True) -> None:
    """Take the frame of axes away at the top and on the right, and draw a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color=GREY, alpha=0.3, linewidth=0.6)


def color_bar(panels: list[Axes], colors: AxesImage, label: str, **look: Any) -> Colorbar:
    """Draw the bar that says what the colors mean, beside the panels, which make room if they can.

    The options `look` are those of `Figure.colorbar`.
    """
    first = panels[0]
    if len(panels) == 1 and first.get_subplotspec() is None:  # an inset, which stays as wide as it is
        look = {"cax": first.inset_axes((1.04, 0, 0.05, 1))}
    else:
        look["ax"] = panels if len(panels) > 1 else first
    return first.figure.colorbar(colors, label=label, **look)


def logarithmic(axes: Axes) -> None:
    """Make the y axis logarithmic, once all is drawn, with plain numbers such as 0.02 at its ticks."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(lambda x, _: short(x))
    axes.yaxis.set_minor_formatter(NullFormatter())


def short(x: float) -> str:
    """Return a number as text for the ticks of an axis: "0.02", "1e-5"."""
    return f"{x:g}".replace("e-0", "e-").replace("e+0", "e")
