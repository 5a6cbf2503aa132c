"""Compares Levenberg-Marquardt with Adam on two small regression data sets, as a table in Markdown.

    OPENBLAS_NUM_THREADS=1 python bench/levenberg_marquardt.py

Adam gets the time of the Bayesian fit, and 20 times that time. Its learning rate falls along a cosine over
all of its steps; three initial rates are shown. The data come from scikit-learn.

The option --stopping compares ways not to learn the noise instead: early stopping on a fifth of the training
rows, and the Bayesian fit, which needs none. There each seed also splits the rows.
"""

import argparse
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1

import fastbp
from fastbp.callbacks import EarlyStopping
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


def least_squares(train, test):
    """Return the test r2 of the linear fit."""
    (X, y), (X_test, y_test) = [(np.column_stack([X, np.ones(len(X))]), y) for X, y in (train, test)]
    w = np.linalg.lstsq(X, y, rcond=None)[0]
    return fastbp.metrics.r2((X_test @ w)[:, None], y_test[:, None])


def stopping_fits():
    """Return the fits of the second table: optimizer and options by name."""
    split = {"validation_split": fastbp.ShuffledSplit(0.2)}
    lm = {"epochs": STEPS, "batch_size": None}
    adam = {"epochs": 2000, "batch_size": BATCH}
    early = EarlyStopping("validation_loss", patience=200, restore_best=True)
    return {
        "Levenberg-Marquardt": (fastbp.LevenbergMarquardt(), lm),
        "the same, `validation_split`, `max_fail=6`": (fastbp.LevenbergMarquardt(), lm | split),
        "the same, `bayesian=True`": (fastbp.LevenbergMarquardt(bayesian=True), lm),
        "Adam, 2000 epochs": (fastbp.Adam(1e-3), adam),
        "Adam, `validation_split`, early stopping": (fastbp.Adam(1e-3), adam | split | {"callbacks": early}),
    }


def stopping_table(X, y, seeds):
    """Print the test r2 of each fit over random splits of the rows."""
    sets = [standardized(X, y, seed) for seed in range(seeds)]
    print("| fit | epochs | test r2: median (range) |")
    print("|---|---|---|")
    for name, (optimizer, options) in stopping_fits().items():
        fits = [fitted(train, seed, optimizer, **options) for seed, (train, _) in enumerate(sets)]
        r2 = [net.evaluate(*test)["r2"] for (net, _), (_, test) in zip(fits, sets, strict=True)]
        epochs = median(len(net.history) for net, _ in fits)
        print(f"| {name} | {epochs:.0f} | {of_range(r2)} |", flush=True)
    print(f"| linear least squares | | {of_range([least_squares(*each) for each in sets])} |")


def of_range(numbers):
    return f"{median(numbers):.3f} ({min(numbers):.3f} to {max(numbers):.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--stopping", action="store_true")
    arguments = parser.parse_args()
    seeds = arguments.seeds
    machine = describe()
    print(f"{machine['cpu']}, {machine['isa']}, one thread")
    for name, (X, y) in SETS.items():
        train, test = standardized(X, y)
        n, n_in = train[0].shape
        if arguments.stopping:
            print(
                f"\n{name}: {n} training rows, {len(test[0])} for the test, network {n_in}-{HIDDEN}-1 tanh\n"
            )
            stopping_table(X, y, seeds)
            continue
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
