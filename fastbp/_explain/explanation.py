"""`explain`: writes a page about derivatives in general, or about a network and its data."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from fastbp._base import arguments
from fastbp._base.optional import load
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs
from fastbp._model_file.atomic import replacing
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
        # without this base, the links of its table of contents would lead to the notebook, inside the frame
        html = self.html.replace("<head>", '<head>\n<base href="about:srcdoc">', 1)
        return f'<iframe srcdoc="{escape(html)}" style="width: 100%; height: 40em; border: 0"></iframe>'


def explain(
    net: Network | None = None,
    X: Inputs | None = None,
    y: ArrayLike | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    X_val: Inputs | None = None,
    y_val: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    record: RecordPath | None = None,
    image_shape: tuple[int, ...] | None = None,
    title: str | None = None,
    seed: int = 0,
    progress: Callable[[str], Any] | None = None,
) -> Explanation:
    """Return a page about a network and its data, or, without a network, about derivatives in general.

    The page about a network says what `Network.diagnose` finds and what to do about it. It shows the loss and
    the gradients by layer, the landscape of the loss, the rows that teach most, what the network's answers
    depend on and how good they are. Parts that do not go with the network are left out. What takes long is
    computed on a sample of the rows; the page says so.

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
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss of X and y, as for `evaluate`.
    record : RecordPath, optional
        The callback that recorded the fit: its path is drawn in the landscape, and the gradients along it.
    image_shape : (int, int) or (int, int, int), optional
        Rows and columns, or rows, columns and channels, of the image that each row of X is. Default: a square
        of at least 6 x 6 pixels, if the inputs have no names and there is one.
    title : str, optional
        Heading of the page.
    seed : int, >= 0 and < 2**64
        Seed of what is drawn at random, such as the directions of the landscape and samples of rows.
    progress : callable, optional
        Called with the title of each part of the page about a network before the part is made.

    Returns
    -------
    Explanation

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`.
    ImportError
        matplotlib is missing, which the page about a network needs.
    OSError
        The page cannot be written; an old file is still the same. A folder that does not exist is an error
        before the work begins.
    BusyError
        Another thread is changing the network.

    Notes
    -----
    Settings of matplotlib belong to the process. Threads that call this at once take turns to draw; a thread
    that draws by itself meanwhile may get the settings of pages. Your own settings change nothing on a page,
    and they are the same when it is made.

    Examples
    --------
    ::

        record = fastbp.callbacks.RecordPath()
        net.fit(X, y, epochs=30, callbacks=record)
        fastbp.explain(net, X, y, record=record, path="network.html")
    """
    target = None if path is None else _checked_target(arguments.path("path", path))
    if progress is not None and not callable(progress):
        raise ParameterError(f"progress is {shown(progress)}, expected a function of a string, or None")
    options: dict[str, Any] = {
        "X_val": X_val,
        "y_val": y_val,
        "sample_weight": sample_weight,
        "record": record,
        "image_shape": image_shape,
    }
    if net is None:
        _check_none({"X": X, "y": y, **options, "title": title})
        from fastbp._explain.lesson import lesson

        html = lesson()
    else:
        load("matplotlib", "matplotlib", "fastbp.explain")
        from fastbp._explain.about_network import about
        from fastbp._explain.subject import Subject

        html = about(Subject(net, X, y, seed=seed, **options), title=title, progress=progress)
    if target is not None:
        _write(target, html)
    return Explanation(html, target)


def _check_none(options: dict[str, Any]) -> None:
    """Raise ParameterError if an option of the page about a network is given without one."""
    for name, value in options.items():
        if value is not None:
            raise ParameterError(
                f"{name} is given without net, expected it for the page about a network only"
            )


def _checked_target(path: str) -> Path:
    """Return a path whose folder is there and can be written to; OSError if not."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
    return Path(path)


def _write(path: Path, html: str) -> None:
    """Write a page, which takes the place of an old file when it is complete."""
    with replacing(os.fspath(path)) as file:
        left = memoryview(html.encode("utf-8"))
        while left:
            left = left[file.write(left) :]
