"""`explain`: writes a page about derivatives in general, or about a network and its data."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from fastbp._base import arguments
from fastbp._base.sparse import Inputs
from fastbp.exceptions import ParameterError
from fastbp.network import Network

if TYPE_CHECKING:
    from fastbp.callbacks import RecordPath


class Explanation:
    """A page of HTML that needs nothing else.

    Parameters
    ----------
    html : str
        The whole page.
    path : Path or None
        Where it was written.
    """

    __slots__ = ("html", "path")

    def __init__(self, html: str, path: Path | None = None) -> None:
        self.html, self.path = html, path

    def __repr__(self) -> str:
        place = "not written" if self.path is None else str(self.path)
        return f"Explanation({place}, {len(self.html) / 1e6:.2f} MB)"

    def _repr_html_(self) -> str:
        """Return the page in a frame, for notebooks."""
        return f'<iframe srcdoc="{escape(self.html)}" style="width: 100%; height: 40em; border: 0"></iframe>'


def explain(
    net: Network | None = None,
    X: Inputs | None = None,
    y: ArrayLike | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    X_val: Inputs | None = None,
    y_val: ArrayLike | None = None,
    record: RecordPath | None = None,
    image_shape: tuple[int, int] | None = None,
    title: str | None = None,
    seed: int = 0,
) -> Explanation:
    """Return a page about a network and its data, or, without a network, about derivatives in general.

    Parameters
    ----------
    net : Network, optional
        It does not change. Without it, the page is a lesson with small networks that run in the page.
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`: the rows that the network was trained on, or some of them.
    path : str or path, optional
        Where to write the page. Default: nowhere; `Explanation.html` has it, and notebooks show it.
    X_val, y_val : array_like, optional
        Rows held out, which calibration, confusion and residuals are measured on if they are given.
    record : RecordPath, optional
        The callback that recorded the fit: its path is drawn in the landscape, and the gradients along it.
    image_shape : (int, int), optional
        Rows and columns of the image that each row of X is. Default: a square, if the inputs have no names
        and there is one.
    title : str, optional
        Heading of the page.
    seed : int, >= 0
        Seed of what is drawn at random, such as the directions of the landscape.

    Returns
    -------
    Explanation

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`.
    ImportError
        The page about a network needs matplotlib, which is missing.
    OSError
        The page cannot be written.
    """
    target = None if path is None else Path(arguments.path("path", path))
    if net is None:
        if X is not None or y is not None:
            raise ParameterError("X or y is given without net, expected all three, or none")
        from fastbp._explain.lesson import lesson

        html = lesson()
    else:
        from fastbp._base.optional import load

        load("matplotlib", "matplotlib", "fastbp.explain")
        from fastbp._explain.about_network import about

        html = about(
            net,
            X,
            y,
            X_val=X_val,
            y_val=y_val,
            record=record,
            image_shape=image_shape,
            title=title,
            seed=seed,
        )
    if target is not None:
        target.write_text(html, encoding="utf-8")
    return Explanation(html, target)
