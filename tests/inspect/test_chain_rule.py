"""The factors behind one derivative."""

import math
import re
import string
from html.parser import HTMLParser

import numpy as np
import pytest

import fastbp
from fastbp import Dense, inspect, losses
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect._formulas import LATEX
from fastbp.inspect._names import parameter_name, parameter_place
from fastbp.layers import split
from helpers.differences import central_differences
from helpers.problems import fitting, problem
from helpers.tables import DTYPES, ENGINES


@pytest.fixture
def worked():
    import worked_example

    return worked_example


def squared(h, t):
    """A custom loss."""
    return float(((h - t) ** 2).sum()), 2 * (h - t)


def check(net, X, y, tolerance):
    """Compare every parameter's chain with the gradient of the engine, for each row alone."""
    for x, t in zip(X, y, strict=True):
        gradient = net.loss_and_gradients(x[None], t[None])[1].astype(np.float64)
        scale = np.abs(gradient).max() + 1e-300
        for index in range(net.n_parameters):
            layer, i, j = parameter_place(net.layers, index)
            chain = inspect.chain_rule(net, layer + 1, i, j, x, t, limit=2 + index % 9)
            assert chain.name == parameter_name(net.layers, index)
            assert chain.value == pytest.approx(gradient[index], abs=tolerance * scale)
            product = math.prod(factor.value for factor in chain.factors)
            assert product == pytest.approx(chain.value, rel=1e-12, abs=1e-300)


def evaluated(chain):
    """Check that the numbers of each line of the text give its result, to the digits shown."""
    lines = str(chain).splitlines()
    formulas = lines[lines.index("") + 1 :]
    assert "* -" not in str(chain)
    assert "+ -" not in str(chain)
    for formula in formulas:
        *sides, result = formula.split(" = ")
        if re.fullmatch(r"[-+.e0-9()*/ ]+", sides[-1]):  # else symbols, of one number
            # four digits of each number, whose differences may cancel out
            size = max(map(abs, map(float, re.findall(r"[.e0-9]+(?:e-\d+)?", sides[-1]))))
            assert eval(sides[-1]) == pytest.approx(float(result), rel=5e-3, abs=2e-3 * size)
    return formulas


def test_factors_of_the_worked_example(worked):
    links, net = worked.factors_of_w14(worked.THETA), worked.make_network()
    total = 0.0
    for row, (x, y) in enumerate(zip(worked.X, worked.Y, strict=True)):
        chain = inspect.chain_rule(net, 1, 0, 0, x, y)
        assert [factor.name for factor in chain.factors] == list(links)
        expected = [float(values[row]) for values in links.values()]
        assert [factor.value for factor in chain.factors] == pytest.approx(expected, abs=1e-15)
        total += chain.value
    assert total == pytest.approx(worked.gradient(worked.THETA)["w14"], abs=1e-15)
    assert (chain.name, chain.layer, chain.i, chain.j) == ("w14", 1, 0, 0)
    text = str(chain)
    for line in (
        "dJ/dw14 = x1 * delta4 = 1 * ",
        "delta4 = f'(z4) * w46 * delta6 = ",
        "delta6 = dJ/dh * f'(z6) = ",
        "dJ/dh",
        "derivative of the loss half_sse at h = ",
        "derivative of sigmoid at z4 = ",
    ):
        assert line in text
    bias = inspect.chain_rule(net, 2, "bias", 0, x, y)
    assert bias.name == "b6"
    assert bias.i is None
    assert "dJ/db6 = delta6 = " in str(bias)
    assert [f.name for f in bias.factors] == ["dJ/dh", "dh/dz6", "dz6/db6"]


@pytest.mark.parametrize("loss", [*losses.LOSSES, squared], ids=str)
def test_products_are_the_gradient(loss):
    name = loss if isinstance(loss, str) else "mse"
    sizes = fitting((3, 4, 2, 3), name)
    X, y = problem(sizes, 2, name, seed=1)
    for network in ENGINES:
        for dtype in DTYPES:
            layers = [3, Dense(4, "tanh", bias=False), Dense(2, "elu"), sizes[-1]]
            net = network(layers, loss=loss, dtype=dtype, seed=4)
            net.adapt(X + 1)
            check(
                net,
                X[: 2 if dtype == "float64" else 1],
                y[: 2 if dtype == "float64" else 1],
                2e-5 if dtype == "float32" else 1e-12,
            )


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_outputs_that_are_not_joined_with_the_loss(output):
    net = fastbp.Network([3, 1, 4], output_activation=output, loss="mse", dtype="float64", seed=2)
    X, y = problem((3, 1, 4), 2)
    check(net, X, y, 1e-12)
    evaluated(inspect.chain_rule(net, 1, 0, 0, X[0], y[0]))
    evaluated(inspect.chain_rule(net, 2, None, 2, X[0], y[0], limit=1))


def test_a_wrong_derivative_counts_as_the_user_gave_it():
    wrong = fastbp.CustomActivation(np.tanh, lambda z: -np.ones_like(z), name="<wrong>")
    X, y = problem((3, 4, 2), 2)
    for network in ENGINES:
        net = network([3, 4, 2], activation=wrong, dtype="float64", seed=2)
        check(net, X, y, 1e-12)
    chain = inspect.chain_rule(net, 1, 0, 0, X[0], y[0])
    assert chain.factors[1][:2] == ("dy4/dz4", -1)
    assert "derivative of &lt;wrong&gt; at z4" in chain.html()


def test_differences_of_the_loss():
    net = fastbp.Network([3, 5, 4, 2], activation="tanh", loss="huber", dtype="float64", seed=2)
    X, y = problem((3, 5, 4, 2), 1)
    found = central_differences(lambda: net.evaluate(X, y, [])["loss"], net.parameters, 1e-6)
    for index, difference in enumerate(found):
        layer, i, j = parameter_place(net.layers, index)
        chain = inspect.chain_rule(net, layer + 1, i, j, X[0], y[0])
        assert chain.value == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_formulas_give_the_values_that_they_show(limit):
    for sizes, loss in (((4, 9, 6, 10), "cross_entropy"), ((4, 3, 1), "mse"), ((4, 2, 6), "poisson")):
        net = fastbp.Network(sizes, activation="tanh", loss=loss, seed=3)
        X, y = problem(sizes, 1, loss)
        for i in (0, None):
            formulas = evaluated(inspect.chain_rule(net, 1, i, 1, X[0], y[0], limit=limit))
            layers = len(sizes) - 1
            assert len(formulas) <= 3 + (layers - 1) * limit
            assert sum("more)" in formula for formula in formulas) >= (limit < 6 and max(sizes[2:]) > limit)


def test_the_largest_terms_are_shown():
    net = fastbp.Network([2, 3, 64, 1], activation="identity", dtype="float64")
    _, W2, W3 = net.weights
    W2[:], W3[:] = 0.01, 1
    W2[0, 17], W2[0, 40] = 5, -7
    text = str(inspect.chain_rule(net, 1, 0, 0, [1, 1], 0, limit=2))
    assert "w_3_23 * delta_23 + w_3_46 * delta_46 + ... (62 more)" in text
    assert "delta_23 = " in text
    assert "delta_24 = " not in text


def test_small_networks_are_written_out_in_full():
    net = fastbp.Network([2, 3, 3, 2], activation="tanh")
    text = str(inspect.chain_rule(net, 1, 0, 0, [1, 1], [0, 1]))
    assert all(f"delta{unit} = " in text for unit in (3, 6, 7, 8, 9))
    assert "delta_10 = " in text
    assert "more)" not in text


def test_unknown_targets_have_no_delta():
    loss = losses.MSE(ignore_nan=True)
    net = fastbp.Network([2, 3, 3], loss=loss, dtype="float64")
    chain = inspect.chain_rule(net, 2, 0, 1, [1, 1], [1, np.nan, 2])
    assert chain.value == 0
    chain = inspect.chain_rule(net, 1, 0, 1, [1, 1], [1, np.nan, 2])
    gradient = net.loss_and_gradients([[1, 1]], [[1, np.nan, 2]])[1]
    assert chain.value == pytest.approx(split(gradient, net.layers)[0][0][0, 1], abs=1e-15)
    joined = fastbp.Network([2, 3, 3], loss=losses.BinaryCrossEntropy(ignore_nan=True))
    text = str(inspect.chain_rule(joined, 2, 0, 1, [1, 1], [1, np.nan, 0]))
    assert text.endswith("\ndelta7 = 0")
    text = str(inspect.chain_rule(joined, 2, 0, 0, [1, 1], [1, np.nan, 0]))
    assert "delta6 = (h6 - t6) / 2" in text
    assert "h6 - t6 over 2: binary_cross_entropy together with sigmoid" in text


def test_latex_is_read_by_mathtext():
    parser = pytest.importorskip("matplotlib.mathtext").MathTextParser("agg")
    names = [string.printable, "\\$", "$x$ & <b>y</b>", "}{", "Größe (cm)", "\\", "a\\$b", ""]
    net = fastbp.Network([len(names), 3, 1], activation="tanh", loss="half_sse")
    net.feature_names = names
    net.parameters[:] = 1e-7
    x = np.full(len(names), -1e-5)
    for i in [*range(len(names)), None]:
        lines = inspect.chain_rule(net, 1, i, 0, x, -3e9).latex().splitlines()
        assert len(lines) >= 3
        for line in lines if i is None else lines[-1:]:
            assert "<" not in line
            assert re.findall(r"(?<!\\)\$", line) == ["$", "$"]
            parser.parse(line)
    for character in string.printable:
        assert not set('<>&#`"') & set(LATEX.words(character))
    wide = fastbp.Network([2, 20, 12], loss="cross_entropy")
    for value in (0.5, np.nan):
        wide.parameters[:] = value
        for line in inspect.chain_rule(wide, 1, 0, 0, [1, 2], 3, limit=2).latex().splitlines():
            parser.parse(line)


class Balanced(HTMLParser):
    """Collects text, and checks that each tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], "", set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html_is_balanced_and_escaped():
    net = fastbp.Network([2, 12, 1], activation="tanh")
    net.feature_names = ["<script>&", "b"]
    chain = inspect.chain_rule(net, 1, 0, 0, [1, 2], 3)
    page = Balanced()
    page.feed(chain.html())
    page.close()
    assert page.open == []
    assert page.tags == {"div", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "i", "sub"}
    assert "input x1 (<script>&)" in page.text
    assert "∂J/∂w13 = x1 · δ3" in page.text
    assert chain._repr_html_() == chain.html()
    assert repr(chain) == str(chain)


def test_hostile_names_are_short_and_can_be_printed():
    net = fastbp.Network([1, 1], seed=0)
    net.feature_names = ["\ud800\0\u202e" + "x" * 1000]
    chain = inspect.chain_rule(net, 1, 0, 0, [1], 3)
    for text in (str(chain), chain.latex(), chain.html()):
        assert "x" * 20 in text
        assert "x" * 60 not in text
        assert not {*"\ud800\0\u202e"} & {*text}


def test_samples_of_other_kinds():
    pd, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    net = fastbp.Network([2, 3, 4], loss="cross_entropy")
    values = {
        inspect.chain_rule(net, 1, 0, 0, x, y).value
        for x, y in (
            ([1, 2], 3),
            (np.array([[1.0, 2]]), [3]),
            (sparse.csr_array([[1.0, 2]]), [3]),
            (pd.DataFrame({"a": [1], "b": [2]}), [3]),
            (pd.DataFrame({"a": [1], "b": [2]}).iloc[0], 3),
            ([1, 2], [0, 0, 0, 1]),
        )
    }
    assert len(values) == 1


def test_errors():
    net = fastbp.Network([2, Dense(3, bias=False), 1])
    for error, match, arguments in (
        (ParameterError, r"layer is 3, expected an integer >= 1 and < 3", (3, 0, 0, [1, 2], 1)),
        (ParameterError, r"layer is 0", (0, 0, 0, [1, 2], 1)),
        (ParameterError, r"i is 2, expected an integer >= 0 and < 2", (1, 2, 0, [1, 2], 1)),
        (ParameterError, r"j is -1", (1, 0, -1, [1, 2], 1)),
        (ParameterError, r"i is 'bias', but layers\[1\] has no bias", (1, "bias", 0, [1, 2], 1)),
        (ParameterError, r"i is 'weight'", (1, "weight", 0, [1, 2], 1)),
        (ShapeError, r"^x has 3 columns, expected 2", (1, 0, 0, [1, 2, 3], 1)),
        (ShapeError, r"x has 2 rows, expected one", (1, 0, 0, np.ones((2, 2)), [1, 2])),
    ):
        with pytest.raises(error, match=match):
            inspect.chain_rule(net, *arguments)
    with pytest.raises(ParameterError, match="limit is 0"):
        inspect.chain_rule(net, 1, 0, 0, [1, 2], 1, limit=0)
