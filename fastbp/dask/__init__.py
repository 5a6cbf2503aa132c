"""Training beyond one machine, with Dask."""

from __future__ import annotations

from fastbp.dask._evaluation import evaluate
from fastbp.dask._fit import fit
from fastbp.dask._scaling import adapt

__all__ = ["adapt", "evaluate", "fit"]
