"""What the parameters of an estimator ask for, as values of fastbp; errors name the parameter."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import inf
from typing import Any, NamedTuple

import numpy as np

from fastbp import activations, optimizers
from fastbp._base.arguments import choice, entries, flag, integer, number
from fastbp._base.shown import shown
from fastbp._base.value import Value
from fastbp.activations import Activation
from fastbp.exceptions import ParameterError
from fastbp.layers import Dense
from fastbp.optimizers import SGD, Adam, GradientOptimizer, LevenbergMarquardt, Optimizer
from fastbp.schedules import Cosine, Exponential, InverseScaling, OneCycle, Schedule, Step

#: scikit-learn's names of activations, and fastbp's.
SAME_ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
OUTPUT_NAMES = {"sigmoid": "logistic", "exponential": "exp"}  # in scikit-learn's `out_activation_`

SOLVERS = ("lbfgs", "sgd", "adam")
RULES = ("constant", "invscaling", "adaptive")  # of the learning rate
MOST_LAYERS = 1000
LARGEST_BATCH = 200  # of "auto"

#: Schedules by name: each from the learning rate, the number of steps in `max_iter` epochs, and `power_t`.
SCHEDULES: dict[str, Callable[[float, int, float], Schedule]] = {
    "step": lambda rate, steps, _: Step(rate, every=max(steps // 3, 1)),
    "exponential": lambda rate, steps, _: Exponential(rate, decay=0.01, every=steps),
    "inverse_scaling": lambda rate, _, power: InverseScaling(rate, power),
    "cosine": lambda rate, steps, _: Cosine(rate, steps),
    "one_cycle": lambda rate, steps, _: OneCycle(rate, steps),
}

#: Parameters of `solver`, which must have their defaults if `optimizer` is given.
SOLVER_PARAMETERS = (
    "solver",
    "learning_rate",
    "learning_rate_init",
    "power_t",
    "momentum",
    "nesterovs_momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "max_fun",
)


class Settings(NamedTuple):
    """The checked parameters of an estimator, in fastbp's terms."""

    layers: tuple[Dense, ...]  # hidden ones
    output_activation: Activation | None
    alpha: float
    optimizer: Optimizer | None  # None: L-BFGS
    rule: str  # how the learning rate changes: one of RULES, a name in SCHEDULES, "" if the optimizer knows
    power: float  # of "invscaling" and "inverse_scaling"
    batch_size: int | None  # rows; None: "auto"
    max_iter: int
    max_fun: int
    shuffle: bool
    tol: float
    n_iter_no_change: float
    verbose: bool
    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    activation: str  # name of `activation`, which decides the initial weights if there are no hidden layers

    def scheduled(self, n_rows: int, *, incremental: bool) -> Settings:
        """Return the settings with the schedule that `learning_rate` names, for a fit of so many rows."""
        if self.rule not in SCHEDULES or not isinstance(self.optimizer, GradientOptimizer):
            return self
        if incremental:
            raise ParameterError(
                f"learning_rate is {self.rule!r} in partial_fit, expected a schedule of fastbp.schedules: "
                "the number of steps is not known"
            )
        steps = self.max_iter * -(-n_rows // self.rows_per_batch(n_rows))
        schedule = SCHEDULES[self.rule](self.optimizer.base_rate, steps, self.power)
        return self._replace(optimizer=self.optimizer.__replace__(learning_rate=schedule), rule="")

    def rows_per_batch(self, n_rows: int) -> int:
        """Return the rows of a batch, out of so many."""
        return min(self.batch_size or LARGEST_BATCH, n_rows)

    def output_layer(self, units: int) -> Dense:
        """Return the output layer."""
        return Dense(units, self.output_activation, l2=self.alpha, divide_penalty=bool(self.alpha))


def base_of(kind: type) -> Any:
    """Return the class of fastbp that a class is, or is derived from."""
    return next(base for base in kind.__mro__ if base.__module__.startswith("fastbp.sklearn."))


def read(estimator: Any) -> Settings:
    """Check the parameters of an estimator; ParameterError names the one that is wrong."""
    names = base_of(type(estimator))._get_param_names()  # the constructor of a subclass may have others
    get = {name: getattr(estimator, name) for name in names}
    alpha = number("alpha", get["alpha"], at_least=0)
    optimizer, rule = _optimizer(estimator, get)
    if alpha and isinstance(optimizer, LevenbergMarquardt):
        raise ParameterError(f"alpha is {alpha} with the optimizer {optimizer}, expected 0")
    patience = get["n_iter_no_change"]
    if not (isinstance(patience, float) and patience == inf):
        patience = integer("n_iter_no_change", patience, at_least=1)
    output, given = get["output_activation"], get["activation"]
    verbose = get["verbose"]
    return Settings(
        layers=_hidden_layers(get, alpha),
        output_activation=None if output is None else _activation("output_activation", output),
        alpha=alpha,
        optimizer=optimizer,
        rule=rule,
        power=number("power_t", get["power_t"], at_least=0),
        batch_size=_batch_size(get["batch_size"]),
        max_iter=integer("max_iter", get["max_iter"], at_least=1),
        max_fun=integer("max_fun", get["max_fun"], at_least=1),
        shuffle=flag("shuffle", get["shuffle"]),
        tol=number("tol", get["tol"], at_least=0),
        n_iter_no_change=patience,
        verbose=bool(
            verbose if isinstance(verbose, (bool, np.bool_)) else integer("verbose", verbose, at_least=0)
        ),
        warm_start=flag("warm_start", get["warm_start"]),
        early_stopping=flag("early_stopping", get["early_stopping"]),
        validation_fraction=number("validation_fraction", get["validation_fraction"], at_least=0, below=1),
        activation="identity" if _is_list(given) else str(_activation("activation", given).name),
    )


def _batch_size(given: Any) -> int | None:
    if isinstance(given, str) and given == "auto":
        return None
    return integer("batch_size", given, at_least=1)


# ---- layers ------------------------------------------------------------------------------------------------


def _hidden_layers(get: dict[str, Any], alpha: float) -> tuple[Dense, ...]:
    sizes = get["hidden_layer_sizes"]
    listed = [sizes] if isinstance(sizes, (int, np.integer)) else entries(sizes, MOST_LAYERS)
    if listed is None:
        raise ParameterError(f"hidden_layer_sizes is {shown(sizes)}, expected a list of integers > 0")
    if any(isinstance(size, (int, np.integer)) and size <= 0 for size in listed):
        raise ParameterError(f"hidden_layer_sizes must be > 0, got {shown(sizes)}.")
    units = [integer(f"hidden_layer_sizes[{i}]", size, at_least=1) for i, size in enumerate(listed)]
    chosen = _per_layer("activation", get["activation"], len(units), _activation)
    dropout = _per_layer("dropout", get["dropout"], len(units), _share)
    return tuple(
        Dense(n, f, l2=alpha, dropout=share, divide_penalty=bool(alpha))
        for n, f, share in zip(units, chosen, dropout, strict=True)
    )


def _per_layer(argument: str, given: Any, n: int, check: Callable[[str, Any], Any]) -> list[Any]:
    """Return one checked entry per hidden layer: the same for all, or those of a list."""
    if not _is_list(given):
        return [check(argument, given)] * n
    if len(given) != n:
        raise ParameterError(
            f"{argument} is {shown(given)}, expected a list of {n}, one entry per hidden layer"
        )
    return [check(f"{argument}[{i}]", entry) for i, entry in enumerate(given)]


def _is_list(given: Any) -> bool:
    return isinstance(given, (list, tuple, np.ndarray))


def _share(argument: str, given: Any) -> float:
    return number(argument, given, at_least=0, below=1)


def _activation(argument: str, given: Any) -> Activation:
    """Return an activation by scikit-learn's or fastbp's name, or the value itself."""
    if isinstance(given, str):
        given = SAME_ACTIVATIONS.get(given, given)
    return activations.get(given, argument)


# ---- values ------------------------------------------------------------------------------------------------


def replaced(argument: str, value: Any, name: str, new: Any) -> Value:
    """Return a copy of a value with another field; "learning_rate__steps" is one of a value within."""
    outer, _, inner = name.partition("__")
    if not isinstance(value, Value):
        raise ParameterError(
            f"{argument} is {shown(value)}, which has no parameter {outer!r}: only values of fastbp have "
            "any, such as optimizer=fastbp.Adam()"
        )
    fields = value.get_params(deep=False)
    if outer not in fields:
        raise ParameterError(f"{outer!r} is not a parameter of {value}, expected one of: {', '.join(fields)}")
    if inner:
        new = replaced(f"{outer} of {value}", fields[outer], inner, new)
    return value.__replace__(**{outer: new})


# ---- optimizer ---------------------------------------------------------------------------------------------


def _optimizer(estimator: Any, get: dict[str, Any]) -> tuple[Optimizer | None, str]:
    """Return the optimizer, or None for L-BFGS, and the rule of its learning rate."""
    given = get["optimizer"]
    if given is not None:
        _check_at_defaults(estimator, get)
        return optimizers.get(given), ""
    solver = choice("solver", get["solver"], {name: name for name in SOLVERS})
    rate = number("learning_rate_init", get["learning_rate_init"], above=0)
    momentum = number("momentum", get["momentum"], at_least=0, below=1)
    beta1, beta2 = (number(name, get[name], at_least=0, below=1) for name in ("beta_1", "beta_2"))
    epsilon = number("epsilon", get["epsilon"], above=0)
    nesterov = flag("nesterovs_momentum", get["nesterovs_momentum"])
    rule = get["learning_rate"]
    is_schedule = isinstance(rule, Schedule) or callable(rule)
    if not is_schedule:
        rule = choice("learning_rate", rule, {name: name for name in (*RULES, *SCHEDULES)})
    if solver == "lbfgs":
        return None, ""
    made: GradientOptimizer
    if solver == "sgd":
        made = SGD(rate, momentum, nesterov=nesterov and momentum > 0)
    else:
        made = Adam(rate, beta1, beta2, epsilon)
    if is_schedule:
        if rate != _defaults(estimator)["learning_rate_init"]:
            raise ParameterError(
                f"learning_rate_init is {rate} beside the schedule {shown(rule)}, which has its own rate, "
                "expected the default"
            )
        return made.__replace__(learning_rate=rule), ""
    return made, (rule if solver == "sgd" or rule in SCHEDULES else "constant")


def _check_at_defaults(estimator: Any, get: dict[str, Any]) -> None:
    """Raise ParameterError if a parameter of the solver is given beside an optimizer."""
    defaults = _defaults(estimator)
    for name in SOLVER_PARAMETERS:
        if type(get[name]) is not type(defaults[name]) or get[name] != defaults[name]:
            raise ParameterError(
                f"{name} is {shown(get[name])} beside the optimizer {shown(get['optimizer'])}, expected the "
                f"default {defaults[name]!r}: the optimizer has its own parameters"
            )


def _defaults(estimator: Any) -> dict[str, Any]:
    """Return the default of each parameter: that of a subclass's constructor, or else of fastbp's."""
    own = signature(type(estimator)).parameters.values()
    changed = {one.name: one.default for one in own if one.default is not one.empty}
    return {**vars(base_of(type(estimator))()), **changed}
