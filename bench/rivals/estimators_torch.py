"""An ordinary loop of PyTorch in eager mode on the problems of estimators.py.

The network and the batches are scikit-learn's. It has neither a penalty nor a stopping rule, but trains for
as many epochs as it is told.
"""

from time import perf_counter

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score

import fits
from estimators import PROBLEMS

VERSION = f"PyTorch {torch.__version__}"
HIDDEN, BATCH_SIZE = 100, 200  # scikit-learn's defaults
torch.set_num_interop_threads(1)


def fit(name: str, seed: int, epochs: int) -> dict[str, float]:
    problem = PROBLEMS[name]
    X, X_test, y, y_test = problem.split(seed)
    X, X_test = X.astype(np.float32), X_test.astype(np.float32)
    outputs = 1 if problem.is_regression else int(y.max()) + 1
    targets = y[:, None].astype(np.float32) if problem.is_regression else y
    start = perf_counter()
    weights = fits.initial_weights((X.shape[1], HIDDEN, outputs), seed)
    model = fits.Torch(X, targets, weights, min(BATCH_SIZE, len(X)), seed)
    model.train(epochs)
    seconds = perf_counter() - start
    if problem.is_regression:
        score = r2_score(y_test, model.outputs(X_test)[:, 0])
    else:
        score = accuracy_score(y_test, model.classify(X_test))
    return {"seconds": seconds, "score": score, "epochs": epochs}
