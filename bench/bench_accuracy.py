"""Measures how accurate fastbp and its rivals are after the same time of training on the digits.

All have the same rows, initial weights, batch size and optimizer, so that the rest is speed.
"""

from pathlib import Path

import numpy as np
import pytest

import fit_worker
from fastbp.datasets import load_digits, stratified_split
from fits import LIBRARIES, initial_weights
from race import quartiles
from rivals import RIVALS
from subjects import fresh_python, installed_version

AT = 0.1  # seconds of training of the main figure
LEAST_ACCURACY = 0.9  # after the longest time


@pytest.fixture(scope="module")
def digits():
    """Return X, X_test, y, y_test, with as many rows to train on as fill batches: JAX's scan needs that."""
    images, labels = load_digits()
    X, X_test, y, y_test = stratified_split((images / 16).astype(np.float32), labels)
    rows = len(X) - len(X) % fit_worker.BATCH_SIZE
    return X[:rows], X_test, y[:rows], y_test


def initial_accuracy(X, y, seed):
    """Return the accuracy with the initial weights, computed here."""
    *hidden, last = initial_weights(fit_worker.DIGITS, seed)
    for W in hidden:
        X = np.maximum(X @ W, 0)
    return np.mean((X @ last).argmax(axis=1) == y)


@pytest.mark.parametrize("subject", LIBRARIES)
def test_accuracy(subject, digits, tmp_path, benchmark):
    version = installed_version(subject)
    path = tmp_path / "digits.npz"
    np.savez(path, *digits)
    worker = Path(fit_worker.__file__), "accuracy", subject, path
    variables = RIVALS[subject].environment if subject in RIVALS else {}
    found = benchmark.pedantic(fresh_python, worker, {"variables": variables})

    _, X_test, _, y_test = digits
    assert found["digest"] == fit_worker.digest(*digits)
    first = [initial_accuracy(X_test, y_test, seed) for seed in fit_worker.SEEDS]
    initial, *reached = np.transpose(found["curves"])
    np.testing.assert_allclose(initial, first, atol=1.5 / len(y_test))  # but for one row, by rounding
    curve = [[at, *quartiles(each)] for at, each in zip(fit_worker.SECONDS, reached, strict=True)]
    assert np.median(reached[-1]) > LEAST_ACCURACY

    note = "CPU time of training alone, whole epochs"
    if seconds := found["compile_seconds"]:
        note += f"; compiled before in {seconds:.2g} s"
    benchmark.extra_info.update(
        test="accuracy",
        subject=subject,
        value=next(values for at, *values in curve if at == AT),
        unit="of the held-out digits",
        at=AT,
        version=version,
        note=note,
        curve=curve,
        epoch_ms=quartiles(found["epoch_ms"]),
        seeds=len(initial),
    )
