"""The public entries: what `fastbp` and its public modules define, and all that is done with a network."""

import inspect
from collections.abc import Callable
from typing import Any

import fastbp
from fastbp import datasets

Call = Callable[..., Any]

MODULES = (
    fastbp,
    fastbp.activations,
    fastbp.callbacks,
    datasets,
    fastbp.initializers,
    fastbp.losses,
    fastbp.metrics,
    fastbp.optimizers,
    fastbp.schedules,
)

# what the package itself calls, with arguments that it has checked; the bases of values; and what METHODS has
INTERNAL = {
    "Activation",
    "Callback",
    "Clipping",
    "Constant",
    "EpochState",
    "Loss",
    "Metric",
    "OnEpochEnd",
    "Optimizer",
    "Plateau",
    "Schedule",
    "SumLoss",
    "Value",
    "Watching",
    "allowed",
    "as_rows",
    "at_least_half",
    "at_minimum",
    "begin",
    "check_numeric",
    "check_pair",
    "checked",
    "choice",
    "cosine",
    "count",
    "default",
    "draw",
    "flag",
    "in_epoch",
    "integer",
    "minimize",
    "most_probable",
    "named",
    "number",
    "one_hot",
    "output_activation",
    "permutation",
    "positive",
    "power",
    "resolve",
    "scipy",
    "slices",
}


def is_entry(name: str, thing: Any) -> bool:
    """Tell whether a user calls it: a function, a constructor or a value such as an activation."""
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    own = (getattr(thing, "__module__", None) or "").startswith("fastbp")
    return callable(thing) and own and not is_error and not name.startswith("_") and name not in INTERNAL


#: By name; called with keywords, the names of the parameters.
FUNCTIONS: dict[str, Call] = {}
for module in MODULES:
    for name, thing in vars(module).items():
        if is_entry(name, thing) and not any(thing is known for known in FUNCTIONS.values()):
            FUNCTIONS[f"{module.__name__}.{name}"] = thing


def parameters(function: Call) -> tuple[list[str], set[str]]:
    """Return the names of a function's parameters, and which of them have no default."""
    names, required = [], set()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            names += ["clip_norm", "clip_value"]  # of optimizers
        elif parameter.kind is not parameter.VAR_POSITIONAL and parameter.name not in ("self", "net"):
            names.append(parameter.name)
            if parameter.default is parameter.empty:
                required.add(parameter.name)
    return names, required


def forward_backward_step(net: fastbp.Network, X: Any, d_output: Any) -> Any:
    """Train as with a loss that only the caller knows; return all that comes back."""
    results = net.forward(X), net.backward(d_output), net.gradients.copy()
    net.step()
    return results


def set_optimizer(net: fastbp.Network, optimizer: Any) -> None:
    net.optimizer = optimizer


def set_learning_rate(net: fastbp.Network, rate: Any) -> None:
    net.learning_rate = rate


#: What is done with a network, the first argument. What the engines return is compared.
METHODS: dict[str, Call] = {
    "adapt": fastbp.Network.adapt,
    "backward": fastbp.Network.backward,
    "clone": lambda net: net.clone().parameters,
    "evaluate": fastbp.Network.evaluate,
    "fit": fastbp.Network.fit,
    "forward": fastbp.Network.forward,
    "forward, backward, step": forward_backward_step,
    "history.row": lambda net, epoch: net.history.row(epoch)["loss"],
    "history[]": lambda net, column: len(net.history[column]),
    "loss()": lambda net, output, target: net.loss(output, target),
    "loss.gradient": lambda net, output, target: net.loss.gradient(output, target),
    "loss_and_gradients": fastbp.Network.loss_and_gradients,
    "minimize": fastbp.minimize,
    "predict": fastbp.Network.predict,
    "predict_classes": fastbp.Network.predict_classes,
    "reset": fastbp.Network.reset,
    "step": fastbp.Network.step,
    "train_on_batch": fastbp.Network.train_on_batch,
    "optimizer = ": set_optimizer,
    "learning_rate = ": set_learning_rate,
}


def reader(name: str) -> Call:
    """Return what reads an attribute of a network."""
    return lambda net: getattr(net, name)


METHODS |= {name: reader(name) for name, thing in vars(fastbp.Network).items() if isinstance(thing, property)}
