"""The worked example: a network small enough to differentiate by hand; three methods agree."""

import importlib.util
from itertools import pairwise

import numpy as np
import pytest

import fastbp
import fastbp.reference
from helpers.paths import ROOT

PATH = ROOT / "examples" / "worked_example.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("worked_example", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def path(example):
    return example.converge(example.THETA)


NETWORKS = pytest.mark.parametrize(
    "network_class", [fastbp.Network, fastbp.reference.Network], ids=["native", "numpy"]
)


def test_w14_is_a_product_of_its_links(example):
    links = example.factors_of_w14(example.THETA)
    assert list(links) == ["dJ/dh", "dh/dz6", "dz6/dy4", "dy4/dz4", "dz4/dw14"]
    share = np.prod(list(links.values()), axis=0).sum()
    assert abs(share) > 1e-3
    assert share == pytest.approx(example.finite_differences(example.THETA)["w14"], abs=1e-10)
    assert share == pytest.approx(example.gradient(example.THETA)["w14"], abs=1e-15)


def test_chain_rule_is_finite_differences(example, path):
    for theta in (example.THETA, path[100], path[-1]):
        assert example.gradient(theta) == pytest.approx(example.finite_differences(theta), abs=1e-10)


@NETWORKS
def test_chain_rule_is_the_networks_gradient(example, path, network_class):
    net = example.make_network(network_class)
    for theta in (example.THETA, path[100], path[-1]):
        net.parameters[:] = example.as_vector(theta)
        loss, gradients = net.loss_and_gradients(example.X, example.Y)
        assert loss == pytest.approx(example.error(theta), abs=1e-14)
        assert example.as_theta(gradients) == pytest.approx(example.gradient(theta), abs=1e-10)


def test_descent_converges(example, path):
    errors = [example.error(theta) for theta in path]
    assert all(after < before for before, after in pairwise(errors))
    assert errors[-1] < 1e-6 < 0.5 < errors[0]
    np.testing.assert_allclose(example.forward(path[-1]).h, example.Y, atol=1e-3)
    assert max(map(abs, example.gradient(path[-1]).values())) < example.TOLERANCE


@NETWORKS
def test_networks_take_the_same_way(example, path, network_class):
    net = example.make_network(network_class)
    assert example.difference(path, example.train(net, len(path) - 1)) < 1e-10


@NETWORKS
def test_fit_takes_the_same_way_and_knows_when_to_stop(example, path, network_class):
    net = example.make_network(network_class)
    history = net.fit(
        example.X,
        example.Y,
        epochs=10 * len(path),
        batch_size=None,
        shuffle=False,
        gradient_tol=example.TOLERANCE,
    )
    assert len(history) == len(path)
    assert history.loss == pytest.approx([example.error(theta) for theta in path], rel=1e-9)


def test_the_function_in_place_of_its_derivative_leads_astray(example, path):
    assert example.error(example.astray(example.THETA, len(path))) > 1000 * example.error(path[-1])


def test_the_story_is_told(example, capsys):
    example.main()
    told = capsys.readouterr().out
    share = example.gradient(example.THETA)["w14"]
    assert told.count(f"{share:.12f}"[:12]) == 4
    assert "went the same way" in told
