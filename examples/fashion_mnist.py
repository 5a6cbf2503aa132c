"""Classifies ten kinds of clothes in the 70,000 photographs of Fashion-MNIST, 10,000 of them for testing.

It reads the four files of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747, MIT
license), trains a small network, and draws its losses and accuracies.
Run it: ``python examples/fashion_mnist.py``
"""

import argparse
import gzip
import struct
import sys
import zlib
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

import fastbp

CACHE = Path("~/.cache/fashion-mnist").expanduser()
FOLDERS = (Path("/usr/share/datasets/fashion-mnist"), CACHE)  # the first is Debian's
FILES = (
    "train-images-idx3-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
SOURCE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

EPOCHS = 10
BATCH_SIZE = 128
LEARNING_RATE = 1e-3

HOW_TO_GET_IT = f"""\
On Debian and Ubuntu, install the package dataset-fashion-mnist:

    sudo apt install dataset-fashion-mnist

Elsewhere, download its four files (30 MB) to {CACHE},
or to any folder that you then name with --data:

    mkdir -p {CACHE} && cd {CACHE}
    for name in {FILES[0]} {FILES[1]} \\
                {FILES[2]} {FILES[3]}; do
        curl -fO {SOURCE}/$name
    done"""

EXAMPLES = """\
examples:
  python examples/fashion_mnist.py
  python examples/fashion_mnist.py --seeds 3 --output curve.svg
  python examples/fashion_mnist.py --data ~/Downloads --epochs 30"""

Pixels = NDArray[np.float32]
Labels = NDArray[np.uint8]


def find(*folders: Path) -> Path:
    """Return the first of the folders that has the four files."""
    for folder in folders:
        if all((folder / name).is_file() for name in FILES):
            return folder
    raise FileNotFoundError(f"no Fashion-MNIST in {' or '.join(map(str, folders))}\n\n{HOW_TO_GET_IT}")


def read(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: 0, 0, 8, the number of dimensions, big-endian sizes, then the values."""
    try:
        content = gzip.decompress(path.read_bytes())
        zeros, kind, dimensions = struct.unpack_from(">HBB", content)
        if (zeros, kind) != (0, 8):
            raise ValueError(f"starts with {content[:3]!r}")
        shape = struct.unpack_from(f">{dimensions}I", content, offset=4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (gzip.BadGzipFile, zlib.error, EOFError, struct.error, ValueError) as error:
        raise OSError(f"{path} is damaged, or not a gzipped IDX file of bytes: {error}") from error


def load(folder: Path) -> tuple[Pixels, Pixels, Labels, Labels]:
    """Return X, X_test, y, y_test: per image a row of 784 pixels, from 0 (background) to 1, and its class."""
    images, images_test, y, y_test = (read(folder / name) for name in FILES)
    X, X_test = (pixels.reshape(len(pixels), -1) / np.float32(255) for pixels in (images, images_test))
    return X, X_test, y, y_test


def make_network(seed: int) -> fastbp.Network:
    return fastbp.Network(
        [784, 128, 10],
        activation="relu",
        loss="cross_entropy",
        optimizer=fastbp.Adam(learning_rate=LEARNING_RATE),
        seed=seed,
    )


def describe_mistakes(y: Labels, predictions: list[NDArray[np.int64]]) -> str:
    """Describe the easiest class, the hardest class, and the most common mistake for the hardest."""
    confusion = np.zeros((10, 10))  # [class, predicted class]
    for predicted in predictions:
        np.add.at(confusion, (y, predicted), 1)
    confusion /= confusion.sum(axis=1, keepdims=True)
    right = confusion.diagonal().copy()
    easiest, hardest = right.argmax(), right.argmin()
    np.fill_diagonal(confusion, 0)
    mistake = confusion[hardest].argmax()
    return (
        f"easiest: {CLASSES[easiest]}, {right[easiest]:.1%} of them recognized; "
        f"hardest: {CLASSES[hardest]}, {right[hardest]:.1%}, "
        f"and {confusion[hardest, mistake]:.1%} mistaken for {CLASSES[mistake]}"
    )


def draw(nets: list[fastbp.Network], training_accuracies: list[float], path: Path) -> None:
    """Draw losses and accuracies over the epochs, one line per seed, if Matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator, PercentFormatter
    except ImportError:
        print('no picture without Matplotlib: pip install "fastbp[plot]"')
        return
    histories = [net.history for net in nets]
    epochs = np.arange(1, len(histories[0]) + 1)
    training = {"color": "#0072B2"}
    test = {"color": "#D55E00", "linestyle": "--"}
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)

    # one call draws one line per column, which is a seed; the first one goes into the legend
    lines = left.plot(epochs, np.transpose([history.loss for history in histories]), **training)
    lines[0].set_label("training, mean over the epoch")
    lines = left.plot(epochs, np.transpose([history.validation_loss for history in histories]), **test)
    lines[0].set_label("test, after the epoch")
    left.set(ylabel="cross entropy (nats per image)")

    at_the_end = np.full(len(nets), epochs[-1])
    right.plot(at_the_end, training_accuracies, "o", **training, label="training, after the last epoch")
    lines = right.plot(epochs, np.transpose([history.validation_accuracy for history in histories]), **test)
    lines[0].set_label("test, after the epoch")
    right.set(ylabel="accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    for axes in (left, right):
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=100)
    print(f"picture: {path.resolve()}")


def run(folders: tuple[Path, ...], epochs: int, seeds: int, output: Path) -> None:
    X, X_test, y, y_test = load(find(*folders))
    print(f"{epochs} epochs of {len(X):,} images, each followed by a test on {len(X_test):,} other images")
    nets = [make_network(seed) for seed in range(seeds)]
    for net in nets:
        history = net.fit(
            X, y, epochs=epochs, batch_size=BATCH_SIZE, validation_data=(X_test, y_test), verbose=1
        )
        print(
            f"seed {net.seed}: {history.total_seconds:.2f} s, "
            f"test accuracy {history.validation_accuracy[-1]:.2%}"
        )

    training_accuracies = [net.evaluate(X, y)["accuracy"] for net in nets]
    test_accuracy = median(net.history.validation_accuracy[-1] for net in nets)
    gap = median(training_accuracies) - test_accuracy
    print(f"the accuracy on the training images is {100 * gap:.1f} percentage points higher")
    print(describe_mistakes(y_test, [net.predict_classes(X_test) for net in nets]))
    draw(nets, training_accuracies, output)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train a 784-128-10 relu network with Adam on Fashion-MNIST, and draw its losses.",
        epilog=f"{EXAMPLES}\n\n{HOW_TO_GET_IT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = " or ".join(map(str, FOLDERS))
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help=f"folder with the four files; default: {where}"
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="N", help="epochs per training; default: %(default)s"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="number of trainings; default: %(default)s"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default="fashion-mnist.png",
        metavar="PATH",
        help="file for the picture; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    if min(options.epochs, options.seeds) < 1:
        parser.error("--epochs and --seeds must be at least 1")
    folders = (options.data,) if options.data else FOLDERS
    try:
        run(folders, options.epochs, options.seeds, options.output)
    except (fastbp.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
