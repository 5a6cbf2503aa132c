"""The process in which one library of fits.py trains. It prints what it has measured as JSON.

python fit_worker.py accuracy LIBRARY FILE    accuracy on the held-out rows of FILE after growing times
python fit_worker.py memory LIBRARY           peak memory of a large fit

Times are CPU time, so that other programs on the machine do not count.
"""

import hashlib
import importlib
import json
import os
import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fits

DIGITS, BATCH_SIZE, SEEDS = (64, 64, 64, 10), 32, range(5)
SECONDS = (0.02, 0.05, 0.1, 0.3, 1.0)  # of training
LARGE, LARGE_ROWS, LARGE_BATCH_SIZE = (784, 512, 512, 10), 60_000, 250
MODULES = {"fastbp": "fastbp", "PyTorch": "torch", "JAX": "jax", "scikit-learn": "sklearn.neural_network"}


def digest(*arrays: NDArray[Any]) -> str:
    """Return a hash of the contents of the arrays."""
    return hashlib.sha256(b"".join(map(bytes, arrays))).hexdigest()


def curve(model: Any, X: NDArray[Any], y: NDArray[Any]) -> tuple[list[float], float]:
    """Train; return the accuracy on (X, y) at first and after SECONDS, and the milliseconds per epoch."""
    clock, epochs, history = 0.0, 0, []
    while True:
        history.append((clock, float(np.mean(model.classify(X) == y))))
        if clock >= SECONDS[-1]:
            break
        # half of the epochs that fit into the time until the next point, at last one by one
        left = next(at for at in SECONDS if at > clock) - clock
        count = max(1, int(left / 2 * epochs / clock)) if clock else 1
        start = process_time()
        model.train(count)
        clock, epochs = clock + process_time() - start, epochs + count
    # what an epoch has reached counts from its end on
    reached = [[found for end, found in history if end <= at][-1] for at in (0.0, *SECONDS)]
    return reached, 1e3 * clock / epochs


def accuracy(library: str, path: str) -> dict[str, Any]:
    """Return a curve per seed, the time of an epoch, that of compilation, and a digest of the data."""
    with np.load(path) as file:
        X, X_test, y, y_test = (file[name] for name in file.files)

    def model(seed: int) -> Any:
        weights = fits.initial_weights(DIGITS, seed)
        return fits.LIBRARIES[library](X, y, weights, BATCH_SIZE, seed)

    warm_up = model(0)
    warm_up.train(2)
    warm_up.classify(X_test)
    curves, milliseconds = zip(*(curve(model(seed), X_test, y_test) for seed in SEEDS), strict=True)
    return {
        "curves": curves,
        "epoch_ms": milliseconds,
        "compile_seconds": getattr(warm_up, "compile_seconds", 0.0),
        "digest": digest(X, X_test, y, y_test),  # at the end: the library must not have changed them
    }


def megabytes(field: str) -> float:
    """Return a field of the memory of this process: VmRSS now, VmHWM at most.

    Not ru_maxrss: that includes the memory of the parent at the time it started this process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) / 1e6 for line in lines if line.startswith(field))


def aligned(rows: int, columns: int) -> NDArray[np.float32]:
    """Return a matrix at a multiple of 64 bytes, which JAX needs to work without a copy."""
    whole = np.empty(rows * columns + 16, np.float32)
    first = -whole.ctypes.data % 64 // 4
    return whole[first : first + rows * columns].reshape(rows, columns)


def memory(library: str) -> dict[str, float]:
    """Return the memory of this process before a fit, with its network, and at most."""
    importlib.import_module(MODULES[library])
    weights = fits.initial_weights(LARGE, 0)
    X = aligned(LARGE_ROWS, LARGE[0])
    np.random.default_rng(0).random(out=X, dtype=np.float32)
    y = X[:, : LARGE[-1]].argmax(axis=1)
    before, peak = megabytes("VmRSS"), megabytes("VmHWM")
    model = fits.LIBRARIES[library](X, y, weights, LARGE_BATCH_SIZE, 0)
    made = megabytes("VmRSS")
    model.train(1)
    found = {"before": before, "before_peak": peak, "made": made, "peak": megabytes("VmHWM")}
    rows = slice(0, 5000)
    return found | {"data": X.nbytes / 1e6, "accuracy": float(np.mean(model.classify(X[rows]) == y[rows]))}


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # all use the same processor
    task, *arguments = sys.argv[1:]
    print(json.dumps({"accuracy": accuracy, "memory": memory}[task](*arguments)))
