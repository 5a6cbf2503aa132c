"""scikit-learn's multi-layer perceptrons, trained by fastbp: `MLPClassifier` and `MLPRegressor`.

They take scikit-learn's parameters and have its attributes, so a program changes one import:

    from fastbp.sklearn import MLPClassifier
"""

from __future__ import annotations

from fastbp._base.optional import load

load("sklearn.base", "scikit-learn", "fastbp.sklearn")

from fastbp.sklearn import _threadpool  # noqa: E402
from fastbp.sklearn._classifier import MLPClassifier  # noqa: E402
from fastbp.sklearn._regressor import MLPRegressor  # noqa: E402

_threadpool.register()

__all__ = ["MLPClassifier", "MLPRegressor"]
