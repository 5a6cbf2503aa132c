"""The passes of `fastbp.inspect`, natively; `fastbp._engine.passes.Passes` documents their interface.

All arithmetic on (m, n_in) x (n_in, n_out) is in C. This module is loaded by the first inspection of a network.
"""

import numpy as np

from fastbp._core import library
from fastbp._core.tapes import Tangents, Tape
from fastbp.exceptions import ParameterError, ShapeError

cimport numpy as cnp

from fastbp._core.arrays cimport is_plain, overlap
from fastbp._core.c_core cimport *
from fastbp._core.library cimport ACTIVATION_IDS, inspection_for, kernels_for

cnp.import_array()


cdef class Passes:
    """Forward and backward passes over fixed parameters (P,)."""

    cdef const fbp_kernels *kernels
    cdef const fbp_inspection *inspection
    cdef int number               # NumPy's number of the type of the parameters
    cdef tuple layers
    cdef object scratch           # of the products, grown on demand; None while a thread computes with it
    cdef readonly list weights    # W (n_in, n_out) and b, (n_out,) or (0,), per layer
    cdef cnp.ndarray parameters

    def __init__(self, layers, cnp.ndarray parameters not None):
        if not is_plain(parameters, cnp.PyArray_TYPE(parameters)) or parameters.ndim != 1:
            raise ShapeError(f"the parameters have shape {np.shape(parameters)}, expected (P,), contiguous")
        self.layers = tuple(layers)
        self.kernels = kernels_for(parameters.dtype)
        self.inspection = inspection_for(parameters.dtype)
        self.number = cnp.PyArray_TYPE(parameters)
        self.parameters = parameters
        self.weights = self.split(parameters)

    cdef list split(self, cnp.ndarray vector):
        """Return views W (n_in, n_out) and b, (n_out,) or (0,), per layer into a vector (P,)."""
        cdef list views = []
        cdef Py_ssize_t start = 0, middle, end
        for layer in self.layers:
            middle = start + <Py_ssize_t> layer.n_in * <Py_ssize_t> layer.n_out
            end = start + <Py_ssize_t> layer.n_parameters
            views.append((vector[start:middle].reshape(layer.n_in, layer.n_out), vector[middle:end]))
            start = end
        if start != vector.shape[0]:
            raise ShapeError(f"a vector has shape {np.shape(vector)}, expected {(start,)}")
        return views

    cdef check(self, cnp.ndarray array, Py_ssize_t rows, Py_ssize_t columns):
        """Raise an error unless the C core can read this array as (rows, columns)."""
        if not is_plain(array, self.number) or array.ndim != 2 or array.shape[0] != rows or array.shape[1] != columns:
            raise ShapeError(f"an array has shape {np.shape(array)} and dtype {array.dtype}, expected "
                             f"{(rows, columns)}, C-contiguous, and {self.parameters.dtype}")

    cdef check_result(self, cnp.ndarray out, Py_ssize_t rows, Py_ssize_t columns, operands):
        """Raise an error unless the C core can write this array (rows, columns) while it reads the operands."""
        cdef cnp.ndarray operand
        self.check(out, rows, columns)
        if not cnp.PyArray_ISWRITEABLE(out):
            raise ParameterError("out is read-only, expected an array to write to")
        for operand in operands:
            if operand is not None and overlap(out, operand):
                raise ParameterError("out shares memory with what it is computed from, expected memory of its own")

    def product(self, cnp.ndarray a not None, cnp.ndarray b not None, cnp.ndarray out=None, *, bint a_transposed=False,
                bint b_transposed=False, cnp.ndarray start=None, cnp.ndarray factor=None, size_t repeats=1,
                bint adds=False):
        """Return (start + A B) factor, or (out + A B) factor; see src_c/fastbp_inspection.h."""
        cdef fbp_product p
        cdef cnp.npy_intp[2] shape
        cdef size_t need
        if a.ndim != 2 or b.ndim != 2:
            raise ShapeError(f"the factors have shapes {np.shape(a)} and {np.shape(b)}, expected matrices")
        p.M, p.K = a.shape[1 if a_transposed else 0], a.shape[0 if a_transposed else 1]
        p.N = b.shape[0 if b_transposed else 1]
        self.check(a, p.K if a_transposed else p.M, p.M if a_transposed else p.K)
        self.check(b, p.N if b_transposed else p.K, p.K if b_transposed else p.N)
        if p.K == 0:
            raise ShapeError(f"the factors have shapes {np.shape(a)} and {np.shape(b)}, expected inner axes of 1 or more")
        if start is not None and start.size:
            self.check(start[None], 1, p.N)
        if factor is not None:
            if repeats == 0 or p.M % repeats:
                raise ParameterError(f"repeats is {repeats}, expected a divisor of {p.M}, the number of rows")
            self.check(factor, p.M // repeats, p.N)
        shape[0], shape[1] = p.M, p.N
        if out is None:
            out = cnp.PyArray_SimpleNew(2, shape, self.number)
        else:
            self.check_result(out, p.M, p.N, (a, b, start, factor))
        p.threads = fbp_threads()
        need = fbp_product_bytes(self.inspection, p.K, p.N) * p.threads
        scratch, self.scratch = self.scratch, None  # another thread takes its own
        if scratch is None or <size_t> scratch.size < need:
            scratch = np.empty(need, np.uint8)
        p.a, p.a_transposed, p.b, p.b_transposed = cnp.PyArray_DATA(a), a_transposed, cnp.PyArray_DATA(b), b_transposed
        p.start = NULL if start is None or start.size == 0 else cnp.PyArray_DATA(start)
        p.factor = NULL if factor is None else cnp.PyArray_DATA(factor)
        p.factor_repeats, p.out, p.adds = repeats, cnp.PyArray_DATA(out), adds
        p.scratch = cnp.PyArray_DATA(scratch)
        if p.M and p.N:
            with nogil:
                fbp_multiply(self.inspection, &p)
        self.scratch = scratch
        return out

    def forward(self, cnp.ndarray x not None):
        """Take inputs (m, n_in) through all layers."""
        tape = Tape([x], [], [])
        for layer, (W, b) in zip(self.layers, self.weights):
            z = self.product(tape.x[-1], W, start=b)
            y, slope = self.activate(layer.activation, z)
            tape.x.append(y)
            tape.z.append(z)
            tape.slopes.append(slope)
        return tape

    cdef tuple activate(self, activation, cnp.ndarray z):
        """Return f(z) and f'(z); of softmax the diagonal of its Jacobian."""
        cdef cnp.ndarray y, slope
        cdef size_t rows = z.shape[0], columns = z.shape[1]
        cdef int row
        cdef double alpha
        if activation.is_custom:
            return activation.apply(z)
        name = activation.name
        row, alpha = ACTIVATION_IDS[name], activation.alpha
        y, slope = np.empty_like(z), np.empty_like(z)
        is_softmax = name == "softmax"
        cdef void *slopes = NULL if is_softmax else cnp.PyArray_DATA(slope)
        with nogil:
            fbp_activate(self.kernels, row, alpha, cnp.PyArray_DATA(z), cnp.PyArray_DATA(y), slopes, rows, columns)
        return y, y * (1 - y) if is_softmax else slope

    def chain(self, tape, Py_ssize_t layer, cnp.ndarray d_y not None):
        """Return dJ/dz (m, n_out) of a layer from dJ/dy."""
        if self.layers[layer].activation.name == "softmax":
            y = tape.x[layer + 1]
            return y * (d_y - (y * d_y).sum(axis=1, keepdims=True))
        return d_y * tape.slopes[layer]

    def backward(self, tape, cnp.ndarray delta not None, list errors=None):
        """Return dJ/dz (m, n_out) of every layer, from that of the last one; keep dJ/dy in `errors`."""
        deltas = [delta]
        for layer in range(len(self.layers) - 1, 0, -1):
            W, slope = self.weights[layer][0], tape.slopes[layer - 1]
            if errors is None:
                delta = self.product(delta, W, b_transposed=True, factor=slope)
            else:
                errors.append(self.product(delta, W, b_transposed=True))
                delta = errors[-1] * slope
            deltas.append(delta)
        deltas.reverse()
        return deltas

    def d_inputs(self, cnp.ndarray delta not None):
        """Return dJ/dx (m, n_in) from dJ/dz of the first layer."""
        return self.product(delta, self.weights[0][0], b_transposed=True)

    def add_gradients(self, tape, list deltas not None, cnp.ndarray out not None):
        """Add dJ/dW = x^T delta and dJ/db = 1^T delta of all layers to out (P,)."""
        for (d_W, d_b), x, delta in zip(self.split(out), tape.x[:-1], deltas, strict=True):
            self.product(x, delta, d_W, a_transposed=True, adds=True)
            if d_b.size:
                d_b += np.add.reduce(delta, axis=0)

    def write_gradients(self, tape, list deltas not None, cnp.ndarray out not None):
        """Write x_i^T delta_i and delta_i of each row i to out (m, P)."""
        cdef fbp_outer outer
        cdef cnp.ndarray x, delta
        cdef Py_ssize_t start = 0, end, size = self.parameters.itemsize
        outer.rows, outer.out_stride, outer.threads = tape.x[0].shape[0], self.parameters.shape[0], fbp_threads()
        self.check_result(out, outer.rows, outer.out_stride, (*tape.x, *deltas))
        for (W, b), x, delta in zip(self.weights, tape.x[:-1], deltas, strict=True):
            outer.n_in, outer.n_out = W.shape
            self.check(x, outer.rows, outer.n_in)
            self.check(delta, outer.rows, outer.n_out)
            outer.x, outer.delta = cnp.PyArray_DATA(x), cnp.PyArray_DATA(delta)
            outer.out = <char *> cnp.PyArray_DATA(out) + start * size
            end = start + <Py_ssize_t> (outer.n_in * outer.n_out)
            if end > self.parameters.shape[0]:
                raise ShapeError(f"the layers have more than {self.parameters.shape[0]} parameters")
            if outer.rows and end > start:
                with nogil:
                    fbp_multiply_outer(self.inspection, &outer)
            start = end + <Py_ssize_t> b.size
            if b.size:
                out[:, end:start] = delta

    def write_jacobian(self, tape, cnp.ndarray out not None):
        """Write the derivatives of the outputs by the inputs to out (m, n_out, n_in).

        The rows of all outputs go through the layers together: row k of a matrix (n_out, units) per row of the inputs is
        the derivative of output k by the z of the units.
        """
        cdef Py_ssize_t last = len(self.layers) - 1, m = tape.x[0].shape[0], n_out = self.layers[last].n_out
        if last == 0:
            out[...] = self.outputs_by(tape, np.ascontiguousarray(self.weights[0][0].T)[None])
            return
        W = self.weights[last][0]
        delta = self.outputs_by(tape, np.ascontiguousarray(W.T)[None]) * tape.slopes[last - 1][:, None, :]
        for layer in range(last - 1, 0, -1):
            delta = self.product(delta.reshape(m * n_out, -1), self.weights[layer][0], b_transposed=True,
                                 factor=tape.slopes[layer - 1], repeats=n_out)
        rows = out.reshape(m * n_out, -1)  # a view: out is contiguous
        self.product(delta.reshape(m * n_out, -1), self.weights[0][0], rows, b_transposed=True)

    cdef outputs_by(self, tape, W):
        """Return the derivatives (m, n_out, units) of the outputs by the y of the layer below, from W^T (1, n_out, units)."""
        if self.layers[-1].activation.name != "softmax":
            return tape.slopes[-1][:, :, None] * W
        h = tape.x[-1]
        return h[:, :, None] * (W - self.product(h, np.ascontiguousarray(W[0]))[:, None, :])

    # ---- the R operator: derivatives along a direction V, c of the parameters

    def tangents(self, tape, cnp.ndarray vector not None):
        """Return R{z} = x V + c + R{x} W and R{y} = f'(z) R{z} of every layer."""
        tangents = Tangents([], [])
        for layer, (V, c) in enumerate(self.split(vector)):
            d_z = self.product(tape.x[layer], V, start=c)
            if layer > 0:
                self.product(tangents.x[layer - 1], self.weights[layer][0], d_z, adds=True)
            tangents.z.append(d_z)
            tangents.x.append(self.chain(tape, layer, d_z))
        return tangents

    def second(self, tape, Py_ssize_t layer):
        """Return f''(z) (m, n_out) of a layer."""
        activation = self.layers[layer].activation
        if activation.is_custom:
            return activation.second_derivative.measure(tape.z[layer])
        return library.second_derivative(activation.name, activation.alpha, tape.z[layer])

    def loss_curvature(self, loss, h, t, r):
        """Return the second derivative of the sum of losses by h, times a direction r (m, n_out)."""
        return library.loss_curvature(loss.name, loss.parameter, h, t, r)

    def add_hessian_product(self, tape, list deltas not None, list errors not None, tangents, d_delta,
                            cnp.ndarray vector not None, cnp.ndarray out not None):
        """Add R{dJ/dW} = x^T R{delta} + R{x}^T delta and R{dJ/db} = 1^T R{delta} of all layers to out (P,)."""
        directions, sums = self.split(vector), self.split(out)
        for layer in range(len(self.layers) - 1, -1, -1):
            d_W, d_b = sums[layer]
            self.product(tape.x[layer], d_delta, d_W, a_transposed=True, adds=True)
            if d_b.size:
                d_b += np.add.reduce(d_delta, axis=0)
            if layer == 0:
                break
            self.product(tangents.x[layer - 1], deltas[layer], d_W, a_transposed=True, adds=True)
            bent = self.second(tape, layer - 1)
            bent *= errors[-layer]
            bent *= tangents.z[layer - 1]
            d_error = self.product(deltas[layer], directions[layer][0], b_transposed=True)
            d_delta = self.product(d_delta, self.weights[layer][0], d_error, b_transposed=True,
                                   factor=tape.slopes[layer - 1], adds=True)
            d_delta += bent
