"""Training of many networks at once."""

from fastbp._many._fit_many import fit_many

__all__ = ["fit_many"]
