"""Compares Levenberg-Marquardt with Adam on two small regression data sets, as a table in Markdown.

    OPENBLAS_NUM_THREADS=1 python bench/levenberg_marquardt.py

Adam gets the time of the Bayesian fit, and 20 times that time. Its learning rate falls along a cosine over
all of its steps; three initial rates are shown. The data come from scikit-learn.
"""

import argparse
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1

import fastbp
from fastbp.schedules import Cosine
from machine import describe

HIDDEN, STEPS, BATCH = 10, 200, 32
RATES = (1e-2, 3e-3, 1e-3)
TRIALS, TRIAL_EPOCHS = 3, 100


def standardized(X, y, seed=0):
    """Return two thirds of the rows for training and the rest held out, scaled by the training rows."""
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = np.split(order, [2 * len(X) // 3])
    X = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    y = (y - y[train].mean()) / y[train].std()
    return (X[train], y[train]), (X[test], y[test])


SETS = {
    "diabetes (B. Efron et al., 2004)": load_diabetes(return_X_y=True),
    "Friedman #1 (J. Friedman, 1991; noise 1)": make_friedman1(600, noise=1.0, random_state=0),
}


def fitted(train, seed, optimizer, **options):
    """Return the trained network and the seconds of its fit."""
    net = fastbp.Network(
        [train[0].shape[1], HIDDEN, 1], activation="tanh", dtype="float64", seed=seed, optimizer=optimizer
    )
    start = perf_counter()
    net.fit(*train, **options)
    return net, perf_counter() - start


def levenberg_marquardt(train, seed, bayesian, seconds):
    optimizer = fastbp.LevenbergMarquardt(bayesian=bayesian)
    return fitted(train, seed, optimizer, epochs=STEPS, batch_size=None)


def adam(train, seed, rate, seconds):
    """Train with Adam for about `seconds`."""
    trial = {"epochs": TRIAL_EPOCHS, "batch_size": BATCH}
    took = min(fitted(train, seed, fastbp.Adam(rate), **trial)[1] for _ in range(TRIALS))
    epochs = max(1, round(seconds / took * TRIAL_EPOCHS))
    steps = epochs * -(-len(train[0]) // BATCH)
    return fitted(train, seed, fastbp.Adam(Cosine(rate, steps)), epochs=epochs, batch_size=BATCH)


def row(name, fit, train, test, seeds, seconds=0.0):
    """Print a row of the table; return the median of the times."""
    results = [fit(train, seed, seconds=seconds) for seed in range(seeds)]
    took = median(time for _, time in results)
    cells = [f"{1e3 * took:.0f}"]
    for data in (train, test):
        losses = [net.evaluate(*data)["loss"] for net, _ in results]
        cells.append(f"{median(losses):.4f} ({min(losses):.4f} to {max(losses):.4f})")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    machine = describe()
    print(f"{machine['cpu']}, {machine['isa']}, one thread")
    for name, (X, y) in SETS.items():
        train, test = standardized(X, y)
        n, n_in = train[0].shape
        print(f"\n{name}: {n} training rows, {len(test[0])} held out, network {n_in}-{HIDDEN}-1 tanh\n")
        print("| fit | ms | training mse: median (range) | held-out mse: median (range) |")
        print("|---|---|---|---|")
        plain = partial(levenberg_marquardt, bayesian=False)
        row(f"Levenberg-Marquardt, {STEPS} steps", plain, train, test, seeds)
        bayesian = partial(levenberg_marquardt, bayesian=True)
        seconds = row(f"the same, bayesian, {STEPS} steps", bayesian, train, test, seeds)
        for times in (1, 20):
            for rate in RATES:
                fit = partial(adam, rate=rate)
                row(f"Adam, {rate:g}, {times} x its time", fit, train, test, seeds, times * seconds)


if __name__ == "__main__":
    with fastbp.threads(1):
        main()
