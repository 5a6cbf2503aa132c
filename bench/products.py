"""The matrix products of training, computed in turns by fastbp and by NumPy in one process.

NumPy reads the same arrays as fastbp, or contiguous ones where fastbp pads its rows. Transposed operands are
views, and results go into an existing array. BLAS reads only once for which processor it computes and how
many threads it may use. So bench_products.py has `measure` called in a process with the right environment.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

import machine
from kernels import Path, seconds_of

TURN_SECONDS = 0.01
ROUNDS, LEAST_ROUNDS, ROUNDS_SECONDS = 15, 5, 3


@dataclass(frozen=True)
class Product:
    """A product of one layer: forward X W, backward dY W^T (dX), or the gradient X^T dY (dW)."""

    direction: str
    rows: int
    n_in: int
    n_out: int

    @property
    def shape(self):
        return f"{self.rows}x{self.n_in}x{self.n_out}"

    @property
    def flops(self):
        return 2 * self.rows * self.n_in * self.n_out

    def operands(self, x, W, delta):
        """Return the operands in memory, each followed by whether the product reads it transposed."""
        return {"forward": (x, 0, W, 0), "dX": (delta, 0, W, 1), "dW": (x, 1, delta, 0)}[self.direction]


def products_of(workloads):
    """Return every product of the workloads once; the first layer of a network needs no dX."""
    found = {}
    for workload in workloads:
        for i, (n_in, n_out) in enumerate(pairwise(workload.layers)):
            for direction in ("forward", "dX", "dW") if i else ("forward", "dW"):
                found[Product(direction, workload.batch_size, n_in, n_out)] = None
    return list(found)


def by_fastbp(path, a, a_transposed, b, b_transposed):
    """Return a function that computes the product `repeats` times, and its result."""
    (K, M), N = a.shape if a_transposed else a.shape[::-1], b.shape[0 if b_transposed else 1]
    c, scratch = path.array(M, N), path.scratch(K, N)
    lda, ldb = (o.strides[0] // o.itemsize for o in (a, b))
    return path.call("run_product", M, N, K, a, lda, a_transposed, b, ldb, b_transposed, scratch, c), c


def by_numpy(path, a, a_transposed, b, b_transposed):
    """Return the same for NumPy."""
    a, b = (o.T if transposed else o for o, transposed in ((a, a_transposed), (b, b_transposed)))
    c = path.array(len(a), b.shape[1])

    def run(repeats):
        for _ in range(repeats):
            np.dot(a, b, out=c)  # does the same as np.matmul, in 0.4 us less

    return run, c


def measure(product, isa, dtype):
    """Return the seconds of each round, [fastbp's, NumPy's], and the peak in GFLOP/s."""
    path = Path(isa, dtype)
    m, n_in, n_out = product.rows, product.n_in, product.n_out
    x, W, delta = path.padded(m, n_in), path.array(n_in, n_out), path.padded(m, n_out)
    ours, result = by_fastbp(path, *product.operands(x, W, delta))
    x, delta = (path.contiguous(array) for array in (x, delta))
    theirs, expected = by_numpy(path, *product.operands(x, W, delta))
    runs = ours, theirs
    for run in runs:
        run(1)
    np.testing.assert_allclose(result, expected, rtol=path.rtol)
    once = [seconds_of(run, 1) for run in runs]
    repeats = [1 + int(TURN_SECONDS / seconds) for seconds in once]
    turns = sum(seconds * count for seconds, count in zip(once, repeats, strict=True))
    rounds = max(LEAST_ROUNDS, min(ROUNDS, int(ROUNDS_SECONDS / turns)))
    peak = machine.peak(isa, dtype)
    seconds = [
        [seconds_of(run, count) / count for run, count in zip(runs, repeats, strict=True)]
        for _ in range(rounds)
    ]
    return np.transpose(seconds), max(peak, machine.peak(isa, dtype))
