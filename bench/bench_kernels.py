"""Times each kernel alone, on every instruction set, as a share of its limit. It shows where a slowdown is.

bench_products.py times the matrix products. Here, the limit of a sum of products is the arithmetic peak of
the instruction set. The limit of every other kernel is a loop over the same amount of memory in the same
cache that only computes a sum. A kernel reaches 100 % if its arithmetic is hidden behind loads and stores;
one with an exp or a division stays far below.

The limit is measured before and after the kernel, all in CPU time, and the best of each counts, because
disturbances only make a run longer.

`make bench-kernels` also stores the figures in `bench/results/`.
"""

import ctypes
from functools import partial

import numpy as np
import pytest

import machine
from fastbp import _core
from kernels import Path, seconds_of

ROUNDS, ROUND_SECONDS = 15, 0.001
LEAST_ROUNDS = 3  # if a single run takes longer
IN_L1 = 768  # elements: four vectors of doubles are 24 KB
IN_MEMORY = 16 << 20  # bytes of one vector


# Each function prepares a kernel with operands. It returns what runs the kernel, what measures its limit in
# seconds, the amount of work, and the unit: GFLOP/s for work in flops, ns for work in vectors.


def forward_narrow(m, n_in, n_out, path):
    number = [name for name, *_ in _core.ACTIVATIONS].index("sigmoid")
    x, W, y = path.array(n_in, m), path.array(n_in + 1, n_out), path.array(n_out, m)
    run = path.call("run_forward_narrow", number, m, n_in, n_out, m, x, W, y)
    run(1)
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-(W[:-1].T @ x + W[-1:].T))), rtol=path.rtol)
    return run, path.move_seconds(n_in, n_out, m), path.vectors(n_out, m), "ns"


def backward_weights_narrow(m, n_in, n_out, path):
    x, delta = path.array(n_in + 1, m), path.array(n_out, m)
    x[-1] = 1
    n = (n_in + 1) * n_out
    dW = path.array(1, n + path.constant("vector_lanes"))
    run = path.call("run_backward_weights_narrow", m, n_in, n_out, m, x, delta, dW)
    run(1)
    np.testing.assert_allclose(dW[0, :n].reshape(n_in + 1, n_out), x @ delta.T, rtol=path.rtol)
    flops = 2 * m * n
    return run, path.peak_seconds(flops), flops, "GFLOP/s"


def pack(transposed, K, path):
    width = path.constant("panel_columns")
    b, panel = path.array(width, K) if transposed else path.array(K, 2048), path.array(K, width)
    run = path.call("run_pack", transposed, b, b.shape[1], K, panel)
    run(1)
    np.testing.assert_array_equal(panel, b.T if transposed else b[:, :width])
    return run, path.move_seconds(1, 1, K * width), path.vectors(K, width), "ns"


def apply(activation, alpha, path):
    slopes = path.library.saves_slope(ctypes.c_size_t(activation))
    z, y, slope = (path.array(1, IN_L1) for _ in range(3))
    run = path.call("run_apply", activation, alpha, IN_L1, z, y, slope if slopes else None)
    return run, path.move_seconds(1, 1 + slopes, IN_L1), path.vectors(1, IN_L1), "ns"


def chain(activation, alpha, path):
    arrays = [path.array(1, IN_L1) for _ in range(3)]
    run = path.call("run_chain", activation, alpha, IN_L1, *arrays)
    return run, path.move_seconds(2, 1, IN_L1), path.vectors(1, IN_L1), "ns"


def update(optimizer, states, in_memory, path):
    n = IN_MEMORY // path.dtype.itemsize if in_memory else IN_L1
    arrays = [path.array(1, n) for _ in range(2 + states)] + [None] * (3 - states)
    run = path.call("run_update", optimizer, n, *arrays)
    limit = path.move_seconds(2 + states, 1 + states, n, in_place=True)
    return run, limit, path.vectors(1, n), "ns"


def softmax(rows, columns, path):
    run = path.call("run_softmax", rows, columns, path.array(rows, columns), path.array(rows, columns))
    return run, path.move_seconds(1, 1, rows * columns), path.vectors(rows, columns), "ns"


def loss(number, rows, columns, path):
    y, targets, delta = (path.array(rows, columns) for _ in range(3))
    labels = path.rng.integers(columns, size=rows)
    by_row = _core.LOSSES[number][0] == "cross_entropy"
    run = path.call("run_loss", number, rows, columns, y, targets, labels if by_row else None, delta)
    limit = path.move_seconds(1 if by_row else 2, 1, rows * columns)
    return run, limit, path.vectors(rows, columns), "ns"


def gather(source_type, source_dtype, scaled, rows, columns, path):
    data = path.rng.integers(256, size=(rows, columns)).astype(source_dtype)
    index, out = path.rng.permutation(rows), path.array(rows, columns)
    scaling = path.rng.random((2, columns)) if scaled else None
    run = path.call("run_gather", source_type, data.itemsize, rows, columns, data, index, scaling, out)
    run(1)
    expected = (data - scaling[0]) * scaling[1] if scaled else data
    np.testing.assert_array_equal(out, expected[index].astype(path.dtype))
    return run, path.move_seconds(1, 1, out.size), path.vectors(rows, columns), "ns"


def table():
    """Yield the name of every kernel and the function that prepares it."""
    for n_in, n_out in ((3, 2), (2, 1)):
        yield f"narrow forward 64x{n_in}x{n_out}", partial(forward_narrow, 64, n_in, n_out)
        yield f"narrow dW 64x{n_in}x{n_out}", partial(backward_weights_narrow, 64, n_in, n_out)
    yield "pack columns, 784 deep", partial(pack, 0, 784)
    yield "pack transposed, 512 deep", partial(pack, 1, 512)
    for i, (name, alpha, *_) in enumerate(_core.ACTIVATIONS):
        if name != "softmax":
            yield f"apply {name}", partial(apply, i, float(alpha))
            yield f"chain {name}", partial(chain, i, float(alpha))
    for i, (name, states) in enumerate(_core.OPTIMIZERS):
        yield f"{name} in L1", partial(update, i, states, False)
        yield f"{name} in 16 MB vectors", partial(update, i, states, True)
    for rows, columns in ((64, 10), (512, 1000)):
        yield f"softmax {rows}x{columns}", partial(softmax, rows, columns)
    for i, (name, _, _) in enumerate(_core.LOSSES):
        for rows, columns in ((64, 10), (512, 1000)) if name == "cross_entropy" else ((64, 12),):
            yield f"{name} {rows}x{columns}", partial(loss, i, rows, columns)
    for source_type, source_dtype in ((0, "float16"), (1, "float32"), (2, "float64"), (7, "uint8")):
        yield f"gather {source_dtype} 64x784", partial(gather, source_type, source_dtype, False, 64, 784)
        yield f"scale {source_dtype} 64x784", partial(gather, source_type, source_dtype, True, 64, 784)


COLUMNS = [(isa, dtype) for isa in machine.isas() for dtype in machine.DTYPES]
LINES = [
    pytest.param(name, prepare, isa, dtype, id=f"{name}-{isa}-{dtype}")
    for name, prepare in table()
    for isa, dtype in COLUMNS
]


def print_table(figures):
    cells = {(f["kernel"], f["isa"], f["dtype"]): f for f in figures}
    print("\n\nGFLOP/s of sums of products, ns per vector of other kernels; share of the limit")
    print(f"{'':26}" + "".join(f"{f'{isa} {machine.DTYPES[dtype]}':>14}" for isa, dtype in COLUMNS))
    for name in dict.fromkeys(f["kernel"] for f in figures):
        line = [cells.get((name, *column)) for column in COLUMNS]
        texts = [f"{f.get('ns') or f['GFLOP/s']:.3g} {f['share']:4.0%}" if f else "" for f in line]
        print(f"{name:26}" + "".join(f"{text:>14}" for text in texts))


@pytest.fixture(scope="module")
def figures(records, request):
    """Collect the figures; print them at the end, and add them to the records."""
    found = []
    yield found
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print_table(found)
    records.extend(found)


@pytest.mark.parametrize(("name", "prepare", "isa", "dtype"), LINES)
def test_kernel(name, prepare, isa, dtype, figures):
    run, limit, work, unit = prepare(Path(isa, dtype))
    once = seconds_of(run, 1)
    rounds = max(LEAST_ROUNDS, min(ROUNDS, int(ROUNDS * ROUND_SECONDS / once)))
    repeats = 1 + int(ROUND_SECONDS / once)
    before = limit()
    seconds = min(seconds_of(run, repeats) for _ in range(rounds)) / repeats
    share = min(before, limit()) / seconds
    figure = work / seconds / 1e9 if unit == "GFLOP/s" else 1e9 * seconds / work
    figures.append(
        {"kernel": name, "isa": isa, "dtype": dtype, "share": round(share, 3), unit: float(f"{figure:.4g}")}
    )
