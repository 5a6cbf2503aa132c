"""The page about a network and its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from fastbp._base.sparse import Inputs
from fastbp.network import Network

if TYPE_CHECKING:
    from fastbp.callbacks import RecordPath


def about(
    net: Network,
    X: Inputs | None,
    y: ArrayLike | None,
    *,
    X_val: Inputs | None = None,
    y_val: ArrayLike | None = None,
    record: RecordPath | None = None,
    image_shape: tuple[int, int] | None = None,
    title: str | None = None,
    seed: int = 0,
) -> str:
    """Return the page."""
    raise NotImplementedError
