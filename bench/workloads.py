"""The workloads to time: trainings, single samples, predictions, squares, and growing sizes."""

from dataclasses import replace
from itertools import pairwise

import fastbp
from fastbp.cli.bench import WORKLOADS, Workload, sgd

SEED, RL, TAB, MNIST, WIDE, LARGE = WORKLOADS

adam = fastbp.Adam(learning_rate=1e-3)
IRIS = Workload("iris", (4, 16, 3), "relu", "cross_entropy", adam, 16, 9, 10)  # its shape: 144 of 150 rows
CHAINS = Workload("chains", (4, 32, 16, 4), "tanh", "mse", adam, 10_000, 1, 10)  # known from SimpleChains.jl
ROWS = replace(SEED, name="rows", loss="mse", batch_size=1_000_000, epochs=2)

ONE_SAMPLE = (
    replace(SEED, loss="mse", batch_size=1, batches=64, epochs=4),
    replace(RL, optimizer=sgd, batch_size=1, batches=512, epochs=2),
    replace(MNIST, batch_size=1, batches=512, epochs=2, shuffle=False),
)

# for predictions only the layers and the rows per batch matter
ONE_ROW = replace(RL, batch_size=1, batches=1)
INFERENCE = (
    ONE_ROW,
    replace(MNIST, batch_size=4096, batches=1),
    replace(WIDE, activation="tanh", batch_size=4096, batches=1),
)

SIZES = [2**i for i in range(13)]  # 1 ... 4096
GROWTH_BATCH, GROWTH_WIDTH = 128, 256


def growing(width: int, batch_size: int) -> Workload:
    """Return the training of two square layers."""
    batches = max(1, min(64, 2048 // max(width, batch_size)))  # one step per epoch for the largest
    optimizer = fastbp.SGD(learning_rate=0.1)
    return Workload(f"{width}x{batch_size}", (width,) * 3, "relu", "mse", optimizer, batch_size, batches, 2)


SQUARES = tuple(
    growing(width, batch_size) for width in (512, 1024, 2048, 4096) for batch_size in (16, 128, 512)
)
GROWTH = {
    "width": [growing(width, GROWTH_BATCH) for width in SIZES if width >= 16],
    "batch": [growing(GROWTH_WIDTH, batch_size) for batch_size in SIZES],
}


def training_flops(workload: Workload) -> int:
    """Return the floating-point operations of a step: three products per layer, but no dX for the first."""
    sizes = workload.layers
    products = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    return workload.batch_size * (6 * sum(products) - 2 * products[0])


def inference_flops(workload: Workload) -> int:
    """Return the floating-point operations of the prediction of a batch."""
    sizes = workload.layers
    return 2 * workload.batch_size * sum(a * b for a, b in pairwise(sizes))


def one_sample_bytes(workload: Workload) -> int:
    """Return the bytes that a step on one row moves: a read forward, a read and a write in the update."""
    return 3 * workload.network().parameters.nbytes
