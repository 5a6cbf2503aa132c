"""The estimators of fastbp.sklearn on the problems of estimators.py."""

import fastbp
from estimators import Estimators
from fastbp.sklearn import MLPClassifier, MLPRegressor

VERSION = f"fastbp {fastbp.__version__}"

_estimators = Estimators(MLPClassifier, MLPRegressor)
fit, search = _estimators.fit, _estimators.search
