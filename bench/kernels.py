"""The kernels of one instruction set and element type, called from Python, with operands for them."""

import ctypes
from time import thread_time

import numpy as np

import machine
from fastbp import _core

PAGE = 4096


class Path:
    """The kernels of one instruction set and dtype, with arrays and limits for them."""

    def __init__(self, isa, dtype):
        self.isa, self.dtype = isa, np.dtype(dtype)
        self.library = machine.library("kernels.c", isa, dtype)
        self.library.set_caches(*map(ctypes.c_size_t, _core.caches()))
        self.rtol = {"float32": 1e-4, "float64": 1e-12}[dtype]
        self.rng = np.random.default_rng(0)

    def constant(self, name):
        return ctypes.c_size_t.in_dll(self.library, name).value

    def array(self, rows, columns):
        """Return positive noise that starts on a memory page, so kernel and limit see the same alignment."""
        memory = np.empty(rows * columns * self.dtype.itemsize + PAGE, np.uint8)
        start = -memory.ctypes.data % PAGE
        array = memory[start:][: memory.size - PAGE].view(self.dtype).reshape(rows, columns)
        array[...] = 0.5 + self.rng.random(array.shape, np.float32)
        return array

    def padded(self, rows, columns):
        """Return an array laid out like hidden layers in a plan: rows are not a multiple of 1 KB apart."""
        size = self.dtype.itemsize
        return self.array(rows, columns + (64 // size if columns * size % 1024 == 0 else 0))[:, :columns]

    def contiguous(self, array):
        """Return the array, or a copy without padding."""
        if not array.flags.c_contiguous:
            array, padded = self.array(*array.shape), array
            array[...] = padded
        return array

    def call(self, name, *arguments):
        """Return a function that calls a function of kernels.c `repeats` times."""
        as_c = {int: ctypes.c_size_t, float: ctypes.c_double, type(None): ctypes.c_void_p}
        values = [
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else as_c.get(type(a), lambda a: a)(a)
            for a in arguments
        ]
        function = getattr(self.library, name)
        # the default argument keeps the arrays alive
        return lambda repeats, _=arguments: function(*values, ctypes.c_size_t(repeats))

    def vectors(self, rows, columns):
        return rows * -(-columns // self.constant("vector_lanes"))

    def scratch(self, K, N):
        """Return memory for the copies that a product with this K and N makes."""
        self.library.product_scratch_bytes.restype = ctypes.c_size_t
        size = self.library.product_scratch_bytes(ctypes.c_size_t(K), ctypes.c_size_t(N))
        return self.array(1, -(-size // self.dtype.itemsize))

    def peak_seconds(self, flops):
        """Return a function that measures the seconds that `flops` take at peak speed."""
        return lambda: flops / machine.peak(self.isa, self.dtype.name) / 1e9

    def move_seconds(self, reads, writes, n, in_place=False):
        """Return a function that measures the seconds of reading and writing so many arrays of n elements."""
        n = self.vectors(1, n) * self.constant("vector_lanes")
        arrays = [self.array(1, n) for _ in range(reads if in_place else reads + writes)]
        for array in arrays:
            array[...] = 0  # sums in place would grow
        inputs, outputs = arrays[:reads], arrays[:writes] if in_place else arrays[reads:]
        pointers = [(ctypes.c_void_p * len(a))(*[b.ctypes.data for b in a]) for a in (inputs, outputs)]
        run = self.call("run_move", reads, writes, *pointers, n)
        repeats = 1 + 100_000 // n
        return lambda _=arrays: machine.best_seconds(lambda: run(repeats)) / repeats


def seconds_of(run, repeats):
    """Return the CPU time of `run(repeats)`."""
    start = thread_time()
    run(repeats)
    return thread_time() - start
