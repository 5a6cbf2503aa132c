"""The loss at points of a plane through the parameters of a network."""

import numpy as np

from fastbp._core.arrays import aligned_zeros
from fastbp.exceptions import Error, ParameterError, ShapeError

cimport numpy as cnp

from fastbp._core.arrays cimport check_memory, is_plain, numbers_of
from fastbp._core.c_core cimport *
from fastbp._core.engine cimport Engine, count_rows, data_kind
from fastbp._core.run cimport Plan, Planner

cnp.import_array()


cdef class Plane:
    """Points origin + a u + b v, and workers that compute the loss of one batch there.

    Every worker has a parameter vector of its own, and a plan over it. The engine and its parameters stay as they are.

    Parameters
    ----------
    engine : Engine
        Without custom activations. Its scaling must not be set as long as the plane is in use.
    X, y, weights
        The rows, as for `Engine.loss`.
    origin, directions : ndarray (P,) and (2, P), float64
    workers : int
        Threads that share the points. Each plan is made for the threads of the caller, who sets their number to 1.
    """

    cdef fbp_plane plane
    cdef fbp_batch batch
    cdef fbp_source x, t
    cdef Engine engine
    cdef object X, y, weights, scaling  # what the batch and its sources point to
    cdef object origin, directions
    cdef list workers                   # of (Planner, Plan)
    cdef bytearray plans                # of fbp_plan *
    cdef bint busy                      # a thread is computing

    def __cinit__(self, Engine engine not None, X not None, cnp.ndarray y not None, weights,
                  cnp.ndarray origin not None, cnp.ndarray directions not None, size_t workers):
        cdef size_t n = engine.network.n_parameters
        if engine.calls is not None:
            raise Error("a plane over a network with a custom activation, expected one without Python functions")
        if not 0 < workers <= FBP_MAX_THREADS:
            raise ParameterError(f"workers is {workers}, expected 1 to {FBP_MAX_THREADS}")
        if not is_plain(origin, cnp.NPY_DOUBLE) or np.shape(origin) != (n,):
            raise ShapeError(f"the origin has shape {np.shape(origin)}, expected ({n},), float64")
        if not is_plain(directions, cnp.NPY_DOUBLE) or np.shape(directions) != (2, n):
            raise ShapeError(f"the directions have shape {np.shape(directions)}, expected (2, {n}), float64")
        self.engine, self.X, self.y, self.weights = engine, X, y, weights
        self.scaling = engine.mean, engine.inverse_scale, engine.target_mean, engine.target_inverse_scale
        self.origin, self.directions = origin.copy(), directions.copy()
        self.plane.origin = <const double *> cnp.PyArray_DATA(self.origin)
        self.plane.directions = <const double *> cnp.PyArray_DATA(self.directions)
        self.hire(workers)
        engine.describe_batch(X, y, weights, &self.x, &self.t, &self.batch)  # after the plans, as in Engine.learn()
        self.plane.batch = &self.batch

    cdef hire(self, size_t workers):
        """Make the workers."""
        cdef Engine engine = self.engine
        cdef size_t entries = 0, rows = count_rows(self.X, self.weights)
        cdef unsigned int data = data_kind(self.y, self.weights)
        cdef Planner worker
        cdef Plan plan
        cdef fbp_plan **plans
        data |= engine.sparse_kind(self.X, min(rows, engine.block_rows), &entries)
        self.plans, self.workers = bytearray(workers * sizeof(fbp_plan *)), []
        plans = <fbp_plan **> <char *> self.plans
        for i in range(workers):
            worker = Planner()
            worker.network, worker.state = engine.network, engine.state
            worker.parameters = aligned_zeros(engine.parameters.size, engine.parameters.dtype)
            worker.network.parameters = cnp.PyArray_DATA(worker.parameters)
            plan = worker.new_plan(FBP_EVALUATE, rows, data, entries)
            self.workers.append((worker, plan))
            plans[i] = plan.plan
        self.plane.plans, self.plane.workers = plans, workers

    def evaluate(self, cnp.ndarray points not None, cnp.ndarray losses not None):
        """Write the loss at each point (a, b) of points (n, 2) to losses (n,), without penalties; both are float64."""
        cdef size_t n = len(points)
        if self.busy:
            raise Error("another thread is computing on this plane")
        if not is_plain(points, cnp.NPY_DOUBLE) or np.shape(points) != (n, 2):
            raise ShapeError(f"the points have shape {np.shape(points)}, expected (n, 2), float64")
        if (not is_plain(losses, cnp.NPY_DOUBLE) or np.shape(losses) != (n,)
                or not cnp.PyArray_ISWRITEABLE(losses)):
            raise ShapeError(f"the losses have shape {np.shape(losses)}, expected ({n},), float64")
        check_memory(numbers_of(self.X))
        check_memory(self.y)
        self.plane.points = <const double *> cnp.PyArray_DATA(points)
        self.plane.losses = <double *> cnp.PyArray_DATA(losses)
        self.busy = True
        with nogil:
            fbp_evaluate_plane(&self.plane, n)
        self.busy = False
