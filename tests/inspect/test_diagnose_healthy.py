"""Healthy networks give no finding, before and after training: a classifier, a regression, yes and no."""

import numpy as np
import pytest

from fastbp import SGD, Adam, Network
from fastbp.datasets import load_digits, penguins_path
from fastbp.inspect import diagnose
from fastbp.io import read_columns
from helpers.sick import numbers

SEEDS = range(10)


def digits(seed):
    X, y = load_digits()
    X, y = X[seed::3], y[seed::3]
    net = Network([64, 32, 10], loss="cross_entropy", seed=seed)
    net.adapt(scale=1 / 16)
    return net, X, y, 20


def penguins(seed):
    columns = read_columns(penguins_path())
    measures = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    X = np.array([[float(x) if x != "NA" else np.nan for x in columns[name]] for name in measures]).T
    y = np.unique(columns["species"], return_inverse=True)[1]
    known = ~np.isnan(X).any(axis=1)
    net = Network([4, 16, 8, 3], loss="cross_entropy", seed=seed, optimizer=SGD(0.05, momentum=0.9))
    net.adapt(X[known])
    return net, X[known], y[known], 30


def regression(seed):
    X, y = numbers(200, seed=seed)
    y = 77 * (y + 0.5 * np.random.default_rng(seed).standard_normal(y.shape)) + 152
    net = Network([6, 16, 8, 1], activation="gelu", seed=seed, optimizer=SGD(0.02), dtype="float64")
    net.adapt(X, y)
    return net, X, y, 40


def yes_or_no(seed):
    X, y = numbers(300, seed=seed)
    net = Network([6, 16, 1], activation="tanh", loss="binary_cross_entropy", seed=seed, optimizer=Adam(0.01))
    return net, X, (y > 0).astype(float), 100


@pytest.mark.parametrize("make", [digits, penguins, regression, yes_or_no])
def test_a_healthy_network_gives_no_finding(make):
    for seed in SEEDS:
        net, X, y, epochs = make(seed)
        assert diagnose(net, X, y).is_healthy, seed
        net.fit(X, y, epochs=epochs)
        found = diagnose(net, X, y)
        assert found.is_healthy, (seed, str(found))
        assert str(found).startswith("Healthy: no finding")
        assert found.loss < 0.6 * found.baseline
