"""The command `fastbp demo`: trains a network on handwritten digits and compares both engines."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import DTypeLike, NDArray

import fastbp
from fastbp.cli.options import Commands, epochs, picture, positive

DESCRIPTION = """\
Train a 64-64-10 relu network with Adam on 1797 handwritten digits, a fifth of them held out. Compare
its speed and weights with those of the NumPy engine. Draw the loss curves, and some of the digits
with their predictions."""

EXAMPLES = """\
examples:
  fastbp demo
  fastbp demo --epochs 100 --seeds 1
  fastbp demo --output digits.svg"""

EPOCHS = 40
BATCH_SIZE = 32
ROUNDS = 3

Split = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser(
        "demo",
        help="train a network on handwritten digits, in seconds",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    demo.add_argument(
        "--epochs",
        type=epochs,
        default=EPOCHS,
        metavar="N",
        help="epochs per training; default: %(default)s",
    )
    demo.add_argument(
        "--seeds",
        type=positive,
        default=5,
        metavar="N",
        help="number of trainings, each with its own split and initial weights; default: %(default)s",
    )
    demo.add_argument(
        "--output",
        type=picture,
        default="fastbp-demo.png",
        metavar="PATH",
        help="file for the picture, .png, .svg or .pdf; default: %(default)s",
    )
    demo.set_defaults(run=run_with)


def run_with(options: Namespace) -> None:
    """Run the demo with the options of a command line."""
    run(options.epochs, options.seeds, options.output)


def run(epochs: int, seeds: int, output: Path) -> None:
    """Train once per seed, compare the engines on the first split, and write the picture to `output`."""
    first = split(0)
    print(f"a 64-64-10 relu net, Adam, {epochs} epochs of {len(first[0])} digits in batches of {BATCH_SIZE}")
    net, accuracy = train(first, seed=0, epochs=epochs, verbose=2)
    accuracies = [accuracy] + [train(split(seed), seed=seed, epochs=epochs)[1] for seed in range(1, seeds)]
    each = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
    print(
        f"\naccuracy on the held-out fifth: {np.median(accuracies):.1%}, the median of {seeds} splits: {each}"
    )
    compare(first, epochs)
    draw(net, first, output)


def split(seed: int) -> Split:
    """Return the digits, scaled to [0, 1], with a stratified fifth of them held out."""
    from fastbp.datasets import load_digits, stratified_split  # which only this command needs

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
