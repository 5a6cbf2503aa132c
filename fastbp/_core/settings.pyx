"""The settings of a native engine: layers, loss, optimizer, learning rates, scaling, average of the parameters."""

import numpy as np

from fastbp._core.arrays import aligned_zeros
from fastbp._core.library import OPTIMIZERS, available_isas, isa
from fastbp.exceptions import Error, ParameterError, ShapeError

cimport numpy as cnp
from libc.stdint cimport uint64_t

from fastbp._core.arrays cimport is_plain
from fastbp._core.c_core cimport *
from fastbp._core.calls cimport Calls
from fastbp._core.library cimport ACTIVATION_IDS, LOSS_IDS, OPTIMIZER_IDS, SCHEDULE_IDS, dtype_id, kernels_for
from fastbp._core.run cimport Plan, Planner

cnp.import_array()

cdef dict DIVISORS = {"one": FBP_DIVIDE_BY_ONE, "rows": FBP_DIVIDE_BY_ROWS, "elements": FBP_DIVIDE_BY_ELEMENTS}


cdef void *data_of(object array) except? NULL:
    return NULL if array is None else cnp.PyArray_DATA(array)


cdef fill(double *numbers, Py_ssize_t most, tuple values, str what):
    """Copy values to a C array with room for `most` of them."""
    if len(values) > most:
        raise ParameterError(f"{len(values)} {what}, expected at most {most}")
    for i, value in enumerate(values):
        numbers[i] = value


cdef fbp_network with_schedule(fbp_network network, tuple schedule) except *:
    """Return the network with the learning rates of `schedule`, which is (row, rate, parameters, warmup)."""
    row, rate, parameters, warmup = schedule
    network.schedule = SCHEDULE_IDS[row]
    network.hyperparameters[0] = rate
    fill(network.schedule_parameters, FBP_MAX_SCHEDULE_PARAMETERS, parameters, "schedule parameters")
    network.warmup = warmup
    return network


cdef tuple vectors_of(tuple given, size_t n):
    """Return copies of vectors (n,) as float64."""
    copies = tuple(np.array(vector, np.float64) for vector in given)
    for vector in copies:
        if vector.shape != (n,):
            raise ShapeError(f"a scaling of shape {vector.shape}, expected {(n,)}")
    return copies


cdef int number_of(activation) except -1:
    """Return the row number of an activation in the table, or FBP_CUSTOM."""
    return FBP_CUSTOM if activation.is_custom else ACTIVATION_IDS[activation.name]


cdef check_sizes(layers, cnp.ndarray parameters):
    """Raise ShapeError if the layers do not fit each other, or the parameters do not fit the layers."""
    count, n_in = 0, layers[0].n_in
    for layer in layers:
        if layer.n_in != n_in or min(layer.n_in, layer.n_out) < 1:
            raise ShapeError(f"a layer of {layer.n_in} inputs and {layer.n_out} units, expected {n_in} inputs")
        count, n_in = count + layer.n_parameters, layer.n_out
    if parameters.ndim != 1 or parameters.size != count or not cnp.PyArray_ISCARRAY(parameters):
        raise ShapeError(f"the parameters have the shape {np.shape(parameters)}, expected ({count},), contiguous")


cdef class Setup:
    """An optimizer as the core takes it, with its initial state."""

    cdef fbp_network numbers  # only the fields of the optimizer and its schedule are set
    cdef object engine
    cdef cnp.ndarray state


cdef class Settings(Planner):
    """A network of the C core, with what can be set in it. The passes are in `Engine`."""

    def __init__(self, layers, loss, cnp.ndarray parameters not None, *, uint64_t seed=0, double input_noise=0):
        cdef fbp_layer *c_layer
        cdef const fbp_kernels *kernels = kernels_for(parameters.dtype)
        if self.parameters is not None:
            raise Error("an engine is set up once: what it has made points to its parameters")
        check_sizes(layers, parameters)
        self.layers = bytearray(len(layers) * sizeof(fbp_layer))
        c_layer = <fbp_layer *> <char *> self.layers
        for i, layer in enumerate(layers):
            c_layer[i] = fbp_layer(layer.n_in, layer.n_out, number_of(layer.activation),
                                   layer.activation.alpha, layer.l1, layer.l2, layer.dropout, layer.max_norm or 0,
                                   not layer.bias, not layer.trainable, layer.learning_rate_factor, layer.divide_penalty)
        self.network.kernels = kernels
        self.network.n_layers = len(layers)
        self.network.layers = c_layer
        self.network.loss = LOSS_IDS[loss.name]
        self.network.loss_parameter = loss.parameter
        self.takes_labels = loss.targets.takes_labels
        self.network.divisor = DIVISORS[loss.divisor]
        self.network.outputs_per_target = loss.outputs_per_target
        self.n_targets = layers[-1].n_out // loss.outputs_per_target
        if loss.output_parameters:
            self.output_parameters = np.resize(np.array(loss.output_parameters, parameters.dtype),
                                               len(loss.output_parameters) + FBP_MAX_LANES)
            self.network.output_parameters = cnp.PyArray_DATA(self.output_parameters)
        self.network.seed, self.network.input_noise = seed, input_noise
        self.network.n_parameters = parameters.size
        self.network.parameters = cnp.PyArray_DATA(parameters)
        self.isa = isa()
        self.number = cnp.PyArray_TYPE(parameters)
        self.parameters = parameters
        self.measure_blocks()
        self.forget_plans()
        if any(layer.activation.is_custom for layer in layers):
            self.calls = Calls(tuple(layer.activation for layer in layers), self.number)
            self.calls.set_in(&self.network)
            self.short_rows = 0  # every run releases the GIL, and predict_plain leaves all to predict

    cdef int check_calls(self, str what) except -1:
        """Raise Error for a call that has no place to raise the error of a Python function."""
        if self.calls is not None:
            raise Error(f"{what} with a custom activation, expected loss, or loss_and_gradients and then update")
        return 0

    cdef double compute(self, Plan plan, unsigned int parts, const fbp_batch *batch) except? -1:
        """Run parts of a plan on a batch; return the loss, or raise what a Python function has raised."""
        cdef double loss = self.run(plan, parts, batch)
        if self.calls is not None:
            self.calls.check(plan.plan)
        return loss

    def use_isa(self, str name not None):
        """Compute on another of the `available_isas` from now on. What `backward` needs of `forward` is lost."""
        if name not in available_isas():
            raise ParameterError(f"isa is {name!r:.60}, expected one of {', '.join(available_isas())}")
        self.forget_plans()  # they list kernels
        self.network.kernels = fbp_find_kernels(name.encode(), dtype_id(self.parameters.dtype))
        self.isa = name

    @property
    def t(self):
        """Number of optimizer steps done."""
        return self.network.t

    @t.setter
    def t(self, uint64_t steps):
        self.network.t = steps

    @property
    def seed(self):
        """Seed of dropout and of the noise on the inputs."""
        return self.network.seed

    @seed.setter
    def seed(self, uint64_t seed):
        self.network.seed = seed

    @property
    def learning_rate(self):
        """Learning rate of the next step."""
        return fbp_learning_rate(&self.network)

    def set_schedule(self, row, rate, parameters, warmup):
        """Take the learning rates of all later steps from a row of the schedule table; the step count stays."""
        self.network = with_schedule(self.network, (row, rate, parameters, warmup))

    def prepare_optimizer(self, str row, tuple hyperparameters, tuple schedule, clip_value=None, clip_norm=None):
        """Return what `install_optimizer` takes: an optimizer with a state of zeros.

        `schedule` is (row, rate, parameters, warmup), as for `set_schedule`; its rate replaces the first hyperparameter.
        """
        cdef Setup setup = Setup()
        setup.engine = self
        setup.numbers.optimizer = OPTIMIZER_IDS[row]
        fill(setup.numbers.hyperparameters, FBP_MAX_HYPERPARAMETERS, hyperparameters, "hyperparameters")
        setup.numbers = with_schedule(setup.numbers, schedule)
        setup.numbers.clip_value, setup.numbers.clip_norm = clip_value or 0, clip_norm or 0
        setup.state = aligned_zeros((OPTIMIZERS[setup.numbers.optimizer][1], self.parameters.size),
                                    self.parameters.dtype)
        return setup

    def install_optimizer(self, Setup setup not None):
        """Use a prepared optimizer from now on. Nothing here can fail halfway."""
        if setup.engine is not self:
            raise Error("the optimizer was prepared for another engine")
        self.forget_plans()  # they hold pointers to the old state
        self.network.optimizer = setup.numbers.optimizer
        self.network.hyperparameters = setup.numbers.hyperparameters
        self.network.schedule = setup.numbers.schedule
        self.network.schedule_parameters = setup.numbers.schedule_parameters
        self.network.warmup = setup.numbers.warmup
        self.network.clip_value, self.network.clip_norm = setup.numbers.clip_value, setup.numbers.clip_norm
        self.network.state = cnp.PyArray_DATA(setup.state)
        self.state = setup.state
        self.network.t, self.memory = 0, None

    def set_training(self, tuple trainable not None, tuple factors not None):
        """Say for each layer whether later updates change it, and by what its learning rate is multiplied."""
        cdef fbp_layer *c_layer = <fbp_layer *> <char *> self.layers
        for values in (trainable, factors):
            if len(values) != <Py_ssize_t> self.network.n_layers:
                raise ShapeError(f"{len(values)} values, expected one for each of {self.network.n_layers} layers")
        self.forget_plans()  # they list the operations of the layers that were trained before
        for i, (is_trained, factor) in enumerate(zip(trainable, factors)):
            c_layer[i].frozen, c_layer[i].rate_factor = not is_trained, factor

    def set_average(self, cnp.ndarray average, double decay=0, uint64_t steps=0):
        """Keep a moving average of the parameters over the steps in an array (P,), where `steps` are already in it.

        None: keep none.
        """
        if average is not None and (average.ndim != 1 or <size_t> average.shape[0] != self.network.n_parameters
                                    or not is_plain(average, self.number)):
            raise ShapeError(f"the average has shape {np.shape(average)}, expected {self.parameters.shape}")
        self.forget_plans()  # they have other operations
        self.average = average
        self.network.average = NULL if average is None else cnp.PyArray_DATA(average)
        self.network.average_decay, self.network.averaged = decay, steps

    def set_scaling(self, inputs, targets):
        """Use (X - mean) * inverse_scale in place of X from now on, where `inputs` has both, (n_in,); None: X itself.

        `targets` has mean and inverse_scale (n_targets,) for y likewise, and factor and offset (n_out,): raw outputs
        are factor * h + offset. None: y itself, and the raw outputs are h.
        """
        cdef size_t n_out = self.network.layers[self.network.n_layers - 1].n_out
        x = vectors_of(inputs or (), self.network.layers[0].n_in) or (None, None)
        y = vectors_of(targets[:2], len(targets[0])) + vectors_of(targets[2:], n_out) if targets else (None,) * 4
        cdef bint centers = x[0] is not None and x[0].any()
        # nothing fails from here on
        self.mean, self.inverse_scale = x
        self.centers = centers
        self.target_mean, self.target_inverse_scale, self.factor, self.offset = y
        self.network.output_factor = <const double *> data_of(self.factor)
        self.network.output_offset = <const double *> data_of(self.offset)
        self.output_data = 0 if self.factor is None else FBP_RAW
        self.plans[FBP_CUSTOM_LOSS] = None  # its backward pass would scale otherwise than its forward pass
