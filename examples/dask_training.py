"""Trains on several processes with Dask: shards in files, validation, checkpoints, early stopping.

The program cuts handwritten digits into training, validation and test rows, and writes the first two as
shards of unequal size: pairs of .npy files. Then it starts two worker processes. They read their shards
themselves: were these files on several machines, no machine would have to hold all rows. `fastbp.dask.fit`
trains on all shards; each gradient is the sum over them. After every epoch it writes a checkpoint, from which
a training goes on that was cut short. It stops early and returns to the best validation loss.

Last, the program trains the same network on the same shards without a cluster: the bits are the same.

Run it: ``python examples/dask_training.py``. It needs ``pip install "fastbp[dask]"``.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
import fastbp.dask
from fastbp.callbacks import Checkpoint, EarlyStopping
from fastbp.datasets import load_digits, stratified_split

SHARDS = (0.4, 0.3, 0.2, 0.1)  # shares of the training rows
EPOCHS, BATCH_SIZE = 30, 128

Array = NDArray[Any]
Files = tuple[Path, Path]


def write(folder: Path, name: str, X: Array, y: Array, shares: Sequence[float]) -> list[Files]:
    """Write consecutive shares of the rows into pairs of files; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    ends = np.rint(np.cumsum(shares) * len(X)).astype(int)
    files = []
    for i, (rows, labels) in enumerate(zip(np.split(X, ends[:-1]), np.split(y, ends[:-1]), strict=True)):
        files.append((folder / f"{name}_X{i}.npy", folder / f"{name}_y{i}.npy"))
        for path, array in zip(files[-1], (rows, labels), strict=True):
            np.save(path, array)
    return files


def read(X_path: Path, y_path: Path) -> tuple[Array, Array]:
    """Return the rows of a shard; it runs where the shard is needed, on a worker."""
    return np.load(X_path).astype(np.float32) / 16, np.load(y_path)


def make_network(seed: int = 0) -> fastbp.Network:
    return fastbp.Network(
        [64, fastbp.Dense(64, dropout=0.1), 10],
        activation="relu",
        loss="cross_entropy",
        optimizer=fastbp.Adam(0.005),
        seed=seed,
    )


def train(
    client: Any, files: list[Files], validation: list[Files], epochs: int, path: Path
) -> fastbp.Network:
    """Return a network that was trained on the shards in these files; client None: in this process."""
    net = make_network()
    history = fastbp.dask.fit(
        client,
        net,
        shards=[partial(read, *pair) for pair in files],
        validation_shards=[partial(read, *pair) for pair in validation],
        epochs=epochs,
        batch_size=BATCH_SIZE,
        callbacks=[
            Checkpoint(path),  # resume=path goes on from here, on any cluster
            EarlyStopping("validation_loss", patience=5, restore_best=True),
        ],
    )
    print(
        f"{len(history)} epochs, ended by {history.stopped!r}; "
        f"best validation accuracy {max(history.validation_accuracy):.1%}"
    )
    return net


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Start worker processes of one thread each; end them with the block."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="localhost:0") as processes,
        Client(processes) as client,
    ):
        yield client


def run(folder: Path, workers: int, epochs: int) -> None:
    images, labels = load_digits()
    X, X_test, y, y_test = stratified_split(images, labels, test_fraction=0.2, seed=0)
    X, X_valid, y, y_valid = stratified_split(X, y, test_fraction=0.2, seed=1)
    files = write(folder, "train", X, y, SHARDS)
    validation = write(folder, "valid", X_valid, y_valid, (0.5, 0.5))
    print(
        f"{len(X)} rows in {len(files)} shards, {len(X_valid)} to validate in {len(validation)}; in {folder}"
    )

    with cluster(workers) as client:
        print(f"on {workers} workers: ", end="", flush=True)
        net = train(client, files, validation, epochs, folder / "digits.safetensors")
        tested = fastbp.dask.evaluate(client, net, X_test / np.float32(16), y_test)
    print(f"accuracy on {len(X_test)} test rows: {tested['accuracy']:.1%}")

    print("in this process: ", end="", flush=True)
    same = train(None, files, validation, epochs, folder / "serial.safetensors")
    print(f"the same bits: {np.array_equal(net.parameters, same.parameters)}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train on handwritten digits in shards, on several processes."
    )
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="number of worker processes; default: %(default)s"
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="N", help="the most epochs; default: %(default)s"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="PATH",
        help="folder for shards and checkpoint; default: a temporary one",
    )
    options = parser.parse_args(arguments)
    if min(options.workers, options.epochs) < 1:
        parser.error("--workers and --epochs must be at least 1")
    try:
        if options.folder:
            run(options.folder, options.workers, options.epochs)
        else:
            with tempfile.TemporaryDirectory() as folder:
                run(Path(folder), options.workers, options.epochs)
    except ImportError as error:
        print(f'{error}: pip install "fastbp[dask]"', file=sys.stderr)
        return 1
    except (fastbp.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":  # worker processes import this file
    sys.exit(main())
