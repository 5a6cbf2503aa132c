"""The loss at points of a plane through the parameters of a network."""

import numpy as np

from fastbp._core.arrays import aligned_zeros
from fastbp.exceptions import Error, ParameterError, ShapeError

cimport numpy as cnp

from fastbp._core.arrays cimport check_memory, is_plain, numbers_of
from fastbp._core.c_core cimport *
from fastbp._core.run cimport Plan, Planner

cnp.import_array()


cdef class Plane:
    """Points origin + a u + b v, one batch, and workers that compute its loss there; `Engine.plane` makes it.

    Every worker has a parameter vector of its own, and a plan over it. The engine and its parameters stay as they are.
    """

    cdef int span(self, cnp.ndarray origin, cnp.ndarray directions, size_t n) except -1:
        """Take the origin (n,) and the directions u and v (2, n)."""
        if not is_plain(origin, cnp.NPY_DOUBLE) or np.shape(origin) != (n,):
            raise ShapeError(f"the origin has shape {np.shape(origin)}, expected ({n},), float64")
        if not is_plain(directions, cnp.NPY_DOUBLE) or np.shape(directions) != (2, n):
            raise ShapeError(f"the directions have shape {np.shape(directions)}, expected (2, {n}), float64")
        self.origin, self.directions = origin.copy(), directions.copy()
        self.plane.origin = <const double *> cnp.PyArray_DATA(self.origin)
        self.plane.directions = <const double *> cnp.PyArray_DATA(self.directions)
        return 0

    cdef int hire(self, Planner engine, size_t workers, size_t rows, unsigned int data, size_t entries) except -1:
        """Make the workers, each with a plan for batches of so many rows; plans are made for the caller's threads."""
        cdef Planner worker
        cdef Plan plan
        cdef fbp_plan **plans
        if not 0 < workers <= FBP_MAX_THREADS:
            raise ParameterError(f"workers is {workers}, expected 1 to {FBP_MAX_THREADS}")
        self.plans, self.workers = bytearray(workers * sizeof(fbp_plan *)), []
        plans = <fbp_plan **> <char *> self.plans
        for i in range(workers):
            worker = Planner()
            worker.network = engine.network
            worker.parameters, worker.state = aligned_zeros(engine.parameters.size, engine.parameters.dtype), engine.state
            worker.network.parameters = cnp.PyArray_DATA(worker.parameters)
            plan = worker.new_plan(FBP_EVALUATE, rows, data, entries)
            self.workers.append((worker, plan, engine))  # whose layers the network points to
            plans[i] = plan.plan
        self.plane.plans, self.plane.workers, self.plane.batch = plans, workers, &self.batch
        return 0

    def evaluate(self, cnp.ndarray points not None, cnp.ndarray losses not None):
        """Write the loss at each point (a, b) of points (n, 2) to losses (n,), without penalties; both are float64."""
        cdef size_t n = len(points)
        if self.workers is None:
            raise Error("a plane without a network, expected one that an engine has made")
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
            fbp_evaluate_plane(&self.plane, 0, n)
        self.busy = False
