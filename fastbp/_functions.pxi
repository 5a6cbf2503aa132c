# Functions on arrays, part of _core.pyx.

cdef cnp.ndarray real_array(object x):
    """x as a C-contiguous array of float32 or float64; integers become float64."""
    array = np.asarray(x)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        raise DTypeError(f"x has dtype {array.dtype}, expected float32 or float64")
    return np.require(array, array.dtype.newbyteorder("="), "CA").reshape(array.shape)


cdef object deliver(object result, object out):
    """The result, or `out` filled with it."""
    if out is None:
        return result if result.ndim else result[()]
    if out.shape != result.shape:
        raise ShapeError(f"out has shape {out.shape}, expected {result.shape}")
    if out.dtype != result.dtype:
        raise DTypeError(f"out has dtype {out.dtype}, expected {result.dtype}")
    out[...] = result
    return out


def activate(str name, double alpha, x, out=None):
    """Return the activation `name` of x, in x's shape; softmax over the last axis."""
    cdef cnp.ndarray array = real_array(x)
    cdef cnp.ndarray y = np.empty_like(array)
    cdef size_t columns = array.shape[array.ndim - 1] if array.ndim else 1
    cdef size_t rows = array.size // columns if columns else 0
    cdef const fbp_kernels *kernels = kernels_for(array.dtype)
    cdef int activation = ACTIVATION_IDS[name]
    with nogil:
        fbp_activate(kernels, activation, alpha, cnp.PyArray_DATA(array), cnp.PyArray_DATA(y), NULL, rows, columns)
    return deliver(y, out)


def derivative(str name, double alpha, x):
    """Return f'(x) of the activation `name`, in x's shape; softmax: the diagonal of its Jacobian."""
    if name == "softmax":
        probabilities = activate(name, alpha, x)
        return probabilities * (1 - probabilities)
    cdef cnp.ndarray array = real_array(x)
    cdef cnp.ndarray y = np.empty_like(array)
    cdef cnp.ndarray slope = np.empty_like(array)
    cdef size_t n = array.size
    cdef const fbp_kernels *kernels = kernels_for(array.dtype)
    cdef int activation = ACTIVATION_IDS[name]
    with nogil:
        fbp_activate(kernels, activation, alpha, cnp.PyArray_DATA(array), cnp.PyArray_DATA(y),
                     cnp.PyArray_DATA(slope), 1, n)
    return deliver(slope, None)


def _vector_math_names():
    names = []
    while (name := fbp_vector_math_name(len(names))) is not NULL:
        names.append(name.decode())
    return tuple(names)


VECTOR_MATH = _vector_math_names()


def vector_math(str name, x):
    """Return exp, tanh, ... of x as the kernels compute it."""
    cdef cnp.ndarray array = real_array(x)
    cdef cnp.ndarray y = np.empty_like(array)
    fbp_vector_math(kernels_for(array.dtype), VECTOR_MATH.index(name), cnp.PyArray_DATA(array), cnp.PyArray_DATA(y),
                    array.size)
    return y
