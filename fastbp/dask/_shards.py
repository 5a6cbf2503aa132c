"""The data of a fit as shards."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastbp._data.sample_weights import resolve_weights
from fastbp._model import Model
from fastbp.dask._executor import Load
from fastbp.dask._parts import Part

SHARDS = 8  # of arrays, unless another number is given


def loads_of(
    model: Model, X: Any, y: Any, sample_weight: Any, class_weight: Any, shards: Any
) -> list[Load]:
    """Return what loads consecutive parts of arrays."""
    X, y = model.checks.examples(X, y)
    weights = resolve_weights(model.checks, y, sample_weight, class_weight)
    values = None if weights is None else weights.values
    edges = np.linspace(0, len(X), min(shards or SHARDS, len(X)) + 1).astype(int)
    loads = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        part = slice(int(start), int(stop))
        own = None if values is None else values[part]
        if weights is not None and weights.rows is not None and not _in(weights.rows, part):
            loads.append(Load(Part, (None, None, None)))
            continue
        if weights is not None:
            if own is None:
                own = np.zeros(len(X[part]))
                own[_in(weights.rows, part)] = 1
            if not own.any():
                loads.append(Load(Part, (None, None, None)))
                continue
        loads.append(
            Load(Part, (X[part], y[part], resolve_weights(model.checks, y[part], own, None)))
        )
    return loads


def _in(rows: Any, part: slice) -> list[int]:
    return [int(i) - part.start for i in rows if part.start <= i < part.stop]
