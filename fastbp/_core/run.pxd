"""Declarations of `run`: the engine creates plans and runs, and fills in their fields."""

from fastbp._core.c_core cimport *


cdef class Plan:
    cdef fbp_plan *plan
    cdef size_t rows, threads
    cdef unsigned int data
    cdef size_t entries  # of sparse inputs, at most, in a row block
    cdef object state  # state of the optimizer; kept alive, because the plan points to it
    cdef object average  # of the engine when the plan was made
    cdef Plan next  # next one in the list of spare plans of the engine


cdef class Planner:
    cdef fbp_network network
    cdef readonly object parameters  # (P,)
    cdef readonly object gradients   # (P,), or None until they are needed
    cdef readonly object state       # (states, P)
    cdef readonly object average     # (P,) moving average of the parameters, or None
    cdef size_t block_rows           # rows of the largest row block
    cdef size_t short_rows           # a pass over so few rows keeps the GIL: it takes a few microseconds
    cdef list plans                  # by task: the plan of the last call, or None
    cdef Plan spare                  # first of the list of unused plans for predictions, or None
    cdef size_t spare_bytes          # of all spare plans

    cdef void measure_blocks(self)
    cdef void forget_plans(self)
    cdef Plan new_plan(self, fbp_task task, size_t rows, unsigned int data, size_t entries)
    cdef Plan plan_for(self, fbp_task task, size_t rows, unsigned int data, size_t entries)
    cdef Plan borrow_plan(self, size_t rows, unsigned int data, size_t entries)
    cdef void give_back(self, Plan plan)
    cdef double run(self, Plan plan, unsigned int parts, const fbp_batch *batch) noexcept


cdef class Run:
    cdef fbp_fit fit
    cdef fbp_source x_source, y_source
    cdef object engine, X, y, weights, scaling, order, blocks, checks, epoch_losses
    cdef Plan plan
