# Linear algebra in float64, part of _core.pyx. The bits depend on the path, not on threads, processor or NumPy.


cdef class Workspace:
    """Memory that the functions below work in, for matrices of n columns and the calling thread's number of threads."""

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

    What is above the diagonal is not looked at, and overwritten.
    """
    check_square(matrix)
    cdef Workspace work = Workspace(matrix.shape[0])
    cdef bint done
    with nogil:
        done = fbp_cholesky(work.kernels, cnp.PyArray_DATA(matrix), matrix.shape[0], &work.space)
    return done


def cholesky_solve(cnp.ndarray[double, ndim=2, mode="c"] factor not None, b):
    """Return x (n,) with L L^T x = b (n,), where `cholesky` has left L in `factor`."""
    check_square(factor)
    cdef cnp.ndarray[double, ndim=1, mode="c"] x = np.array(b, np.float64)
    if x.shape[0] != factor.shape[0]:
        raise ShapeError(f"b has {x.shape[0]} elements, expected {factor.shape[0]}, one for each row of the matrix")
    cdef Workspace work = Workspace(x.shape[0])
    with nogil:
        fbp_cholesky_solve(work.kernels, cnp.PyArray_DATA(factor), x.shape[0], cnp.PyArray_DATA(x), &work.space)
    return x


def inverse_trace(cnp.ndarray[double, ndim=2, mode="c"] factor not None):
    """Return the trace of (L L^T)^-1, where `cholesky` has left L in `factor`."""
    check_square(factor)
    cdef Workspace work = Workspace(factor.shape[0])
    cdef double trace
    with nogil:
        trace = fbp_inverse_trace(work.kernels, cnp.PyArray_DATA(factor), factor.shape[0], &work.space)
    return trace


def orthonormal_columns(matrix):
    """Return Q (n, m) of the matrix (n, m) = Q R, n >= m: Q^T Q = I, R upper triangular with a positive diagonal.

    Raises
    ------
    Error
        The columns turn out to be linearly dependent. Rounding may hide that: Q is orthonormal then, too.
    """
    cdef cnp.ndarray[double, ndim=2, mode="c"] q = np.array(matrix, np.float64, order="C")
    cdef size_t rows = q.shape[0], n = q.shape[1]
    if rows < n:
        raise ShapeError(f"the matrix has {rows} rows and {n} columns, expected at least as many rows")
    cdef cnp.ndarray gram = np.empty((n, n))
    cdef Workspace work = Workspace(n)
    cdef bint done
    with nogil:
        done = fbp_orthonormalize(work.kernels, cnp.PyArray_DATA(q), rows, n, cnp.PyArray_DATA(gram), &work.space)
    if not done:
        raise Error("the columns of the matrix are linearly dependent, expected independent ones")
    return q
