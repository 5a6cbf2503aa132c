"""Measures the speed of fits on files that are in the page cache, beside the same fits on arrays in memory.

The rounds of both alternate, and a ratio is that of two times of the same round.
"""

from time import perf_counter

import numpy as np
import pytest

import fastbp
from machine import processor, quartiles

ROUNDS = 9
ROWS, SIZES, BATCH = 30_000, (784, 128, 10), 64
LEAST_SPEED = 0.8  # of that in memory
TITLE = f"speed on a file beside that in memory; {SIZES}, batches of {BATCH}; {processor()['name']}"


@pytest.mark.parametrize("shuffle", [True, "blocks", False])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_mapped(dtype, shuffle, benchmark, report, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (ROWS, SIZES[0])).astype(dtype)
    y = rng.integers(0, SIZES[-1], ROWS)
    X.tofile(tmp_path / "X.bin")
    data = [X, np.memmap(tmp_path / "X.bin", dtype, "r", shape=X.shape)]
    nets = [
        fastbp.Network(SIZES, activation="relu", loss="cross_entropy", optimizer=fastbp.SGD(1e-6), seed=0)
        for _ in data
    ]
    times = []

    def once():
        row = []
        for net, inputs in zip(nets, data, strict=True):
            start = perf_counter()
            net.fit(inputs, y, epochs=1, batch_size=BATCH, shuffle=shuffle)
            row.append(perf_counter() - start)
        times.append(row)

    with fastbp.threads(1):
        benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    assert (nets[0].parameters == nets[1].parameters).all()
    low, median, high = quartiles([memory / file for memory, file in times])
    seconds = np.median(times, axis=0)
    report.append(
        f"{dtype:8} shuffle={shuffle!s:6} {median:.3f} ({low:.3f} to {high:.3f}), at least {LEAST_SPEED}; "
        f"{seconds[0]:.3f} s in memory, {seconds[1]:.3f} s on the file"
    )
    benchmark.extra_info.update(test="mapped", dtype=dtype, shuffle=shuffle, speed=[low, median, high])
