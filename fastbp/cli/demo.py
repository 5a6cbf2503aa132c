"""The command `fastbp demo`: trains a network on handwritten digits and compares both engines."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import DTypeLike, NDArray

import fastbp
import fastbp.reference
from fastbp.datasets import load_digits, stratified_split

EPOCHS = 40
BATCH_SIZE = 32
ROUNDS = 3

Split = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def run(epochs: int, seeds: int, output: Path) -> None:
    """Train once per seed, compare the engines on the first split, and write the picture to `output`."""
    first = split(0)
    print(f"a 64-64-10 relu net, Adam, {epochs} epochs of {len(first[0])} digits in batches of {BATCH_SIZE}")
    net, accuracy = train(first, seed=0, epochs=epochs, verbose=2)
    accuracies = [accuracy] + [train(split(seed), seed=seed, epochs=epochs)[1] for seed in range(1, seeds)]
    each = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
    print(f"\naccuracy on the held-out fifth: {median(accuracies):.1%}, the median of {seeds} splits: {each}")
    compare(first, epochs)
    draw(net, first, output)


def split(seed: int) -> Split:
    """Return the digits, scaled to [0, 1], with a stratified fifth of them held out."""
    X, y = load_digits()
    return stratified_split(X / 16, y, test_fraction=0.2, seed=seed)


def network(network_class: type[fastbp.Network], seed: int, dtype: DTypeLike = "float32") -> fastbp.Network:
    """Return the network of the demo; its class selects the engine."""
    return network_class(
        [64, 64, 10],
        activation="relu",
        loss="cross_entropy",
        optimizer=fastbp.Adam(learning_rate=2e-3),
        dtype=dtype,
        seed=seed,
    )


def train(data: Split, *, seed: int, epochs: int, verbose: int = 0) -> tuple[fastbp.Network, float]:
    """Return the trained network and its accuracy on the held-out digits."""
    X, X_test, y, y_test = data
    net = network(fastbp.Network, seed)
    net.fit(X, y, epochs=epochs, batch_size=BATCH_SIZE, validation_data=(X_test, y_test), verbose=verbose)
    return net, net.evaluate(X_test, y_test)["accuracy"]


def compare(data: Split, epochs: int) -> None:
    """Train with both engines in turn, in both precisions; print times and differences."""
    X, _, y, _ = data
    print(f"\nthe same training with both engines, medians of {ROUNDS} rounds")
    print(f"{'':10}{'fastbp':>12}{'NumPy':>12}{'ratio':>10}{'largest difference in a weight':>34}")
    for dtype in ("float32", "float64"):
        nets = network(fastbp.Network, 0, dtype), network(fastbp.reference.Network, 0, dtype)
        seconds = np.empty((ROUNDS, 2))
        for i in range(ROUNDS):
            for j, net in enumerate(nets):
                net.reset()
                start = perf_counter()
                net.fit(X, y, epochs=epochs, batch_size=BATCH_SIZE)
                seconds[i, j] = perf_counter() - start
        native, reference = np.median(seconds, axis=0)
        ratio = np.median(seconds[:, 1] / seconds[:, 0])
        difference = np.abs(nets[0].parameters - nets[1].parameters).max()
        print(f"{dtype:10}{1e3 * native:9.1f} ms{1e3 * reference:9.1f} ms{ratio:9.1f}x{difference:34.1e}")


def draw(net: fastbp.Network, data: Split, output: Path) -> None:
    """Write the picture, or print that matplotlib is missing."""
    try:
        from fastbp import plot
    except ImportError:
        print('\nno picture, because matplotlib is missing: pip install "fastbp[plot]"')
        return
    _, X_test, _, y_test = data
    plot.training(output, net.history, X_test, y_test, net.predict_classes(X_test))
    print(f"\npicture: {output.resolve()}")
