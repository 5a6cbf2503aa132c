"""Why is it the derivative of the activation that decides how a network learns? Five experiments.

A unit has an activation function f: it passes on f(z). For learning, gradient descent needs the derivative
f'(z) as well: by the chain rule, each unit on the way from the error back to a weight contributes its f' as a
factor. fastbp lets both be chosen, independently of each other: ``CustomActivation(f, derivative)`` computes
outputs with f and gradients with whatever is given as the derivative, right or wrong. So the experiments put
in wrong ones and watch.

All networks learn the same from real data: which of ten digits is on an image of 8x8 pixels. The targets
are ten numbers, 1 for the digit and 0 for the others, and the error is the mean squared difference. The last
layer has no activation. Run it: ``python examples/why_the_derivative.py``. With ``--pictures FOLDER`` it also
draws what it prints, which needs matplotlib. docs/why_the_derivative.md explains the experiments one by one.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp import CustomActivation, inspect
from fastbp.datasets import load_digits, stratified_split

Array = NDArray[Any]
Function = Callable[[Array], Array]

EPOCHS = 60
HIDDEN = [32, 32]
DEPTHS = (1, 2, 4, 8)
DEEP_EPOCHS = 40
STEPS = 6  # of the last experiment

CONCLUSION = """\
f decides what a network can say: with f(z) = z it can only say linear things, however many layers it
has. But f' decides what it learns, because an error gets back through a unit by its f' alone:

- f' = 1 everywhere is the derivative of a line. Trained with it, this network ends where a line ends,
  even though its units bend.
- f' = 0 passes nothing on. The layers before it stay as they were drawn.
- f' of the wrong sign turns the gradient around in every layer that it passes: layer 2 goes uphill, and
  layer 1, after two turns, downhill.
- f' of at most 1/4, as that of the sigmoid, leaves less of the gradient with every layer.
- The function itself may even be a step, which has no useful derivative at all. With the derivative of a
  smooth step in its place, the network learns."""


class Data(NamedTuple):
    """Images (n, 64) with values 0 to 1, and their ten targets (n, 10): to train on, and held out."""

    X: Array
    y: Array
    X_new: Array
    y_new: Array


def load() -> Data:
    images, digits = load_digits()
    X, X_new, y, y_new = stratified_split(images / 16, digits, test_fraction=0.3, seed=0)
    return Data(X, np.eye(10)[y], X_new, np.eye(10)[y_new])


def make(
    hidden: list[int],
    activation: str | fastbp.activations.Activation,
    seed: int,
    output_activation: str | fastbp.activations.Activation = "identity",
    optimizer: fastbp.optimizers.Optimizer = fastbp.SGD(0.1, momentum=0.9),  # noqa: B008  (immutable)
) -> fastbp.Network:
    return fastbp.Network(
        [64, *hidden, 10],
        activation=activation,
        output_activation=output_activation,
        optimizer=optimizer,
        dtype="float64",
        seed=seed,
    )


def trained(net: fastbp.Network, data: Data, epochs: int | None = None) -> fastbp.Network:
    net.fit(data.X, data.y, epochs=epochs or EPOCHS)
    return net


def loss(net: fastbp.Network, X: Array, y: Array) -> float:
    return net.evaluate(X, y)["loss"]


# ---- 1: layers without bends -------------------------------------------------------------------------------


class Fitted(NamedTuple):
    """A model, and its error on the data it was made from and on new data."""

    name: str
    error: float
    new_error: float


def least_squares(data: Data) -> Fitted:
    """Return the best linear model there is: no linear function has a smaller error on the data."""

    def with_ones(X: Array) -> Array:
        return np.column_stack([X, np.ones(len(X))])

    weights = np.linalg.lstsq(with_ones(data.X), data.y, rcond=None)[0]  # (65, 10)
    parts = (data.X, data.y), (data.X_new, data.y_new)
    errors = [float(np.mean((with_ones(X) @ weights - y) ** 2)) for X, y in parts]
    return Fitted("least squares", *errors)


def with_and_without_bends(data: Data, seed: int) -> list[Fitted]:
    """Return least squares, linear networks, and the same networks with tanh."""
    found = [least_squares(data)]
    for activation in ("identity", "tanh"):
        for hidden in ([32], [32, 32], [32, 32, 32]):
            net = trained(make(hidden, activation, seed), data)
            name = f"{activation}, {len(hidden)} hidden"
            found.append(Fitted(name, loss(net, data.X, data.y), loss(net, data.X_new, data.y_new)))
    return found


class Folded(NamedTuple):
    """A stack of linear layers, and the one layer that it is."""

    layers: int
    layers_folded: int
    parameters: int
    parameters_folded: int
    difference: float  # the largest, of the outputs


def folded(data: Data, seed: int) -> Folded:
    """Multiply the matrices of a trained linear network out: `fastbp.inspect.fold_linear`."""
    net = trained(make([32, 32, 32], "identity", seed), data)
    flat = inspect.fold_linear(net)
    difference = float(np.abs(flat.predict(data.X_new) - net.predict(data.X_new)).max())
    return Folded(len(net.layers), len(flat.layers), net.n_parameters, flat.n_parameters, difference)


# ---- 2 and 3: another derivative in the place of f', of a bend and of a step -------------------------------


def line(z: Array) -> Array:
    return z


def step(z: Array) -> Array:
    return np.where(z < 0, -1.0, 1.0)


def slope_of_tanh(z: Array) -> Array:
    return 1 - np.tanh(z) ** 2


def against_tanh(z: Array) -> Array:
    return np.tanh(z) ** 2 - 1


PAIRS: dict[tuple[str, str], tuple[Function, Function]] = {
    ("tanh", "its own"): (np.tanh, slope_of_tanh),
    ("tanh", "1"): (np.tanh, np.ones_like),
    ("tanh", "0"): (np.tanh, np.zeros_like),
    ("tanh", "its own, times -1"): (np.tanh, against_tanh),
    ("line", "its own: 1"): (line, np.ones_like),
    ("step", "its own: 0"): (step, np.zeros_like),
    ("step", "that of tanh"): (step, slope_of_tanh),
}


class Learned(NamedTuple):
    """What a network has learned with some f and f' in its hidden layers."""

    error: float
    new_error: float
    moved: list[float]  # |W - W at the start| / |W at the start|, per layer


def with_derivative(f: Function, derivative: Function, data: Data, seed: int) -> Learned:
    """Train a network whose hidden units pass on f(z), and in whose gradient `derivative` stands for f'."""
    net = make(HIDDEN, CustomActivation(f, derivative), seed)
    before = [W.copy() for W in net.weights]
    trained(net, data)
    moved = [
        float(np.linalg.norm(W - start) / np.linalg.norm(start))
        for W, start in zip(net.weights, before, strict=True)
    ]
    return Learned(loss(net, data.X, data.y), loss(net, data.X_new, data.y_new), moved)


# ---- 4: depth ----------------------------------------------------------------------------------------------


class Deep(NamedTuple):
    """A network of some depth."""

    activation: str
    depth: int  # number of hidden layers
    ratio: float  # |gradient of the first layer| / |gradient of the last one|, before the first step
    error: float  # after training


def by_depth(data: Data, seed: int) -> list[Deep]:
    """Train networks of several depths for the same number of steps, with sigmoid and with relu."""
    found = []
    for activation in ("sigmoid", "relu"):
        for depth in DEPTHS:
            net = make([32] * depth, activation, seed, optimizer=fastbp.SGD(0.05, momentum=0.9))
            gradient = net.loss_and_gradients(data.X, data.y)[1]  # (P,)
            first, last = 64 * 32, 32 * 10 + 10
            sizes = [np.sqrt(np.mean(part**2)) for part in (gradient[:first], gradient[-last:-10])]
            trained(net, data, epochs=DEEP_EPOCHS)
            found.append(Deep(activation, depth, float(sizes[0] / sizes[1]), loss(net, data.X, data.y)))
    return found


# ---- 5: the sign -------------------------------------------------------------------------------------------


def downhill_and_uphill(data: Data, seed: int) -> tuple[list[float], list[float]]:
    """Return the errors before and after each step of gradient descent, with f' = 1 and f' = -1 at the end.

    The last layer has f(z) = z. Its f' is a factor of every derivative, so -1 turns all of them around.
    """
    courses = []
    for derivative in (np.ones_like, lambda z: -np.ones_like(z)):
        output = CustomActivation(line, derivative)
        net = make(HIDDEN, "tanh", seed, output, optimizer=fastbp.SGD(0.2))
        errors = [loss(net, data.X, data.y)]
        for _ in range(STEPS):
            net.train_on_batch(data.X, data.y)
            errors.append(loss(net, data.X, data.y))
        courses.append(errors)
    return courses[0], courses[1]


# ---- the report --------------------------------------------------------------------------------------------


class Results(NamedTuple):
    """What the experiments have found."""

    fitted: list[Fitted]
    folded: Folded
    learned: dict[tuple[str, str], Learned]  # by the names of f and of what stands for f'
    deep: list[Deep]
    down: list[float]
    up: list[float]


def experiments(data: Data, seed: int) -> Results:
    learned = {names: with_derivative(*functions, data, seed) for names, functions in PAIRS.items()}
    down, up = downhill_and_uphill(data, seed)
    return Results(
        with_and_without_bends(data, seed), folded(data, seed), learned, by_depth(data, seed), down, up
    )


def table_of_models(results: Results) -> str:
    lines = [f"{'':20} {'data':>8} {'new':>8}"]
    lines += [f"{model.name:20} {model.error:8.4f} {model.new_error:8.4f}" for model in results.fitted]
    return "\n".join(lines)


def table_of_derivatives(results: Results, functions: tuple[str, ...]) -> str:
    lines = ["f     f' in the gradient      data      new   layer 1  layer 2  layer 3"]
    for (f, derivative), learned in results.learned.items():
        if f in functions:
            moved = " ".join(f"{distance:8.3f}" for distance in learned.moved)
            lines.append(f"{f:5} {derivative:18} {learned.error:9.4f} {learned.new_error:8.4f}  {moved}")
    return "\n".join(lines)


def table_of_depths(results: Results) -> str:
    lines = [f"{'hidden layers':17}" + "".join(f"{depth:9}" for depth in DEPTHS)]
    for activation in ("sigmoid", "relu"):
        nets = [net for net in results.deep if net.activation == activation]
        lines.append(f"{activation:8}{'gradient':9}" + "".join(f"{net.ratio:9.2g}" for net in nets))
        lines.append(f"{activation:8}{'error':9}" + "".join(f"{net.error:9.4f}" for net in nets))
    return "\n".join(lines)


def table_of_signs(results: Results) -> str:
    lines = [f"{'step':4}" + "".join(f"{step:9}" for step in range(STEPS + 1))]
    for sign, errors in ((1, results.down), (-1, results.up)):
        lines.append(f"{sign:4}" + "".join(f"{error:9.4f}" for error in errors))
    return "\n".join(lines)


def report(results: Results) -> list[tuple[str, str]]:
    """Return what each experiment is, and its table."""
    n, n_folded, parameters, parameters_folded, difference = results.folded
    bends = f"""\
Layers without bends: f(z) = z, f' = 1. Mean squared error on the data, and on new data. No linear network
has a smaller error on its data than least squares: multiplied out, {n} layers with {parameters:,} parameters
are {n_folded} layer with {parameters_folded:,}, and the outputs differ by at most {difference:.0e}."""
    others = f"""\
Another derivative in the place of f', in {len(HIDDEN)} hidden layers. Error as above, and how far each
layer's weights have moved, relative to their size."""
    step = "A step, whose derivative is 0, and a step with a borrowed derivative. Columns as above."
    depth = f"""\
Depth. Gradient of the first layer over that of the last, and the error after {DEEP_EPOCHS} epochs."""
    sign = """\
The sign. Error before and after each step, theta := theta - 0.2 dJ/dtheta, if the f' of the output layer
is 1, and if it is -1."""
    return [
        (bends, table_of_models(results)),
        (others, table_of_derivatives(results, ("tanh", "line"))),
        (step, table_of_derivatives(results, ("step",))),
        (depth, table_of_depths(results)),
        (sign, table_of_signs(results)),
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Five experiments on the derivative of the activation.")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="write pictures, too; needs matplotlib"
    )
    folder = parser.parse_args(arguments).pictures
    if folder is not None:
        try:
            from why_pictures import draw
        except ImportError:
            parser.error('--pictures needs matplotlib: pip install "fastbp[plot]"')
    results = experiments(load(), seed=0)
    for number, (text, table) in enumerate(report(results), 1):
        print(f"{number}. {text}\n\n{table}\n")
    print(CONCLUSION)
    if folder is not None:
        draw(results, folder)


if __name__ == "__main__":
    main()
