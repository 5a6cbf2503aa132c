"""Training beyond one machine, with Dask."""

from __future__ import annotations

from fastbp.dask._fit import fit

__all__ = ["fit"]
