"""Random numbers without state: each is a function of (seed, purpose, epoch, step, index).

The generator is the counter-based Philox4x64-10: the raw stream of numpy.random.Philox.

References
----------
J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastbp import _core

WEIGHTS = 0  # purpose: the initial weights; the step is the layer's index
SHUFFLE = 1  # purpose: the order of the rows; the epoch counts all epochs of the network
NOISE = 2  # purpose: noise on the inputs; the step is that of the optimizer
SPLIT = 3  # purpose: the rows that a fit holds out; the same in every fit
BLOCKS = 4  # purpose: the order of blocks of rows (step 0), and of the rows in block b (step 1 + b)
EXCHANGED = 5  # purpose: the order of a column's values; the epoch is the repeat, the step the column
SAMPLE = 6  # purpose: some rows of the data to look at; the same in every fit
SHARD = 7  # purpose: the seed of a shard, whose index is the step
FOLDS = 8  # purpose: the folds of a cross-validation
DROPOUT = 2**32  # purpose, plus the layer's index: the dropped units; the step is that of the optimizer


def raw(seed: int, purpose: int, epoch: int, step: int, n: int, block: int = 0) -> NDArray[np.uint64]:
    """Return n random words of a stream, starting with word 4 * block; 0 <= seed < 2**64."""
    key = np.array([seed, purpose], np.uint64)
    counter = np.array([block, 0, step, epoch], np.uint64)  # word 0 counts the blocks of four
    return np.random.Philox(key=key, counter=counter).random_raw(n)


def uniform(seed: int, purpose: int, epoch: int, step: int, n: int) -> NDArray[np.float64]:
    """Return n numbers in [0, 1), uniformly distributed over the multiples of 2**-53."""
    return (raw(seed, purpose, epoch, step, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, purpose: int, epoch: int, step: int, n: int) -> NDArray[np.float64]:
    """Return n standard normal numbers, each pair from a pair of uniform ones (Box and Muller, 1958).

    Logarithm, sine and cosine are the core's, because the last bits of NumPy's depend on the processor.
    """
    u = uniform(seed, purpose, epoch, step, n + n % 2).reshape(-1, 2)
    radius = np.sqrt(-2 * _core.vector_math("log1p", -u[:, 0]))
    angle = 2 * np.pi * u[:, 1]
    pairs = [radius * _core.vector_math(name, angle) for name in ("cos", "sin")]
    return np.column_stack(pairs).reshape(-1)[:n]


def permutation(seed: int, epoch: int, n: int, *, purpose: int = SHUFFLE, step: int = 0) -> NDArray[np.intp]:
    """Return a random order of n rows for an epoch.

    This is the shuffle of Fisher and Yates. Each index is the high half of (random word x number of
    choices); its bias is below n / 2**64.
    """
    order = list(range(n))
    for i, r in zip(range(n - 1, 0, -1), raw(seed, purpose, epoch, step, n - 1).tolist(), strict=True):
        j = (r * (i + 1)) >> 64
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.intp)


def block_rows(n_in: int) -> int:
    """Return the number of rows per block that are shuffled with each other, for rows of n_in numbers."""
    return max(1024, 2**20 // n_in)


def permutation_of_blocks(seed: int, epoch: int, n: int, rows: int) -> NDArray[np.intp]:
    """Return an order of n rows for an epoch, in which blocks of rows stay together.

    Blocks of so many consecutive rows, of which the last may be shorter, follow each other in a random order,
    and the rows of each block are in a random order, too.
    """
    starts = range(0, n, rows)
    order = permutation(seed, epoch, len(starts), purpose=BLOCKS)
    within = (
        starts[b] + permutation(seed, epoch, min(rows, n - starts[b]), purpose=BLOCKS, step=1 + b)
        for b in order.tolist()
    )
    return np.concatenate([*within])


def some_rows(seed: int, n: int, rows: int) -> NDArray[np.intp]:
    """Return about `rows` of n rows, in ascending order: a random one of each of as many stretches."""
    if n <= rows:
        return np.arange(n, dtype=np.intp)
    at = (np.arange(rows) + uniform(seed, SAMPLE, 0, 0, rows)) * (n / rows)
    return np.unique(np.minimum(at.astype(np.intp), n - 1))


def random_order(seed: int, purpose: int, n: int) -> NDArray[np.intp]:
    """Return n rows in a random order: sorted by random words, of which equal ones keep their order."""
    return np.argsort(raw(seed, purpose, 0, 0, n), kind="stable")
