"""Training of many networks at once."""

from fastbp._many._cross_validation import cross_validate
from fastbp._many._fit_many import fit_many
from fastbp._many._scores import CrossValidation

__all__ = ["CrossValidation", "cross_validate", "fit_many"]
