"""How far off can a prediction be? Two losses that let a network say so, and how to check what it says.

The noise of the data depends on x: there is little of it on the left, and much on the right. A network with
the loss `GaussianNLL` learns the mean and the variance of y at each x, one with `Quantiles` learns nine
quantiles. Both know nothing of the noise but the data. On new data the program counts how many targets lie
in the central 80 % interval, and below each predicted quantile. A network is calibrated if these shares are
what they should be.

With normal noise, both are. With skewed noise the assumption of `GaussianNLL` is wrong, and it shows.

Run it: ``python examples/calibration.py``. The picture needs matplotlib.
"""

import argparse
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastbp

Array = NDArray[np.floating[Any]]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ROWS, NEW_ROWS = 4000, 10_000
EPOCHS = 60
NOISES = ("normal", "skewed")


def make_data(noise: str, rows: int, seed: int) -> tuple[Array, Array]:
    """Return x (rows, 1), from -1 to 1, and y (rows,) = sin(3 x) plus noise of mean 0 that grows with x."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, rows)
    unit = rng.normal(size=rows) if noise == "normal" else rng.exponential(size=rows) - 1
    return x[:, None], np.sin(3 * x) + spread(x) * unit


def spread(x: Array) -> Array:
    """Return the standard deviation of the noise."""
    return 0.05 + 0.2 * (x + 1) ** 2


def train(loss: fastbp.losses.Loss, X: Array, y: Array, epochs: int) -> fastbp.Network:
    """Return a trained network; the learning rate falls to 0."""
    rate = fastbp.schedules.Cosine(0.01, steps=epochs * -(-len(X) // 64))
    layers = [1, 32, 32, loss.outputs_per_target]
    net = fastbp.Network(layers, activation="tanh", loss=loss, optimizer=fastbp.Adam(rate), seed=0)
    net.fit(X, y, epochs=epochs, batch_size=64)
    return net


class Predicted(NamedTuple):
    """What a network says about each row: its quantiles (n, levels) and its central prediction (n,)."""

    quantiles: Array
    center: Array


def of_gaussian(net: fastbp.Network, X: Array) -> Predicted:
    """Return the quantiles of the normal distributions that a network with GaussianNLL predicts."""
    mean, std = net.loss.mean_and_std(net.predict(X))  # both (n, 1)
    z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    return Predicted(mean + std * z, mean[:, 0])


def of_quantiles(net: fastbp.Network, X: Array) -> Predicted:
    """Return the quantiles that a network predicts, in order even where they cross."""
    quantiles = np.sort(net.loss.split(net.predict(X))[:, 0], axis=1)
    return Predicted(quantiles, quantiles[:, LEVELS.index(0.5)])


def coverage(predicted: Predicted, y: Array) -> float:
    """Return the share of targets between the first and the last quantile."""
    inside = (predicted.quantiles[:, 0] <= y) & (y <= predicted.quantiles[:, -1])
    return float(inside.mean())


def reliability(predicted: Predicted, y: Array) -> Array:
    """Return, for each level, the share of targets at or below its predicted quantile."""
    shares: Array = (y[:, None] <= predicted.quantiles).mean(axis=0)
    return shares


class Result(NamedTuple):
    """A network on new data."""

    name: str
    noise: str
    coverage: float
    reliability: Array
    curve: Predicted  # on an even grid of x


def measure(noise: str, epochs: int) -> list[Result]:
    """Train both networks on data with this noise; look at them on new data."""
    X, y = make_data(noise, ROWS, seed=0)
    X_new, y_new = make_data(noise, NEW_ROWS, seed=1)
    results = []
    for loss, read in (
        (fastbp.GaussianNLL(), of_gaussian),
        (fastbp.Quantiles(LEVELS), of_quantiles),
    ):
        net = train(loss, X, y, epochs)
        predicted = read(net, X_new)
        results.append(
            Result(
                type(loss).__name__,
                noise,
                coverage(predicted, y_new),
                reliability(predicted, y_new),
                read(net, grid()),
            )
        )
    return results


def grid() -> Array:
    return np.linspace(-1, 1, 201)[:, None]


def report(results: list[Result]) -> None:
    """Print a table: a row per network, a column per level."""
    print("share of new targets")
    print(f"{'':21} in the 80 %  below the quantile")
    print(f"{'noise':8}{'loss':13}   interval  " + " ".join(f"{level:5.1f}" for level in LEVELS))
    for result in results:
        shares = " ".join(f"{share:5.3f}" for share in result.reliability)
        print(f"{result.noise:8}{result.name:13} {result.coverage:10.3f}  {shares}")


def draw(results: list[Result], path: Path) -> None:
    """Draw the intervals over some of the new data, and the shares over the levels."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('no picture without Matplotlib: pip install "fastbp[plot]"')
        return
    figure = Figure(figsize=(12, 7.6), layout="constrained")
    rows = figure.subplots(2, 3, sharey="col")
    colors = {"GaussianNLL": "#0072b2", "Quantiles": "#d55e00"}
    x = grid()[:, 0]
    for axes, noise in zip(rows, NOISES, strict=True):
        X_new, y_new = make_data(noise, 700, seed=1)
        axes[2].plot([0, 1], [0, 1], color="#999999", linestyle=":", label="calibrated")
        for result in results:
            if result.noise != noise:
                continue
            left = axes[0] if result.name == "GaussianNLL" else axes[1]
            color, (quantiles, center) = colors[result.name], result.curve
            left.plot(X_new[:, 0], y_new, ".", color="#bbbbbb", markersize=3)
            left.fill_between(x, quantiles[:, 0], quantiles[:, -1], color=color, alpha=0.25, linewidth=0)
            left.plot(x, center, color=color)
            share = f"{100 * result.coverage:.1f} % of new targets in the 80 % interval"
            left.set(title=f"{result.name}, {noise} noise\n{share}")
            left.set(xlabel="x", ylabel="y", ylim=(-2.2, 3.4))
            axes[2].plot(LEVELS, result.reliability, "o-", color=color, markersize=4, label=result.name)
        axes[2].set(
            title=f"reliability\n{noise} noise", xlabel="quantile", ylabel="share of targets below it"
        )
        axes[2].legend(loc="lower right")
        for panel in axes:
            panel.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    print(f"picture: {path.resolve()}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train networks that predict how far off they can be; check it on new data, and draw it."
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="N", help="epochs per training; default: %(default)s"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default="calibration.png",
        metavar="PATH",
        help="file for the picture; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    try:
        results = [result for noise in NOISES for result in measure(noise, options.epochs)]
        report(results)
        draw(results, options.output)
    except (fastbp.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
