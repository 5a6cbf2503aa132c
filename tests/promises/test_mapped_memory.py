"""A fit on a file needs no more memory of its own (RssAnon) when the file is larger."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs Linux with glibc"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer manages the memory"),
]

FIT = """
import sys
import numpy as np
import fastbp

def anonymous():  # bytes
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

class Peak:
    def __init__(self):
        self.bytes, self.steps = 0, 0
    def on_batch_end(self, state):
        self.steps += 1
        if self.steps % 16 == 1:
            self.bytes = max(self.bytes, anonymous())

def growth(rows, shuffle):
    # the bytes by which RssAnon grows at its peak during a fit on a file of zeros
    with open(path, "wb") as file:
        file.truncate(rows * n_in * np.dtype(dtype).itemsize)  # takes no space on the disk
    X = np.memmap(path, dtype, "r", shape=(rows, n_in))
    y = np.lib.stride_tricks.as_strided(np.ones(1, "f4"), (rows, 1), (0, 4))  # no array of its own
    before, peak = anonymous(), Peak()
    net.fit(X, y, batch_size=1024, shuffle=shuffle, callbacks=peak)
    assert peak.steps == -(-rows // 1024)
    return max(peak.bytes, anonymous()) - before

path, n_in, dtype, *sizes = sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:])
net = fastbp.Network([n_in, 4, 1], seed=0)
net.fit(np.ones((4096, n_in), dtype), np.ones((4096, 1), "f4"), batch_size=1024)  # loads what a fit needs
for shuffle in ("blocks", False, True):
    print(*(growth(rows, shuffle) for rows in sizes))
"""


def assert_flat(folder, sizes, n_in, dtype):
    """Compare the growth on files of so many megabytes, of which an exact shuffle has 8 bytes per row."""
    rows = [(megabytes << 20) // (n_in * {"f4": 4, "u1": 1}[dtype]) for megabytes in sizes]
    command = [sys.executable, "-P", "-c", FIT, folder / "X.bin", n_in, dtype, *rows]
    try:
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    finally:
        (folder / "X.bin").unlink(missing_ok=True)
    assert result.returncode == 0, result.stderr
    for line, order in zip(result.stdout.splitlines(), (0, 0, 8 * (rows[1] - rows[0])), strict=True):
        small, large = map(int, line.split())
        print(f"{dtype} {n_in}: {sizes} MB: RssAnon + {small >> 10}, {large >> 10} KB, order {order >> 10}")
        assert large - small <= order + (1 << 20)


def test_memory_is_flat(tmp_path):
    assert_flat(tmp_path, (8, 64), 16, "f4")


@pytest.mark.slow
@pytest.mark.parametrize(("n_in", "dtype"), [(784, "f4"), (784, "u1"), (16, "f4")])
def test_memory_is_flat_up_to_2_gigabytes(n_in, dtype, tmp_path):
    assert_flat(tmp_path, (64, 2048), n_in, dtype)
