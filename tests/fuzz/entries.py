"""The public entries: all that `fastbp` and its public modules define, and every use of a network."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np

import fastbp
from fastbp import datasets

Call = Callable[..., Any]

ACTIVATIONS, LOSSES = fastbp.activations.ACTIVATIONS, fastbp.losses.LOSSES

#: `minimize` is a method here, and users get a CrossValidation as a result, but make none.
ELSEWHERE = ("minimize", "CrossValidation")

#: The public functions, constructors and values, by their modules.
PUBLIC: dict[Any, tuple[str, ...]] = {
    fastbp: tuple(
        name for name in fastbp.__all__ if callable(getattr(fastbp, name)) and name not in ELSEWHERE
    ),
    fastbp.activations: (*ACTIVATIONS, "get"),
    fastbp.callbacks: ("Checkpoint", "EarlyStopping", "RecordPath", "ReduceLROnPlateau"),
    datasets: ("load_digits", "stratified_split"),
    fastbp.initializers: ("get",),
    fastbp.losses: (*LOSSES, "CustomLoss", "get"),
    fastbp.metrics: ("accuracy", "f1", "auc", "r2", "mae", "TopK"),
    fastbp.optimizers: ("get",),
    fastbp.schedules: ("Step", "Exponential", "InverseScaling", "Cosine", "OneCycle", "Warmup"),
}


def is_error(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Exception)


#: By name; called with keywords, the names of the parameters.
FUNCTIONS: dict[str, Call] = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module, names in PUBLIC.items()
    for name in names
    if not is_error(getattr(module, name))
}


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


def set_trainable(net: fastbp.Network, trainable: Any) -> None:
    net.trainable = trainable


def set_learning_rate_factors(net: fastbp.Network, factors: Any) -> None:
    net.learning_rate_factors = factors


def set_feature_names(net: fastbp.Network, names: Any) -> None:
    net.feature_names = names


def replace_output(net: fastbp.Network, units: Any, loss: Any, freeze: Any, seed: Any) -> Any:
    """Return the parameters of a network with another output."""
    return net.replace_output(units, loss=loss, freeze=freeze, seed=seed).parameters


def save_and_load(net: fastbp.Network, path: Any, inference: Any) -> Any:
    """Return the parameters of a network that was saved and loaded."""
    net.save(path, inference=inference)
    again = type(net).load(path, custom={"<lambda>": lambda epoch: 0.01})
    assert again.parameters.tobytes() == net.parameters.tobytes()
    return again.parameters


def export_arrays(net: fastbp.Network, path: Any) -> Any:
    """Return the weights of the first layer in a file of arrays."""
    net.export_arrays(path)
    with np.load(path) as arrays:
        return arrays["layers.0.weights"]


def diagnose(
    net: fastbp.Network, X: Any, y: Any, history: Any, X_val: Any, y_val: Any, sample_weight: Any
) -> Any:
    """Return the loss that a diagnosis measures, if it can be written as text."""
    found = net.diagnose(X, y, history=history, X_val=X_val, y_val=y_val, sample_weight=sample_weight)
    assert str(found)
    return found.loss


def listed(predict: Call) -> Call:
    """Return the method with a list in the place of an iterator."""

    @wraps(predict)
    def call(*args: Any, **given: Any) -> Any:
        result = predict(*args, **given)
        return list(result) if isinstance(result, Iterator) else result

    return call


#: What is done with a network, the first argument. What the engines return is compared.
METHODS: dict[str, Call] = {
    "adapt": fastbp.Network.adapt,
    "backward": fastbp.Network.backward,
    "clone": lambda net: net.clone().parameters,
    "diagnose": diagnose,
    "evaluate": fastbp.Network.evaluate,
    "export_arrays": export_arrays,
    "fit": fastbp.Network.fit,
    "forward": fastbp.Network.forward,
    "forward, backward, step": forward_backward_step,
    "history.row": lambda net, epoch: net.history.row(epoch)["loss"],
    "history[]": lambda net, column: len(net.history[column]),
    "load": lambda net, path, custom: type(net).load(path, custom=custom).parameters,
    "loss()": lambda net, output, target: net.loss(output, target),
    "loss.gradient": lambda net, output, target: net.loss.gradient(output, target),
    "loss_and_gradients": fastbp.Network.loss_and_gradients,
    "minimize": fastbp.minimize,
    "predict": listed(fastbp.Network.predict),
    "predict_classes": listed(fastbp.Network.predict_classes),
    "replace_output": replace_output,
    "reset": fastbp.Network.reset,
    "save": save_and_load,
    "step": fastbp.Network.step,
    "summary": fastbp.Network.summary,
    "train_on_batch": fastbp.Network.train_on_batch,
    "optimizer = ": set_optimizer,
    "learning_rate = ": set_learning_rate,
    "trainable = ": set_trainable,
    "learning_rate_factors = ": set_learning_rate_factors,
    "feature_names = ": set_feature_names,
}


def reader(name: str) -> Call:
    """Return what reads an attribute of a network."""
    return lambda net: getattr(net, name)


MEMBERS = {name: getattr(fastbp.Network, name) for name in dir(fastbp.Network) if not name.startswith("_")}
METHODS |= {name: reader(name) for name, thing in MEMBERS.items() if isinstance(thing, property)}
