"""The networks that run in the page compute what the C core computes."""

import numpy as np
import pytest

import fastbp
from fastbp import inspect
from fastbp._explain.lesson.worked_example import INPUTS, START, TARGETS
from helpers.browser import opened

X, Y = np.array(INPUTS, np.float64), np.array(TARGETS)
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "softplus", "sine", "identity", "step")
SLOPES = {
    "own": lambda f: f.derivative,
    "one": lambda f: np.ones_like,
    "zero": lambda f: np.zeros_like,
    "negated": lambda f: lambda z: -f.derivative(z),
}
RATE = 0.03  # small enough that no case diverges: that would magnify the rounding
CASES = [
    *((f, slope, "sigmoid", "own", RATE) for f in ACTIVATIONS for slope in SLOPES),
    *(("sigmoid", "own", f, slope, RATE) for f in ACTIVATIONS for slope in SLOPES),
    *(("tanh", slope, "sine", output_slope, RATE) for slope in SLOPES for output_slope in SLOPES),
    *(("sigmoid", slope, "sigmoid", "own", 1) for slope in SLOPES),  # the page starts with this rate
]
TEN_STEPS = """cases => cases.map(settings => {
    const $ = name => document.getElementById(`worked-${name}`);
    ["activation-0", "slope-0", "activation-1", "slope-1", "rate"].forEach((name, k) => {
        $(name).value = settings[k];
        $(name).dispatchEvent(new Event("change"));
    });
    $("again").click();
    $("ten").click();
    const { parameters, loss, steps } = fastbp.state["worked-example"];
    return { parameters, loss, steps };
})"""
BACKWARD = """([layers, loss, X, T]) => {
    const net = new fastbp.Network(layers, loss), back = net.backward(X, T), evaluated = net.evaluate(X, T);
    const deltas = net.layers.map((_, l) => back.rows.map(row => row.deltas[l]));
    const outputs = net.predict(X), shares = fastbp.blame(back), other = net.copy();
    for (let k = 0; k < 10; k++) net.step(X, T, 0.03);
    return { ...back, deltas, shares, evaluated, outputs, after: net.parameters, copied: other.parameters };
}"""


def activation(name, slope="own"):
    """Return an activation; if not its own derivative, the gradient uses what is in its place.

    A network refuses to train with the step itself, but not with a function that happens to be one.
    """
    f = fastbp.activations.get(name)
    return f if slope == "own" and name != "step" else fastbp.CustomActivation(f, SLOPES[slope](f))


def worked(f=("sigmoid", "own"), output=("sigmoid", "own"), rate=RATE):
    """Return the network of the worked example."""
    layers = [3, fastbp.Dense(2, activation(*f)), fastbp.Dense(1, activation(*output))]
    net = fastbp.Network(layers, loss="half_sse", optimizer=fastbp.SGD(rate), dtype="float64")
    net.parameters[:] = list(START.values())
    return net


def deep(loss):
    """Return a network of four layers with numbers drawn at random, and what JavaScript makes it from."""
    rng = np.random.default_rng(3)
    f = ("tanh", "softplus", "sine", "sigmoid")
    layers = [4, *(fastbp.Dense(n, each) for n, each in zip((6, 5, 5, 3), f, strict=True))]
    net = fastbp.Network(layers, loss=loss, optimizer=fastbp.SGD(RATE), dtype="float64")
    net.parameters[:] = rng.normal(size=net.parameters.size)
    numbers = zip(net.weights, net.biases, f, strict=True)
    return net, [{"W": W.tolist(), "b": b.tolist(), "activation": each} for W, b, each in numbers]


def close(found, expected):
    """Assert that numbers agree to 1e-12, relative to the larger of their size and 1."""
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def page(browser, lesson):
    with opened(browser, lesson) as found:
        yield found


def test_ten_steps_of_the_worked_example_are_those_of_the_c_core(page):
    found = page.evaluate(TEN_STEPS, CASES)
    for (f, slope, g, output_slope, rate), seen in zip(CASES, found, strict=True):
        net = worked((f, slope), (g, output_slope), rate)
        for _ in range(10):
            net.train_on_batch(X, Y)
        assert seen["steps"] == 10
        close(seen["parameters"], net.parameters)
        close(seen["loss"], net.evaluate(X, Y)["loss"])


def test_the_page_offers_every_activation_and_slope_of_this_test(page):
    values = "name => [...document.getElementById(`worked-${name}`).options].map(each => each.value)"
    for layer in (0, 1):
        assert page.evaluate(values, f"activation-{layer}") == list(ACTIVATIONS)
        assert page.evaluate(values, f"slope-{layer}") == list(SLOPES)


def test_formulas_of_the_page_are_functions_of_fastbp(page):
    z = np.linspace(-30, 30, 61)
    values = (
        "([name, z]) => { const { f, slope } = fastbp.ACTIVATIONS[name]; return [z.map(f), z.map(slope)]; }"
    )
    for name in ACTIVATIONS:
        f = fastbp.activations.get(name)
        close(page.evaluate(values, [name, z.tolist()]), [f(z), f.derivative(z)])


def test_factors_of_every_weight_and_row_are_those_of_chain_rule(page):
    page.evaluate(TEN_STEPS, [["tanh", "own", "sigmoid", "own", RATE]])
    net = worked(("tanh", "own"))
    net.parameters[:] = page.evaluate("fastbp.state['worked-example'].parameters")
    factors = page.evaluate(
        "names => names.map(name => [0, 1, 2, 3, 4, 5, 6, 7].map("
        "n => fastbp.state['worked-example'].factors(name, n)))",
        list(START),
    )
    for name, of_rows in zip(START, factors, strict=True):
        target = int(name[-1])
        layer, j = (2, 0) if target == 6 else (1, target - 4)
        i = None if name[0] == "b" else int(name[1]) - (4 if layer == 2 else 1)
        for x, y, seen in zip(X, Y, of_rows, strict=True):
            expected = inspect.chain_rule(net, layer, i, j, x, y).factors
            assert [factor for factor, _ in seen] == [factor.name for factor in expected]
            close([value for _, value in seen], [factor.value for factor in expected])


def test_measured_slopes_are_the_gradient(page):
    page.evaluate(TEN_STEPS, [["tanh", "own", "sigmoid", "own", RATE]])
    state = "fastbp.state['worked-example']"
    measured = page.evaluate(f"names => names.map({state}.measured)", list(START))
    np.testing.assert_allclose(measured, page.evaluate(f"{state}.gradient"), rtol=0, atol=1e-9)


def test_shares_of_the_worked_example_are_those_of_blame(page):
    page.evaluate(TEN_STEPS, [["sigmoid", "own", "sigmoid", "own", RATE]])
    net = worked()
    net.parameters[:] = page.evaluate("fastbp.state['worked-example'].parameters")
    shares, expected = page.evaluate("fastbp.state['worked-example'].shares"), inspect.blame(net, X, Y)
    close(shares["rows"], expected.row_shares)
    for seen, layer in zip(shares["units"], expected.unit_shares, strict=True):
        close(seen, layer)


@pytest.mark.parametrize("loss", ["mse", "half_sse"])
def test_a_deep_network_agrees(page, loss):
    net, layers = deep(loss)
    rng = np.random.default_rng(4)
    X, T = rng.normal(size=(7, 4)), rng.normal(size=(7, 3))
    found = page.evaluate(BACKWARD, [layers, loss, X.tolist(), T.tolist()])
    expected, before = inspect.blame(net, X, T), net.parameters.copy()
    close(found["outputs"], net.predict(X))
    close([found["loss"], found["evaluated"]], [net.evaluate(X, T)["loss"]] * 2)
    close(found["gradient"], expected.gradient)
    for seen, delta in zip(found["deltas"], inspect.deltas(net, X, T), strict=True):
        close(seen, delta)
    for seen, layer in zip(found["shares"]["units"], expected.unit_shares, strict=True):
        close(seen, layer)
    shares = zip(expected.weight_shares, expected.bias_shares, strict=True)
    close(found["shares"]["parameters"], np.concatenate([np.concatenate([W.ravel(), b]) for W, b in shares]))
    close(found["shares"]["rows"], expected.row_shares)
    for _ in range(10):
        net.train_on_batch(X, T)
    close(found["after"], net.parameters)
    close(found["copied"], before)  # a copy does not learn with the network
