"""scikit-learn's own estimators on the problems of estimators.py."""

import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from estimators import Estimators
from fastbp.cli.rivals import blas

VERSION = f"scikit-learn {sklearn.__version__}, {blas.described()}"

_estimators = Estimators(MLPClassifier, MLPRegressor)
fit, search = _estimators.fit, _estimators.search
