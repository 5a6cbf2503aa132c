"""Back-propagation by hand: why the derivative of the activation matters, and not the function itself.

The network has three inputs (units 1, 2, 3), two hidden sigmoid units (4, 5) and a sigmoid output (6)::

    z4 = w14 x1 + w24 x2 + w34 x3 + b4     y4 = f(z4)
    z5 = w15 x1 + w25 x2 + w35 x3 + b5     y5 = f(z5)
    z6 = w46 y4 + w56 y5 + b6              h  = f(z6)      J = 1/2 sum (y - h)^2

The eleven parameters theta = {w14, ..., b6} learn whether x1 and x2 differ; x3 is irrelevant. The program
writes out every derivative with the chain rule, compares it with finite differences and with fastbp's two
engines, and uses it for gradient descent. Run it: ``python examples/worked_example.py``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastbp
import fastbp.reference

Array = NDArray[np.float64]
Theta = dict[str, float]

THETA: Theta = {
    "w14": 0.8, "w24": -0.6, "w34": 0.3, "b4": 0.1,
    "w15": -0.5, "w25": 0.9, "w35": -0.2, "b5": -0.1,
    "w46": 0.7, "w56": 0.4, "b6": -0.3,
}  # fmt: skip
# fastbp's order: for each layer its weights, one row per input, then its biases
LAYOUT = ("w14", "w15", "w24", "w25", "w34", "w35", "b4", "b5", "w46", "w56", "b6")

X = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)  # (8, 3)
Y = np.where(X[:, 0] != X[:, 1], 0.9, 0.1)  # (8,): a sigmoid never reaches 1
ETA = 1.0
TOLERANCE = 1e-5  # gradient descent stops when every derivative is smaller

CONCLUSION = """
f(z) is the output of a unit. f'(z) is how much this output changes if z changes, and the product
of such factors along the chain is how much J changes. So the derivative gives the direction in
which J falls, and it distributes the error at the output over all units and weights: a small share
for a saturated unit, a large share for an undecided one. A constant derivative carries no such
signal: a stack of linear layers is one linear layer. The derivative of a step function is zero, so
no unit before it would learn."""


class Units(NamedTuple):
    """The outputs of units 4, 5 and 6, each for all samples (8,)."""

    y4: Array
    y5: Array
    h: Array


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def slope(y: Array) -> Array:
    """Return the derivative of the sigmoid, computed from its value y."""
    return y * (1 - y)


def forward(theta: Theta) -> Units:
    x1, x2, x3 = X.T
    y4 = sigmoid(theta["w14"] * x1 + theta["w24"] * x2 + theta["w34"] * x3 + theta["b4"])
    y5 = sigmoid(theta["w15"] * x1 + theta["w25"] * x2 + theta["w35"] * x3 + theta["b5"])
    return Units(y4, y5, sigmoid(theta["w46"] * y4 + theta["w56"] * y5 + theta["b6"]))


def error(theta: Theta) -> float:
    return float(np.sum((Y - forward(theta).h) ** 2) / 2)


def factors_of_w14(theta: Theta) -> dict[str, Array]:
    """Return the factors of the chain from J to w14 for all samples; dJ/dw14 sums their products."""
    y4, _, h = forward(theta)
    return {
        "dJ/dh": h - Y,
        "dh/dz6": slope(h),
        "dz6/dy4": np.full_like(h, theta["w46"]),
        "dy4/dz4": slope(y4),
        "dz4/dw14": X[:, 0],
    }


def gradient(theta: Theta, slope: Callable[[Array], Array] = slope) -> Theta:
    """Return dJ/dtheta by the chain rule; the delta of a unit is its share of the error, dJ/dz."""
    x1, x2, x3 = X.T
    y4, y5, h = forward(theta)
    delta6 = (h - Y) * slope(h)
    delta4 = delta6 * theta["w46"] * slope(y4)
    delta5 = delta6 * theta["w56"] * slope(y5)
    products = {
        "w14": delta4 * x1, "w24": delta4 * x2, "w34": delta4 * x3, "b4": delta4,
        "w15": delta5 * x1, "w25": delta5 * x2, "w35": delta5 * x3, "b5": delta5,
        "w46": delta6 * y4, "w56": delta6 * y5, "b6": delta6,
    }  # fmt: skip
    return {name: float(np.sum(product)) for name, product in products.items()}


def finite_differences(theta: Theta, step: float = 1e-5) -> Theta:
    """Return dJ/dtheta by moving each parameter a little in both directions."""

    def moved(name: str, distance: float) -> float:
        return error(theta | {name: theta[name] + distance})

    return {name: (moved(name, step) - moved(name, -step)) / (2 * step) for name in theta}


def as_vector(theta: Theta) -> Array:
    return np.array([theta[name] for name in LAYOUT])


def as_theta(vector: Array) -> Theta:
    values = dict(zip(LAYOUT, vector.tolist(), strict=True))
    return {name: values[name] for name in THETA}


def make_network(network_class: type[fastbp.Network] = fastbp.Network) -> fastbp.Network:
    """Return the same network as a `fastbp.Network`, with the native engine or the NumPy engine."""
    net = network_class(
        [3, 2, 1],
        activation="sigmoid",
        output_activation="sigmoid",
        loss="half_sse",
        optimizer=fastbp.SGD(learning_rate=ETA),
        dtype="float64",
    )
    net.parameters[:] = as_vector(THETA)
    return net


def downhill(theta: Theta, slope: Callable[[Array], Array] = slope) -> Theta:
    """Make one step of gradient descent: theta := theta - eta dJ/dtheta."""
    d_theta = gradient(theta, slope)
    return {name: value - ETA * d_theta[name] for name, value in theta.items()}


def converge(theta: Theta) -> list[Theta]:
    """Return the path of gradient descent from theta until every derivative is below the tolerance."""
    path = [theta]
    while max(map(abs, gradient(path[-1]).values())) >= TOLERANCE:
        path.append(downhill(path[-1]))
    return path


def astray(theta: Theta, steps: int) -> Theta:
    """Return the result of so many steps that use the function in place of its derivative."""
    for _ in range(steps):
        theta = downhill(theta, slope=lambda y: y)
    return theta


def train(net: fastbp.Network, steps: int) -> list[Theta]:
    """Return the path of a network's own training from its present parameters."""
    path = [as_theta(net.parameters)]
    for _ in range(steps):
        net.train_on_batch(X, Y)
        path.append(as_theta(net.parameters))
    return path


def difference(path: list[Theta], other: list[Theta]) -> float:
    return max(float(np.abs(as_vector(a) - as_vector(b)).max()) for a, b in zip(path, other, strict=True))


def main() -> None:
    native, numpy = make_network(), make_network(fastbp.reference.Network)
    print(f"J = {error(THETA):.6f}. How much does w14 change it? One factor for each link between the two:\n")
    links = factors_of_w14(THETA)
    print("  x1 x2 x3 " + "".join(f"{name:>10}" for name in links) + "   product")
    for x, values in zip(X.astype(int), np.transpose(list(links.values())), strict=True):
        print(
            "  {:2} {:2} {:2} ".format(*x) + "".join(f"{v:10.5f}" for v in values) + f"{values.prod():10.5f}"
        )

    print("\nSummed over the samples, dJ/dw14 is, according to")
    for name, value in {
        "the chain rule": gradient(THETA)["w14"],
        "finite differences": finite_differences(THETA)["w14"],
        "fastbp, NumPy engine": as_theta(numpy.loss_and_gradients(X, Y)[1])["w14"],
        "fastbp, native engine": as_theta(native.loss_and_gradients(X, Y)[1])["w14"],
    }.items():
        print(f"  {name:22} {value:.12f}")

    path = converge(THETA)
    steps = len(path) - 1
    print(f"\nGradient descent, theta := theta - {ETA:g} dJ/dtheta:")
    for step in sorted({0, 1, 10, 100, 1000, steps}):
        print(f"  step {step:5}   J = {error(path[step]):.2e}   w14 = {path[step]['w14']:8.5f}")
    print(f"  h = {forward(path[-1]).h.round(3)}")
    print(f"  y = {Y}")
    for name, net in (("NumPy", numpy), ("native", native)):
        print(f"  the {name} engine went the same way, within {difference(path, train(net, steps)):.0e}")

    lost = error(astray(THETA, steps))
    print(f"\nWith f in place of its derivative, {steps} steps only reach J = {lost:.2f}.")
    print(CONCLUSION)


if __name__ == "__main__":
    main()
