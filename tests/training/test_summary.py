"""The summary of a network as text and as HTML, and the number of its parameters."""

import copy
import pickle
from html.parser import HTMLParser
from inspect import signature

import numpy as np
import pytest

import fastbp
from fastbp import CELU, Adam, Dense
from fastbp.layers import Layer
from fastbp.schedules import Warmup

LAYERS = [3, 200, Dense(4, CELU(0.5), dropout=0.25, max_norm=2), Dense(1, initializer="orthogonal", l2=0.01)]


class Cells(HTMLParser):
    """Collects the rows of all tables; fails if tags are not closed in their order."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture
def net(network_class):
    return network_class(LAYERS, optimizer=Adam(Warmup(0.01, 9)), dtype="float64", seed=7)


def test_it_has_a_line_for_every_layer_and_fact(net):
    lines = str(net.summary()).splitlines()
    assert lines[0] == "Network: float64, seed 7"
    assert [line.split() for line in lines[2:7]] == [
        ["layer", "inputs", "units", "activation", "initializer", "parameters", "options"],
        ["1", "3", "200", "relu", "he_uniform", "800"],
        ["2", "200", "4", "CELU(alpha=0.5)", "he_uniform", "804", "dropout=0.25,", "max_norm=2.0"],
        ["3", "4", "1", "identity", "orthogonal", "5", "l2=0.01"],
        ["total", "1,609"],
    ]
    facts = dict(line.split("  ", 1) for line in lines[8:])
    assert {name: text.strip() for name, text in facts.items()} == {
        "loss": repr(net.loss),
        "optimizer": repr(net.optimizer),
        "memory": "parameters 12.57 KB, optimizer 25.14 KB",
        "trained": "0 epochs, 0 steps",
    }


def test_numbers_are_aligned(net):
    lines = str(net.summary()).splitlines()[2:7]
    end = lines[0].index("parameters") + len("parameters")
    assert [line[:end].rstrip().rpartition(" ")[2] for line in lines[1:]] == ["800", "804", "5", "1,609"]
    assert all(len(line[:end].rstrip()) == end for line in lines)


def test_it_follows_training(network_class, rng):
    net = network_class([2, 1], optimizer="sgd", input_noise=0.1)
    X = rng.normal(size=(40, 2))
    net.adapt(X)
    assert "targets" not in net.summary()
    net.adapt(X, X[:, 0])
    net.fit(X, X[:, 0], epochs=1200, batch_size=20)
    text = str(net.summary())
    assert "trained    1,200 epochs, 2,400 steps" in text
    assert "inputs     scaled, with noise of 0.1" in text
    assert "targets    scaled" in text
    assert "optimizer 0 KB" in text


def test_the_html_has_the_same_cells(net):
    for html in (net.summary()._repr_html_(), net._repr_html_()):
        rows = Cells(html).rows
        assert rows[0] == ["layer", "inputs", "units", "activation", "initializer", "parameters", "options"]
        assert rows[2] == [
            "2",
            "200",
            "4",
            "CELU(alpha=0.5)",
            "he_uniform",
            "804",
            "dropout=0.25, max_norm=2.0",
        ]
        assert rows[4][-2:] == ["1,609", ""]
        assert ["optimizer", repr(net.optimizer)] in rows
        assert "Network: float64, seed 7" in html


def test_names_are_escaped(network_class):
    def bold(output, target):
        return float(((output - target) ** 2).mean()), 2 * (output - target)

    bold.__name__ = bold.__qualname__ = "<b>"
    html = network_class([2, 1], loss=fastbp.CustomLoss(bold))._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    bold.__name__ = "\ud800" + "b" * 1000
    net = network_class([2, 1], loss=fastbp.CustomLoss(bold))
    for text in (net.summary(), net._repr_html_()):
        assert "\ufffdbbb" in text
        assert "b" * 60 not in text


def test_it_is_a_string(net):
    """In a session it is shown as a table, not in quotes."""
    summary = net.summary()
    assert isinstance(summary, str)
    assert repr(summary) == str(summary) == summary
    for twin in (copy.copy(summary), pickle.loads(pickle.dumps(summary))):
        assert (twin, twin._repr_html_()) == (summary, summary._repr_html_())


def test_it_has_the_name_of_the_class():
    class Mine(fastbp.Network):
        pass

    assert Mine([1, 1], seed=0).summary().startswith("Mine: float32, seed 0\n")


def test_it_shows_every_option_of_a_layer():
    """Also those that a later version adds: whatever differs from its default."""
    chosen = {"l1": 0.1, "l2": 0.2, "dropout": 0.5, "max_norm": 3.0}
    assert chosen.keys() <= {*Layer._fields}
    text = str(fastbp.Network([2, Dense(3, **chosen), 1]).summary())
    assert "l1=0.1, l2=0.2, dropout=0.5, max_norm=3.0" in text
    flags = {name: p.default for name, p in signature(Dense).parameters.items() if type(p.default) is bool}
    for name, default in flags.items():
        assert f"{name}=" not in text
        assert f"{name}={not default}" in fastbp.Network([2, Dense(3, **{name: not default}), 1]).summary()


def test_it_counts_what_is_frozen(network_class):
    net = network_class([2, Dense(3, trainable=False), Dense(4, bias=False), 1], seed=0)
    lines = [line.split() for line in str(net.summary()).splitlines()[3:7]]
    assert [line[5:] for line in lines[:3]] == [["9", "trainable=False"], ["12", "bias=False"], ["5"]]
    assert " ".join(lines[3]) == "total 26 9 of them frozen"
    assert net.n_parameters == net.parameters.size == 26


@pytest.mark.parametrize("sizes", [[1, 1], [3, 5, 2], [4, 4, 4, 4]])
def test_number_of_parameters(sizes, network_class):
    net = network_class(sizes)
    assert net.n_parameters == net.parameters.size == sum(map(np.size, net.weights + net.biases))
