"""Memory use of fits and predictions: the peak, the workspaces that are kept, no allocation per step."""

import os
import platform
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

import fastbp
from fastbp import _core

only_linux = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs Linux with glibc")
not_preloaded = pytest.mark.skipif(
    "LD_PRELOAD" in os.environ, reason="a preloaded library (a sanitizer's) manages the memory"
)


def python(code, **environment):
    """Run the code in a new process, with the package under test; return its output."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    command = [sys.executable, "-P", "-c", code]
    result = subprocess.run(command, env=variables | environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


# ---- the peak of a fit -------------------------------------------------------------------------------------

STATUS = """
def status(name):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
"""

PEAK = """
import numpy as np
import fastbp

options = {{"batch_size": {batch}, "gradient_tol": {gradient_tol}, "epochs": 2}}
optimizer = fastbp.{optimizer}
first = fastbp.Network([3, 2], optimizer=optimizer)
first.fit(np.ones((16, 3)), np.ones((16, 2)), **options)  # what a first fit loads is loaded
rng = np.random.default_rng(0)
X, y = rng.random(({rows}, {n_in}), np.float32), rng.random(({rows}, {n_out}), np.float32)
before = status("VmRSS")
net = fastbp.Network({sizes}, optimizer=optimizer)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak is counted from here
net.fit(X, y, **options)
print(status("VmHWM") - before)
"""
SIZES = [3000, 2000, 1000]
P = 4 * sum((n_in + 1) * n_out for n_in, n_out in pairwise(SIZES))  # bytes: 32 MB

FITS = {
    "SGD": ("SGD(1e-3)", 0, None),
    "momentum": ("SGD(1e-3, momentum=0.9)", 1, None),
    "Adam": ("Adam()", 2, None),
    "SGD, gradients stored": ("SGD(1e-3)", 0, 1e-9),
}


@only_linux
@not_preloaded
@pytest.mark.parametrize(("optimizer", "states", "gradient_tol"), FITS.values(), ids=FITS.keys())
def test_peak_of_a_fit(optimizer, states, gradient_tol):
    """Parameters and state, a snapshot of both, gradients only where stored, two batches of activations."""
    batch = 16
    code = PEAK.format(
        optimizer=optimizer,
        gradient_tol=gradient_tol,
        sizes=SIZES,
        n_in=SIZES[0],
        n_out=SIZES[-1],
        batch=batch if gradient_tol is None else None,
        rows=2 * batch if gradient_tol is None else batch,
    )
    peak = int(python(STATUS + code, MALLOC_MMAP_THRESHOLD_="131072"))  # what is freed is given back
    numbers = 2 * (1 + states) * P + (P if gradient_tol else 0)
    assert numbers < peak < numbers + 2 * batch * 4 * sum(SIZES) + 20e6


@only_linux
@not_preloaded
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_peak_of_a_million_rows_at_once(threads):
    """The workspace of one row block, or of four for each of several threads, however large the batch."""
    code = PEAK.format(
        optimizer="SGD(1e-3)", gradient_tol=None, sizes=[3, 2, 1], n_in=3, n_out=1, batch=None, rows=10**6
    )
    peak = int(python(STATUS + code, FASTBP_NUM_THREADS=str(threads), MALLOC_MMAP_THRESHOLD_="131072"))
    block = 4 * 4096 * (3 + 1 + 1 + 2 * (2 + 1))  # inputs, ones, targets, outputs and deltas
    blocks = 1 if threads == 1 else 4 * threads
    assert block / 2 < peak < blocks * 1.5 * block + 100e3


BYTES = """
import numpy as np
import fastbp

def fit(X, y):
    net = fastbp.Network([784, 16, 10], loss="cross_entropy", optimizer=fastbp.SGD(1e-3), seed=0)
    net.adapt(scale=1 / 255)
    net.fit(X, y, batch_size=64)

rng = np.random.default_rng(0)
X, y = rng.integers(256, size=({rows}, 784), dtype=np.uint8).astype("{kind}"), rng.integers(10, size={rows})
fit(X[:64], y[:64])  # what a first fit loads is loaded
before = status("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
fit(X, y)
print(status("VmHWM") - before)
"""


@only_linux
@not_preloaded
@pytest.mark.parametrize("kind", ["u1", "f2"])
def test_images_of_bytes_are_converted_a_batch_at_a_time(kind):
    """16 MB of bytes, or 31 MB of halves, would be 63 MB of floats."""
    assert int(python(STATUS + BYTES.format(rows=20_000, kind=kind))) < 2e6


# ---- workspaces that are kept ------------------------------------------------------------------------------


@pytest.fixture
def no_memory():
    """Let the core's next allocation fail, for which it then asks in vain."""
    yield lambda: _core.fail_allocation(1)
    _core.fail_allocation(0)


def test_predictions_share_a_workspace(rng, no_memory):
    net = fastbp.Network([40, 30, 20], seed=0)
    X = rng.random((10_000, 40))
    net.predict(X)
    no_memory()
    for rows in (X, X[:100], X[0], X.astype(np.float32)[0]):
        net.predict(rows)
    with pytest.raises(MemoryError):
        net.clone().predict(X)


def test_large_workspaces_are_not_kept(no_memory):
    net = fastbp.Network([40_000, 30, 20], seed=0)
    X = np.ones((400, 40_000), np.uint8)
    net.predict(X)
    no_memory()
    with pytest.raises(MemoryError):
        net.predict(X)


def test_smaller_batches_use_the_workspace_of_larger_ones(rng, no_memory):
    net = fastbp.Network([4, 30, 2], seed=0)
    X, y = rng.random((600, 4)), rng.random((600, 2))
    for rows in (200, 60, 1):
        net.train_on_batch(X[:rows], y[:rows])
        net.loss_and_gradients(X[:rows], y[:rows])
        net.backward(net.forward(X[:rows]))
        no_memory()
    with pytest.raises(MemoryError):
        net.train_on_batch(X[:201], y[:201])


@pytest.mark.parametrize(("loss", "width"), [("mse", 16), ("mse", 40), ("cross_entropy", 40)])
def test_a_workspace_used_before_makes_no_difference(rng, isa, state_of, loss, width):
    """A clone has no workspace yet, so each of its calls makes one."""
    net = fastbp.Network([5, width, 3], activation="gelu", loss=loss, seed=0)
    X = rng.normal(size=(5000, 5))
    y = rng.integers(3, size=5000) if loss == "cross_entropy" else rng.normal(size=(5000, 3))
    for rows in (100, 7, 4999, 99, 5000, 1, 33):
        few = slice(rows)
        twin = net.clone()
        assert net.train_on_batch(X[few], y[few]) == twin.train_on_batch(X[few], y[few])
        assert state_of(net) == state_of(twin)
        np.testing.assert_array_equal(net.forward(X[few]), net.clone().forward(X[few]))
        twin.forward(X[few])
        np.testing.assert_array_equal(net.backward(X[few, :3]), twin.backward(X[few, :3]))
        np.testing.assert_array_equal(net.gradients, twin.gradients)
        np.testing.assert_array_equal(net.predict(X[few]), net.clone().predict(X[few]))


# ---- a step allocates nothing ------------------------------------------------------------------------------

COUNTER = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long count;
long allocations(void) { return atomic_load(&count); }

void *malloc(size_t size) { atomic_fetch_add(&count, 1); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { atomic_fetch_add(&count, 1); return __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { atomic_fetch_add(&count, 1); return __libc_realloc(p, size); }
void *memalign(size_t alignment, size_t size) {
    atomic_fetch_add(&count, 1);
    return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **p, size_t alignment, size_t size) {
    *p = memalign(alignment, size);
    return *p ? 0 : ENOMEM;
}
void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    atomic_fetch_add(&count, 1);
    return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}
"""

COUNTED = """
import ctypes, gc, os
import numpy as np
import fastbp
from fastbp._training import fit, snapshot

allocations = ctypes.CDLL(os.environ["LD_PRELOAD"]).allocations

def count(call):
    call()  # what is made once
    gc.collect()
    gc.disable()
    before = allocations()
    call()
    found = allocations() - before
    gc.enable()
    return found

def times(n, call):
    def repeat():
        for _ in range(n):
            call()
    return repeat

assert count(lambda: np.empty(10**6)) > 0  # it does count
fit.SLICE = snapshot.SNAPSHOT_INTERVAL = 1e9  # a fit enters the core once
rng = np.random.default_rng(0)
X, row = rng.random((8000, 4)), rng.random(4, np.float32)
out = np.empty(3, np.float32)
for loss, target in (("mse", rng.random((8000, 3))), ("cross_entropy", rng.integers(3, size=8000))):
    for optimizer in (fastbp.SGD(1e-3), fastbp.Adam()):
        net = fastbp.Network([4, 30, 20, 3], activation="gelu", loss=loss, optimizer=optimizer, seed=0)
        print("fit", *(count(lambda: net.fit(X, target, batch_size=rows)) for rows in (800, 8)))
        few, some = X[:32].astype(np.float32), target[:32]
        for what, call in {
            "train_on_batch": lambda: net.train_on_batch(few, some),
            "predict one row": lambda: net.predict(row, out=out),
            "predict rows": lambda results=np.empty((32, 3), np.float32): net.predict(few, out=results),
        }.items():
            print(what, *(count(times(n, call)) for n in (10, 1000)))
"""


@only_linux
@not_preloaded
def test_a_step_allocates_nothing(tmp_path):
    """A hundred times as many steps or calls make no further allocation."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler to make the library that counts allocations")
    source, library = tmp_path / "counter.c", tmp_path / "counter.so"
    source.write_text(COUNTER)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    lines = python(COUNTED, LD_PRELOAD=str(library)).splitlines()
    assert len(lines) == 16
    for line in lines:
        *_, few, many = line.split()
        assert few == many, line
