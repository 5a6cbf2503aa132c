"""The C core without networks: tables, instruction sets, threads, caches, array functions, linear algebra."""

import os

import numpy as np

from fastbp.exceptions import DTypeError, Error, ParameterError, ShapeError

cimport numpy as cnp
from libc.stdint cimport int64_t, uint64_t

from fastbp._core.c_core cimport *

cnp.import_array()

COMPILER = fbp_compiler.decode()
MAX_THREADS = FBP_MAX_THREADS

# Tuples are made from lists: each generator would add a type to the import.
ACTIVATIONS = tuple([
    (fbp_activation_rows[i].name.decode(), fbp_activation_rows[i].alpha, fbp_activation_rows[i].formula.decode(),
     fbp_activation_rows[i].initializer.decode())
    for i in range(FBP_ACTIVATIONS)
])
LOSSES = tuple([
    (fbp_loss_rows[i].name.decode(), fbp_loss_rows[i].link.decode(), fbp_loss_rows[i].formula.decode())
    for i in range(FBP_LOSSES)
])
OPTIMIZERS = tuple([
    (fbp_optimizer_rows[i].name.decode(), fbp_optimizer_rows[i].states) for i in range(FBP_OPTIMIZERS)
])
SCHEDULES = tuple([fbp_schedule_names[i].decode() for i in range(FBP_SCHEDULES)])

ACTIVATION_IDS = {name: i for i, (name, *_) in enumerate(ACTIVATIONS)}
LOSS_IDS = {name: i for i, (name, _, _) in enumerate(LOSSES)}
OPTIMIZER_IDS = {name: i for i, (name, _) in enumerate(OPTIMIZERS)}
SCHEDULE_IDS = {name: i for i, name in enumerate(SCHEDULES)}


# ---- instruction sets ------------------------------------------------------------------------------------------------


def available_isas():
    """Return the names of the instruction sets that this build has and this processor runs, best first."""
    names = []
    while (name := fbp_isa(len(names))) is not NULL:
        names.append(name.decode())
    return tuple(names)


def set_isa(name):
    """Use the instruction set `name` in all networks made and functions called from now on."""
    global _isa
    if name not in available_isas():
        raise ParameterError(f"FASTBP_ISA is {name!r:.60}, expected one of {', '.join(available_isas())}")
    _isa = name


def isa():
    """Return the name of the instruction set in use."""
    return _isa


_isa = available_isas()[0]
if os.environ.get("FASTBP_ISA"):
    set_isa(os.environ["FASTBP_ISA"])


cdef fbp_dtype dtype_id(object dtype) except *:
    resolved = np.dtype(dtype)
    if resolved == np.float32:
        return FBP_FLOAT32
    if resolved == np.float64:
        return FBP_FLOAT64
    raise DTypeError(f"dtype is {dtype}, expected float32 or float64")


cdef const fbp_kernels *kernels_for(object dtype) except NULL:
    return fbp_find_kernels(_isa.encode(), dtype_id(dtype))


cdef const fbp_inspection *inspection_for(object dtype) except NULL:
    return fbp_find_inspection(_isa.encode(), dtype_id(dtype))


# ---- threads ---------------------------------------------------------------------------------------------------------


if not fbp_survive_forks():
    raise MemoryError("not enough memory to register the fork handlers")


def scheduled_cpus():
    """Return how many CPUs the scheduler grants this process, at least 1."""
    return fbp_scheduled_cpus()


def limit_cpus(size_t cpus):
    """Tell the pool how many CPUs a container's quota leaves; with more threads than CPUs, waiting threads sleep."""
    fbp_limit_cpus(cpus)


def threads():
    """Return the number of threads that a call from this thread may use."""
    return fbp_threads()


def set_threads(size_t n):
    """Set the number of threads for the whole process."""
    fbp_set_threads(n)


cdef class OwnThreads:
    """Numbers of threads that override the number of the process for the thread that creates this object.

    The entry added last is in force. Any thread may call `enter` and `leave`. Both are atomic: they hold the GIL, and
    Python handles signals only between its own instructions.
    """

    cdef fbp_thread_limit *own
    cdef list entries  # lists of one number each, told apart by identity

    def __cinit__(self):
        self.entries = []
        self.own = fbp_hold_thread_limit()
        if self.own is NULL:
            raise MemoryError

    def __dealloc__(self):
        fbp_release_thread_limit(self.own)

    def enter(self, list entry not None):
        """Add an entry, a list of one number."""
        self.entries.append(entry)
        fbp_set_thread_limit(self.own, entry[0])

    def leave(self, entry):
        """Remove an entry from any place in the list; do nothing if it is not there."""
        for i in range(len(self.entries)):
            if self.entries[i] is entry:
                del self.entries[i]
                break
        fbp_set_thread_limit(self.own, self.entries[-1][0] if self.entries else 0)


# ---- caches ----------------------------------------------------------------------------------------------------------


def caches():
    """Return the sizes in bytes that are in use for L1, L2 and the share of L3 of one core."""
    sizes = fbp_cache_sizes()
    return sizes.l1, sizes.l2, sizes.l3


def _parse_bytes(str text):
    """Return the number of bytes in a text such as 48K, or 0 if it is no such text."""
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper(), 0)
    digits = text[:-1] if shift else text
    # Python refuses to convert numbers with thousands of digits.
    return int(digits) << shift if digits.isdecimal() and len(digits) < 100 else 0


cdef choose_caches(str text):
    """Use the three sizes of FASTBP_CACHE."""
    sizes = [_parse_bytes(part.strip()) for part in text.split(",")]
    if len(sizes) != 3 or not 1 << 12 <= sizes[0] <= sizes[1] <= sizes[2] <= 1 << 30:
        raise ParameterError(
            f"FASTBP_CACHE is {text!r:.60}, expected the sizes of L1, L2 and L3 for one core, such as 48K,1M,16M: "
            "three numbers from 4K to 1G, none smaller than the one before"
        )
    cdef fbp_caches chosen
    chosen.l1, chosen.l2, chosen.l3 = sizes
    fbp_set_caches(&chosen)


# Once, before anything computes: workspaces are sized by them.
if os.environ.get("FASTBP_CACHE"):
    choose_caches(os.environ["FASTBP_CACHE"])
else:
    fbp_set_caches(NULL)


# ---- functions of arrays ---------------------------------------------------------------------------------------------


cdef cnp.ndarray real_array(object x):
    """Return x as a C-contiguous array of float32 or float64; integers become float64."""
    array = np.asarray(x)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        raise DTypeError(f"x has dtype {array.dtype}, expected float32 or float64")
    return np.require(array, array.dtype.newbyteorder("="), "CA").reshape(array.shape)


cdef object deliver(object result, object out):
    """Return the result, in `out` unless that is None."""
    if out is None:
        return result if result.ndim else result[()]
    if out.shape != result.shape:
        raise ShapeError(f"out has shape {out.shape}, expected {result.shape}")
    if out.dtype != result.dtype:
        raise DTypeError(f"out has dtype {out.dtype}, expected {result.dtype}")
    out[...] = result
    return out


def activate(str name, double alpha, x, out=None):
    """Return f(x) for the activation `name`, in the shape of x; softmax works along the last axis."""
    cdef cnp.ndarray array = real_array(x), y = np.empty_like(array)
    cdef size_t columns = array.shape[array.ndim - 1] if array.ndim else 1
    cdef size_t rows = array.size // columns if columns else 0
    cdef const fbp_kernels *kernels = kernels_for(array.dtype)
    cdef int activation = ACTIVATION_IDS[name]
    with nogil:
        fbp_activate(kernels, activation, alpha, cnp.PyArray_DATA(array), cnp.PyArray_DATA(y), NULL, rows, columns)
    return deliver(y, out)


def derivative(str name, double alpha, x):
    """Return f'(x) for the activation `name`, in the shape of x; for softmax, the diagonal of its Jacobian."""
    if name == "softmax":
        probabilities = activate(name, alpha, x)
        return probabilities * (1 - probabilities)
    cdef cnp.ndarray array = real_array(x)
    cdef cnp.ndarray y = np.empty_like(array), slope = np.empty_like(array)
    cdef size_t n = array.size
    cdef const fbp_kernels *kernels = kernels_for(array.dtype)
    cdef int activation = ACTIVATION_IDS[name]
    with nogil:
        fbp_activate(kernels, activation, alpha, cnp.PyArray_DATA(array), cnp.PyArray_DATA(y),
                     cnp.PyArray_DATA(slope), 1, n)
    return deliver(slope, None)


def second_derivative(str name, double alpha, x):
    """Return f''(x) for the activation `name`, in the shape of x; for softmax, d2y_i / dz_i2 of each element."""
    cdef cnp.ndarray array = real_array(x)
    cdef cnp.ndarray out = np.empty_like(array)
    cdef size_t columns = array.shape[array.ndim - 1] if array.ndim else 1
    cdef size_t rows = array.size // columns if columns else 0
    cdef const fbp_inspection *inspection = inspection_for(array.dtype)
    cdef int activation = ACTIVATION_IDS[name]
    with nogil:
        fbp_second_derivative(inspection, activation, alpha, cnp.PyArray_DATA(array), cnp.PyArray_DATA(out), rows, columns)
    return deliver(out, None)


def loss_curvature(str name, double parameter, h, t, r, out=None):
    """Return (d2L / dh2) r, (m, n_out), for the loss `name`, with L the sum of its terms.

    All arrays are (m, n_out) of one dtype: t repeats a target for each of its outputs. h are the logits if the loss is
    joined with its activation.
    """
    first, *others = operands = [real_array(array) for array in (h, t, r)]
    if first.ndim != 2:
        raise ShapeError(f"h has shape {first.shape}, expected (rows, outputs)")
    for argument, array in zip("tr", others):
        if array.shape != first.shape:
            raise ShapeError(f"{argument} has shape {array.shape}, expected {first.shape} as h has")
        if array.dtype != first.dtype:
            raise DTypeError(f"{argument} has dtype {array.dtype}, expected {first.dtype} as h has")
    cdef cnp.ndarray outputs = first, targets = operands[1], direction = operands[2]
    cdef cnp.ndarray product = np.empty_like(outputs)
    cdef size_t rows = outputs.shape[0], columns = outputs.shape[1]
    cdef const fbp_inspection *inspection = inspection_for(outputs.dtype)
    cdef int loss = LOSS_IDS[name]
    if columns:
        with nogil:
            fbp_loss_curvature(inspection, loss, parameter, cnp.PyArray_DATA(outputs), cnp.PyArray_DATA(targets),
                               cnp.PyArray_DATA(direction), cnp.PyArray_DATA(product), rows, columns)
    return deliver(product, out)


def _vector_math_names():
    names = []
    while (name := fbp_vector_math_name(len(names))) is not NULL:
        names.append(name.decode())
    return tuple(names)


VECTOR_MATH = _vector_math_names()


def vector_math(str name, x):
    """Return the function `name` of x, one of `VECTOR_MATH`, as the kernels compute it."""
    cdef cnp.ndarray array = real_array(x)
    cdef cnp.ndarray y = np.empty_like(array)
    fbp_vector_math(kernels_for(array.dtype), VECTOR_MATH.index(name), cnp.PyArray_DATA(array), cnp.PyArray_DATA(y),
                    array.size)
    return y


# ---- linear algebra in float64; bits depend on the instruction set only, not on threads or NumPy ---------------------


cdef class Workspace:
    """Scratch memory of the functions below, for matrices of n columns and the threads of the calling thread."""

    cdef object memory
    cdef fbp_workspace space
    cdef const fbp_kernels *kernels

    def __cinit__(self, size_t n):
        self.kernels = kernels_for(np.float64)
        self.space.threads = fbp_threads()
        self.memory = np.empty(fbp_workspace_bytes(self.kernels, n, self.space.threads), np.uint8)
        self.space.memory = cnp.PyArray_DATA(self.memory)


cdef check_square(cnp.ndarray matrix):
    if matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"the matrix has {matrix.shape[0]} rows and {matrix.shape[1]} columns, expected a square one")


def cholesky(cnp.ndarray[double, ndim=2, mode="c"] matrix not None):
    """Turn the lower triangle of a matrix A (n, n) into L, A = L L^T; return False unless A is positive definite.

    The part above the diagonal is not read, but overwritten.
    """
    check_square(matrix)
    cdef Workspace work = Workspace(matrix.shape[0])
    cdef bint done
    with nogil:
        done = fbp_cholesky(work.kernels, cnp.PyArray_DATA(matrix), matrix.shape[0], &work.space)
    return done


def cholesky_solve(cnp.ndarray[double, ndim=2, mode="c"] factor not None, b):
    """Return the solution x (n,) of L L^T x = b (n,); `factor` (n, n) holds L, as `cholesky` leaves it."""
    check_square(factor)
    cdef cnp.ndarray[double, ndim=1, mode="c"] x = np.array(b, np.float64)
    if x.shape[0] != factor.shape[0]:
        raise ShapeError(f"b has {x.shape[0]} elements, expected {factor.shape[0]}, one for each row of the matrix")
    cdef Workspace work = Workspace(x.shape[0])
    with nogil:
        fbp_cholesky_solve(work.kernels, cnp.PyArray_DATA(factor), x.shape[0], cnp.PyArray_DATA(x), &work.space)
    return x


def inverse_trace(cnp.ndarray[double, ndim=2, mode="c"] factor not None):
    """Return the trace of (L L^T)^-1; `factor` (n, n) holds L, as `cholesky` leaves it."""
    check_square(factor)
    cdef Workspace work = Workspace(factor.shape[0])
    cdef double trace
    with nogil:
        trace = fbp_inverse_trace(work.kernels, cnp.PyArray_DATA(factor), factor.shape[0], &work.space)
    return trace


def orthonormal_columns(matrix):
    """Return Q (n, m) of the factorization Q R of a matrix (n, m), n >= m.

    Q^T Q = I, and R is upper triangular with a positive diagonal.

    Raises
    ------
    Error
        If the columns are found to be linearly dependent. Rounding may hide this; Q is orthonormal even then.
    """
    cdef cnp.ndarray[double, ndim=2, mode="c"] q = np.array(matrix, np.float64, order="C")
    cdef size_t rows = q.shape[0], n = q.shape[1]
    if rows < n:
        raise ShapeError(f"the matrix has {rows} rows and {n} columns, expected at least as many rows as columns")
    cdef cnp.ndarray gram = np.empty((n, n))
    cdef Workspace work = Workspace(n)
    cdef bint done
    with nogil:
        done = fbp_orthonormalize(work.kernels, cnp.PyArray_DATA(q), rows, n, cnp.PyArray_DATA(gram), &work.space)
    if not done:
        raise Error("the columns of the matrix are linearly dependent, expected independent ones")
    return q


# ---- for tests -------------------------------------------------------------------------------------------------------


def random_raw(uint64_t seed, uint64_t purpose, uint64_t epoch, uint64_t step, size_t n, uint64_t block=0):
    """Return n numbers of the raw Philox stream, (n,) uint64: the twin of fastbp._base.philox.raw, for tests."""
    out = np.empty(n, np.uint64)
    fbp_random(seed, purpose, epoch, step, block, <uint64_t *> cnp.PyArray_DATA(out), n)
    return out


def permutation(uint64_t seed, uint64_t epoch, size_t n):
    """Return the order of an epoch, (n,) int64: the twin of fastbp._base.philox.permutation."""
    out = np.empty(n, np.int64)
    fbp_permutation(seed, 1, epoch, 0, <int64_t *> cnp.PyArray_DATA(out), n)
    return out


def caches_in(root, size_t cpu):
    """Return what `caches` returns on a machine whose folder /sys/devices/system/cpu is `root`, for tests."""
    sizes = fbp_caches_in(os.fsencode(root), cpu)
    return sizes.l1, sizes.l2, sizes.l3


def fail_allocation(size_t n):
    """Make the n-th allocation of the core from now on fail, for tests; 0 lets all succeed."""
    fbp_fail_allocation(n)
