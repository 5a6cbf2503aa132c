"""The native engine: computes and trains one network with the C core.

It turns arrays into pointers, releases the GIL around the work, and turns a lack of memory into a MemoryError. Errors
of the user have been refused before, in the code that both engines share.
"""

import numpy as np

from fastbp._core.arrays import first_bad_label
from fastbp.exceptions import Error, ParameterError, ShapeError

cimport numpy as cnp
from libc.stdint cimport int64_t, uint64_t

from fastbp._core.arrays cimport check_memory, describe, describe_sparse, is_plain, numbers_of, overlap
from fastbp._core.c_core cimport *
from fastbp._core.calls cimport copied
from fastbp._core.guard cimport Guard
from fastbp._core.run cimport Plan, Run
from fastbp._core.settings cimport Settings, data_of

cnp.import_array()

cdef int make_batch(fbp_batch *batch, const fbp_source *x, const fbp_source *y, output, d_output,
                    d_input) except -1:
    """Make all rows of x and y one batch."""
    batch[0] = fbp_batch(x=x, y=y, weights=NULL, index=NULL, first=0, rows=x.rows, n=x.rows,
                         output=data_of(output), d_output=data_of(d_output), d_input=data_of(d_input),
                         weight_columns=1)
    return 0


cdef unsigned int data_kind(y, weights):
    """Return what a plan has to know about the targets and weights."""
    cdef unsigned int kind = FBP_LABELS if y.ndim == 1 else 0
    if weights is not None and weights.values is not None:
        kind |= FBP_WEIGHTS if weights.values.ndim == 1 else FBP_WEIGHTS | FBP_TARGET_WEIGHTS
    return kind


cdef size_t count_rows(X, weights) except? 0:
    """Return how many rows have a nonzero weight."""
    return X.shape[0] if weights is None or weights.rows is None else len(weights.rows)


cdef class Engine(Settings):
    """One network: its numbers, and all that is computed with them. `reference.Engine` is its NumPy twin.

    Parameters
    ----------
    layers : tuple of Layer
    loss : Loss
    parameters : ndarray (P,), float32 or float64, C-contiguous and writable
        Read and written in place.
    seed : int
        Seed of dropout and of the noise that training adds to the inputs.
    input_noise : float
        Standard deviation of that noise.
    """

    cdef int describe_inputs(self, X, fbp_source *source) except -1:
        """Describe rows of inputs, an array or `SparseRows`, with their scaling."""
        cdef bint is_array = cnp.PyArray_Check(X)
        if is_array:
            describe(X, source)
        else:
            describe_sparse(X, source)
        if (is_array and (<cnp.ndarray> X).ndim != 2) or source.columns != self.network.layers[0].n_in:
            raise ShapeError(f"the inputs have shape {np.shape(X)}, expected (rows, {self.network.layers[0].n_in})")
        self.scale_inputs(source)
        return 0

    cdef unsigned int sparse_kind(self, X, size_t rows, size_t *entries) except? 0:
        """Return FBP_SPARSE if plans can work on the entries of X alone: if zeros are still zeros when they are scaled.

        Store the most entries that a block of `rows` rows of X can have, rounded up to a few digits, so that a plan
        serves other batches, too.
        """
        cdef int64_t n, step = 1
        if cnp.PyArray_Check(X) or self.centers:
            return 0
        if <size_t> len(X) <= rows:
            n = X.n_entries
        else:
            n = np.partition(np.diff(X.starts), len(X) - rows)[len(X) - rows :].sum()
        n = min(max(n, 0), len(X.values))  # rows that are not yet checked
        while n > step << 3:
            step <<= 1
        entries[0] = (n + step - 1) // step * step
        return FBP_SPARSE

    cdef int describe_targets(self, cnp.ndarray y, size_t rows, fbp_source *source) except -1:
        """Describe the targets of `rows` rows: numbers, or labels if the loss takes them."""
        cdef size_t columns = self.n_targets
        describe(y, source)
        is_label = y.ndim == 1 and y.dtype.kind in "biu" and self.takes_labels
        if source.rows != rows or not (is_label or (y.ndim == 2 and source.columns == columns)):
            raise ShapeError(f"the targets have shape {np.shape(y)}, expected ({rows}, {columns}), or labels ({rows},)")
        if self.target_mean is not None:
            if source.columns != <size_t> self.target_mean.size or is_label:
                raise ShapeError(f"the targets have shape {np.shape(y)}, expected {self.target_mean.size} columns")
            source.mean = <const double *> cnp.PyArray_DATA(self.target_mean)
            source.inverse_scale = <const double *> cnp.PyArray_DATA(self.target_inverse_scale)
        return 0

    cdef size_t take_rows(self, weights, size_t rows, const double **values, size_t *columns,
                          const int64_t **index) except? 0:
        """Point to the weights of `rows` rows and to the rows with a nonzero weight; return how many these are.

        Both arrays are copies that nobody else has, so no user code can resize them.
        """
        cdef size_t n_targets = self.n_targets
        columns[0] = 1
        if weights is None:
            return rows
        if weights.values is not None:
            if (np.shape(weights.values) not in ((rows,), (rows, n_targets))
                    or not is_plain(weights.values, cnp.NPY_DOUBLE)):
                raise ShapeError(f"the weights have shape {np.shape(weights.values)}, expected ({rows},) or "
                                 f"({rows}, {n_targets})")
            values[0] = <const double *> data_of(weights.values)
            columns[0] = 1 if weights.values.ndim == 1 else n_targets
        if weights.rows is None:
            return rows
        if not is_plain(weights.rows, cnp.NPY_INT64) or first_bad_label(weights.rows, rows) >= 0:
            raise ShapeError(f"the rows with a nonzero weight are not all among {rows} rows")
        index[0] = <const int64_t *> data_of(weights.rows)
        return len(weights.rows)

    cdef bint is_own(self, cnp.ndarray array) noexcept:
        """Return whether an array overlaps the memory that steps write to."""
        return (overlap(array, self.parameters) or (self.state is not None and overlap(array, self.state))
                or (self.gradients is not None and overlap(array, self.gradients)))

    def shares_memory(self, rows not None):
        """Return whether an array, or `SparseRows`, overlaps the memory that steps write to."""
        return self.is_own(numbers_of(rows))

    def apart(self, rows not None):
        """Return the array or `SparseRows`, or a copy if it overlaps the memory that steps write to."""
        return rows.copy() if self.is_own(numbers_of(rows)) else rows

    cdef void scale_inputs(self, fbp_source *source) noexcept:
        if self.mean is not None:
            source.mean = <const double *> cnp.PyArray_DATA(self.mean)
            source.inverse_scale = <const double *> cnp.PyArray_DATA(self.inverse_scale)

    cdef check_rows(self, str name, cnp.ndarray array, size_t rows):
        """Raise ShapeError unless the kernels can use this array as (rows, n_out)."""
        cdef size_t n_out = self.network.layers[self.network.n_layers - 1].n_out
        if (not is_plain(array, self.number) or array.ndim != 2 or <size_t> array.shape[0] != rows
                or <size_t> array.shape[1] != n_out):
            raise ShapeError(f"{name} has shape {np.shape(array)}, expected ({rows}, {n_out}), C-contiguous")
        check_memory(array)

    def predict(self, X, out, bint raw=True):
        """Write the output for X (n, n_in) to out (n, n_out). Several threads may call it at the same time."""
        cdef size_t rows = len(X), entries = 0
        cdef unsigned int data
        cdef Plan plan = None
        if rows:
            data = (self.output_data if raw else 0) | self.sparse_kind(X, min(rows, self.block_rows), &entries)
            plan = self.borrow_plan(rows, data, entries)
            if self.calls is not None:
                X = copied(X)
        cdef fbp_source x
        self.describe_inputs(X, &x)  # after the plan, as in learn()
        self.check_rows("out", out, x.rows)
        cdef fbp_batch batch
        if plan is not None:
            own = out if self.calls is None else np.empty_like(out)
            make_batch(&batch, &x, NULL, own, None, None)
            self.compute(plan, FBP_FORWARD_PART, &batch)
            self.give_back(plan)
            if own is not out:
                self.check_rows("out", out, x.rows)
                out[...] = own

    def predict_plain(self, X, out, Guard guard not None):
        """Return the output for X, in `out` unless that is None, if no further check is needed; else do nothing.

        No check is needed if X (n, n_in) or (n_in,) and `out` are plain arrays of the parameters' dtype, have shapes
        that fit and do not overlap, the work is short, and no call is changing the network (none can start while the
        GIL is held). Otherwise return None, and the caller goes through all checks.
        """
        cdef cnp.ndarray x, y
        cdef cnp.npy_intp[2] shape
        cdef fbp_source source
        cdef fbp_batch batch
        cdef Plan plan
        cdef int last
        if not is_plain(X, self.number):
            return None
        x = X
        last = x.ndim - 1
        if last not in (0, 1) or <size_t> x.shape[last] != self.network.layers[0].n_in:
            return None
        describe(x, &source)
        if last == 0:  # one row, not one column
            source.rows, source.columns, source.column_stride = 1, source.rows, source.row_stride
        if not 0 < source.rows <= self.short_rows:
            return None
        shape[0] = source.rows
        shape[last] = self.network.layers[self.network.n_layers - 1].n_out
        if out is None:
            y = cnp.PyArray_SimpleNew(last + 1, shape, self.number)
        else:
            if not is_plain(out, self.number):
                return None
            y = out
            if (y.ndim != last + 1 or y.shape[0] != shape[0] or y.shape[last] != shape[last]
                    or not cnp.PyArray_ISWRITEABLE(y) or overlap(x, y) or self.is_own(y)):
                return None
        plan = self.borrow_plan(source.rows, self.output_data, 0)
        make_batch(&batch, &source, NULL, y, None, None)
        if guard.writing_what is not None:  # checked last: nothing below lets another thread run
            self.give_back(plan)
            return None
        self.scale_inputs(&source)
        fbp_run(plan.plan, FBP_FORWARD_PART, &batch)
        self.give_back(plan)
        return y

    cdef double learn(self, fbp_task task, unsigned int parts, X, y, weights) except? -1:
        """Run parts of a task on one batch: all rows, or those with a nonzero weight."""
        if self.calls is not None or self.is_own(numbers_of(X)):
            X = copied(X)
        if self.calls is not None or self.is_own(y):
            y = copied(y)
        cdef size_t entries = 0, n = count_rows(X, weights)
        cdef unsigned int data = data_kind(y, weights) | self.sparse_kind(X, min(n, self.block_rows), &entries)
        # several threads may evaluate at the same time, each with a plan of its own
        cdef Plan plan = (self.new_plan(task, n, data, entries) if task == FBP_EVALUATE
                          else self.plan_for(task, n, data, entries))
        cdef fbp_source x, t
        cdef fbp_batch batch
        # after the plan: making one may collect garbage, which runs finalizers
        self.describe_batch(X, y, weights, &x, &t, &batch)
        return self.compute(plan, parts, &batch)

    cdef int describe_batch(self, X, y, weights, fbp_source *x, fbp_source *t, fbp_batch *batch) except -1:
        """Describe one batch: all rows, or those with a nonzero weight."""
        cdef const double *values = NULL
        cdef const int64_t *index = NULL
        cdef size_t columns
        cdef size_t n = self.take_rows(weights, X.shape[0], &values, &columns, &index)
        self.describe_inputs(X, x)
        self.describe_targets(y, x.rows, t)
        make_batch(batch, x, t, None, None, None)
        batch.weights, batch.weight_columns, batch.index = values, columns, index
        batch.rows = batch.n = n
        return 0

    def loss(self, X, y, weights=None):
        """Return the loss over all rows, or over those with a nonzero weight. Several threads may call it at once."""
        return self.learn(FBP_EVALUATE, FBP_FORWARD_PART, X, y, weights)

    def loss_and_gradients(self, X, y, weights=None):
        """Compute the gradients of all rows as one batch; return the loss."""
        return self.learn(FBP_STORED, FBP_FORWARD_PART | FBP_BACKWARD_PART, X, y, weights)

    def train_on_batch(self, X, y, weights=None):
        """Do one training step on all rows as one batch; return the loss before it."""
        self.check_calls("train_on_batch")
        return self.learn(FBP_TRAIN, FBP_FORWARD_PART | FBP_BACKWARD_PART | FBP_UPDATE_PART, X, y, weights)

    cdef new_rows(self, size_t rows, size_t columns):
        """Return an uninitialized array (rows, columns)."""
        cdef cnp.npy_intp[2] shape
        shape[0], shape[1] = rows, columns
        return cnp.PyArray_SimpleNew(2, shape, self.number)

    def forward(self, X, bint raw=True):
        """Return the network's output (n, n_out) for X (n, n_in); keep what backward() needs."""
        cdef size_t entries = 0
        cdef unsigned int data = (self.output_data if raw else 0) | self.sparse_kind(X, X.shape[0], &entries)
        self.forward_rows = 0  # if anything is wrong from here on
        cdef Plan plan = self.plan_for(FBP_CUSTOM_LOSS, X.shape[0], data, entries)
        cdef fbp_source x
        if self.calls is not None:
            X = copied(X)
        self.describe_inputs(X, &x)  # after the plan, as in learn()
        out = self.new_rows(x.rows, self.network.layers[self.network.n_layers - 1].n_out)
        cdef fbp_batch batch
        make_batch(&batch, &x, NULL, out, None, None)
        self.compute(plan, FBP_FORWARD_PART, &batch)
        self.forward_rows = x.rows
        return out

    def backward(self, d_output, bint d_input=True):
        """Compute the gradients from dJ/dy (n, n_out) of the last forward(); return dJ/dX (n, n_in), or no rows of it."""
        cdef fbp_source x
        x.rows, x.starts = self.forward_rows, NULL
        if self.plans[FBP_CUSTOM_LOSS] is None:
            raise Error("backward without forward")
        self.check_rows("d_output", d_output, x.rows)
        if self.is_own(d_output):
            d_output = d_output.copy()
        dX = self.new_rows(x.rows if d_input else 0, self.network.layers[0].n_in)
        # not plan_for(): only this plan has the activations of forward()
        cdef fbp_batch batch
        make_batch(&batch, &x, NULL, None, d_output, dX if d_input else None)
        self.penalty = self.run(self.plans[FBP_CUSTOM_LOSS], FBP_BACKWARD_PART, &batch)
        if self.inverse_scale is not None:
            with np.errstate(all="ignore"):
                np.multiply(dX, self.inverse_scale, out=dX, casting="same_kind")
        return dX

    def update(self):
        """Do one optimizer step along the stored gradients."""
        cdef fbp_source no_rows
        cdef Plan plan = self.plans[FBP_STORED] or self.plans[FBP_CUSTOM_LOSS]
        if plan is None:
            plan = self.plan_for(FBP_STORED, 1, 0, 0)
        no_rows.rows, no_rows.starts = 0, NULL
        cdef fbp_batch batch
        make_batch(&batch, &no_rows, NULL, None, None, None)
        self.run(plan, FBP_UPDATE_PART, &batch)

    def normal_equations(self, X, y, out):
        """Write the lower triangle of [J r]^T [J r] over all rows to out (P + 1, P + 1); the loss is one of squares.

        J (n n_out, P) holds the derivatives of the outputs with respect to the parameters, r = h - y (n n_out,) the
        errors.
        """
        size = self.parameters.size + 1
        if not is_plain(out, self.number) or out.shape != (size, size):
            raise ShapeError(f"out has shape {np.shape(out)}, expected ({size}, {size}), C-contiguous")
        if self.calls is not None:
            X, y = copied(X), copied(y)
        cdef Plan plan = self.plan_for(FBP_NORMAL_EQUATIONS, X.shape[0], 0, 0)
        cdef fbp_source x
        self.describe_inputs(X, &x)  # after the plan, as in learn()
        cdef fbp_source t
        self.describe_targets(y, x.rows, &t)
        cdef fbp_batch batch
        make_batch(&batch, &x, &t, out, None, None)
        with nogil:
            fbp_run(plan.plan, FBP_FORWARD_PART, &batch)
        if self.calls is not None:
            self.calls.check(plan.plan)

    def begin(self, X, y, *, weights=None, size_t batch_size, bint shuffle, uint64_t seed, uint64_t first_epoch,
              size_t epochs, bint stored, size_t block_rows=0, checks=None):
        """Return a training run over `epochs` epochs; nothing is computed yet."""
        cdef Run run = Run()
        self.check_calls("begin")
        if batch_size < 1:
            raise ParameterError(f"batch_size is {batch_size}, expected at least 1")
        X, y = self.apart(X), self.apart(y)
        run.engine, run.X, run.y, run.weights = self, X, y, weights
        run.scaling = self.mean, self.inverse_scale, self.target_mean, self.target_inverse_scale
        self.describe_inputs(X, &run.x_source)
        self.describe_targets(y, run.x_source.rows, &run.y_source)
        cdef size_t n = self.take_rows(weights, run.x_source.rows, &run.fit.weights, &run.fit.weight_columns,
                                       &run.fit.rows)
        run.fit.n = n
        run.epoch_losses = np.empty(epochs)
        run.fit.batch_size = min(batch_size, n)
        run.fit.x, run.fit.y = &run.x_source, &run.y_source
        run.fit.seed, run.fit.first_epoch = seed, first_epoch
        run.fit.losses = <double *> cnp.PyArray_DATA(run.epoch_losses)
        if checks is not None:
            if checks.X and run.x_source.starts is not NULL:
                raise ParameterError("checks of sparse rows during a run, expected them before it")
            run.checks = checks
            run.fit.checked = (FBP_CHECK_X if checks.X else 0) | (FBP_CHECK_Y if checks.y else 0)
        if shuffle:
            run.fit.block_rows = min(block_rows, n)
            run.order = np.empty(fbp_order_size(&run.fit), np.int64)
            run.blocks = np.empty(fbp_order_blocks(&run.fit), np.int64)
            run.fit.order = <int64_t *> cnp.PyArray_DATA(run.order)
            run.fit.blocks = <int64_t *> cnp.PyArray_DATA(run.blocks)
        cdef size_t entries = 0
        cdef unsigned int data = data_kind(y, weights)
        data |= self.sparse_kind(X, min(run.fit.batch_size, self.block_rows), &entries)
        run.plan = self.plan_for(FBP_STORED if stored else FBP_TRAIN, run.fit.batch_size, data, entries)
        return run
