"""`LearningRateDisplay`: paths of gradient descent, and verdicts that are measured."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp import inspect
from fastbp.exceptions import DataError
from fastbp.plot import LearningRateDisplay
from fastbp.plot._descents import Descent, Descents, swings, verdicts
from fastbp.plot._learning_rate import _best, _span

X = np.random.default_rng(0).normal(size=(40, 2))
LINE = X @ [1.0, 3.0]
BENT = np.tanh(2 * X[:, 0]) * X[:, 1]


def linear(**options):
    """A network whose loss is quadratic: the theory of the limit 2 / lambda holds exactly."""
    return fastbp.Network([2, 1], seed=0, **{"dtype": "float64", **options})


def bent(**options):
    return fastbp.Network([2, 6, 1], activation="tanh", seed=0, **{"dtype": "float64", **options})


def drawn(net, y=LINE, **options):
    return LearningRateDisplay.from_network(net, X, y, ax=Figure().subplots(), **options)


@pytest.fixture(scope="module")
def by_default():
    return drawn(bent(), BENT)


def test_default_rates_show_the_four_cases(by_default):
    assert by_default.verdicts == ["slow", "converged", "oscillates", "diverged"]
    assert sorted(by_default.rates) == by_default.rates
    assert by_default.losses[0][-1] < 0.99 * by_default.losses[0][0]  # slow, but not as if it stood still
    ends = [losses[-1] for losses in by_default.losses]
    assert ends[1] < ends[0] < by_default.losses[0][0] < ends[3]


def test_titles_tell_verdict_rate_and_last_loss(by_default):
    for axes, rate, losses, verdict in zip(
        by_default.axes_, by_default.rates, by_default.losses, by_default.verdicts, strict=True
    ):
        assert axes.get_title() == f"{verdict}\nrate {rate:.2g}, loss {losses[-1]:.3g}"
    assert by_default.figure_.axes[-1].get_ylabel() == "loss"
    assert by_default.axes_[2].get_xlabel() == "direction to the best end"
    assert by_default.axes_[2].get_ylabel() == "direction of most curvature"


def test_descents_are_steps_of_sgd_on_all_rows():
    net = bent(optimizer="adam")
    display = drawn(net, BENT, rates=[0.1], epochs=5)
    twin = net.clone()
    twin.optimizer = fastbp.SGD(0.1)
    losses = twin.fit(X, BENT, epochs=5, batch_size=None).loss
    last = twin.evaluate(X, BENT)["loss"]
    np.testing.assert_allclose(display.losses[0], [*losses, last])
    np.testing.assert_allclose(
        display.paths[0], display.landscape.project(display_path(net, 0.1, 5)), atol=1e-9
    )


def display_path(net, rate, epochs):
    """Return the parameters (epochs + 1, P) of the descent, stepped by hand."""
    twin, path = net.clone(), [net.parameters.copy()]
    for _ in range(epochs):
        twin.parameters[:] -= rate * twin.loss_and_gradients(X, BENT)[1]
        path.append(twin.parameters.copy())
    return np.array(path)


@pytest.mark.parametrize(
    ("part", "verdict"), [(0.01, "slow"), (1, "converged"), (1.95, "oscillates"), (2.1, "diverged")]
)
def test_the_limit_of_a_quadratic_loss_is_2_by_lambda(part, verdict):
    net = linear()
    limit = inspect.hessian_eigenvalues(net, X, LINE, which="largest").values[0]
    rates = np.array([1, part]) / limit
    assert drawn(net, rates=rates).verdicts == ["converged", verdict]


def test_plane_holds_the_best_calm_path_and_the_largest_curvature():
    """The loss of two weights is the plane itself: the paths are not cut."""
    net = linear()
    display = drawn(net, rates=[0.01, 0.3])
    found = display.landscape
    twin = net.clone()
    twin.parameters[:] = found.center
    assert twin.evaluate(X, LINE)["loss"] == pytest.approx(display.losses[1].min())
    np.testing.assert_allclose(found.at(*display.paths[0][0]), net.parameters, atol=1e-9)
    way, across = found.directions
    np.testing.assert_allclose([way @ way, across @ across, way @ across], (1, 1, 0), atol=1e-9)
    vector = inspect.hessian_eigenvalues(twin, X, LINE, which="largest").vectors[0]
    normal = np.cross(way, across)
    assert abs(normal @ vector) < 1e-3  # within the tolerance of eigenvectors


def test_a_path_that_leaves_ends_the_line_not_the_picture():
    display = drawn(linear(), rates=[0.3, 1e9, 1e200, 1e300], epochs=50)
    assert display.verdicts == ["converged", *["diverged"] * 3]
    assert not np.isfinite(display.losses[2][-1])
    assert np.isfinite(display.losses[2][:-1]).all()
    display.figure_.canvas.draw()
    low, high = display.axes_[0].get_xlim()
    assert low < display.paths[0][:, 0].min() < display.paths[0][:, 0].max() < high
    assert high - low < 100
    for axes in display.axes_[1:]:
        for line in axes.lines:
            assert np.abs(line.get_xydata()).max() < 1e4


def test_network_stays_as_it_is_and_the_start_can_be_another():
    net = bent()
    net.fit(X, BENT, epochs=2)
    before, history = net.parameters.copy(), len(net.history.loss)
    start = np.linspace(-1, 1, net.n_parameters)
    display = drawn(net, BENT, rates=[0.05], epochs=3, start=start)
    np.testing.assert_array_equal(net.parameters, before)
    assert len(net.history.loss) == history
    np.testing.assert_allclose(display.landscape.project(start), display.paths[0][0], atol=1e-9)


def test_start_at_the_minimum_stays_there():
    net = linear()
    target = LINE + np.cos(np.arange(len(X)))
    net.parameters[:] = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), target, rcond=None)[0]
    display = drawn(net, target)
    assert display.verdicts[1] == "converged"
    np.testing.assert_allclose(display.paths[1], 0, atol=1e-9)


def test_weights_change_the_descent():
    weight = np.where(np.arange(len(X)) < 20, 1, 0)
    display = drawn(linear(), rates=[0.2], sample_weight=weight)
    half = LearningRateDisplay.from_network(linear(), X[:20], LINE[:20], rates=[0.2], ax=Figure().subplots())
    np.testing.assert_allclose(display.losses[0], half.losses[0], atol=1e-12)


def test_frozen_layers_stay():
    net = bent(dtype="float32")
    net.trainable = [False, True]
    path = Descents(net, X, BENT, None, net.parameters, 4).descend(0.1).path
    frozen = net.layers[0].n_parameters
    np.testing.assert_array_equal(path[:, :frozen], np.tile(net.parameters[:frozen], (5, 1)))
    assert path[-1, frozen:] != pytest.approx(net.parameters[frozen:])
    assert drawn(net, BENT, rates=[0.1], epochs=4).paths[0].shape == (5, 2)


@pytest.mark.parametrize(("n", "shape"), [(1, 1), (2, 2), (3, 4), (5, 6)])
def test_one_panel_per_rate(n, shape):
    display = drawn(linear(), rates=[0.1] * n, epochs=2)
    assert len(display.axes_) == shape
    assert [axes.axison for axes in display.axes_] == [True] * n + [False] * (shape - n)


def descent(*losses, turn=1):
    """Return a descent in one parameter that goes on, or to and fro."""
    steps = np.cumprod(np.full(len(losses) - 1, float(turn)))
    path = np.concatenate([[0], steps.cumsum()])[:, None]
    return Descent(0.1, path, np.array(losses, float), swings(path))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (descent(10, *[1] * 20), "converged"),
        (descent(10, *np.linspace(9, 0, 20)), "still falling"),
        (descent(10, *[8] * 20), "slow"),
        (descent(10, 5, 0), "still falling"),
        (descent(10, *[1] * 20, turn=-1), "oscillates"),
        (descent(10, *[1] * 20, turn=-0.5), "converged"),  # it has stopped swinging
        (descent(10, 5, np.inf), "diverged"),
        (descent(10, 30, 9.5), "diverged"),
        (descent(10, 30, 1, 0, turn=-1), "oscillates"),
        (descent(10, 10 + 1e-9, 10), "slow"),  # rounding
    ],
)
def test_verdicts(found, verdict):
    assert verdicts([found, descent(10, *[0] * 20)])[0] == verdict


def test_calm_paths_rule_the_picture():
    """A descent that oscillates may end lowest; it shows where it is near, and one that diverges does not."""
    calm, swinging = descent(10, *[1] * 20), descent(10, *[0] * 20, turn=-1)
    assert _best([swinging, calm], ["oscillates", "converged"]) is calm
    paths = [
        np.array([[-1, 0], [0, 0]]),
        np.array([[-1, 0], [-1, 1], [0, -1e6]]),
        np.array([[-1, 0], [1e9, 0]]),
    ]
    (left, right), (low, high) = _span(paths, ["converged", "oscillates", "diverged"])
    assert -2 < left < -1 < 0 < right < 1
    assert -4 < low < -1 < 1 < high < 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rates": []}, fastbp.ParameterError, r"rates is \[\], expected 1 to 12 learning rates"),
        ({"rates": [0.1] * 13}, fastbp.ParameterError, "expected 1 to 12 learning rates"),
        ({"rates": "fast"}, fastbp.ParameterError, "rates is 'fast'"),
        ({"rates": [0.1, 0]}, fastbp.ParameterError, r"rates\[1\] is 0, expected a finite number > 0"),
        ({"epochs": 0}, fastbp.ParameterError, "epochs is 0"),
        ({"start": [1, 2]}, fastbp.ShapeError, r"start has shape \(2,\), expected \(3,\)"),
        ({"start": [1, 2, np.inf]}, fastbp.DataError, "start has numbers that are NaN or infinite"),
        ({"start": [1e200] * 3, "rates": [1]}, fastbp.DataError, "the loss at the start is infinite"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        drawn(linear(), **options)


def test_networks_without_a_plane_or_curvature():
    one = fastbp.Network([2, fastbp.Dense(1, "identity", bias=False)], seed=0)
    assert drawn(one, rates=[0.1]).verdicts == ["converged"]
    single = fastbp.Network([1, fastbp.Dense(1, "identity", bias=False)], seed=0)
    with pytest.raises(fastbp.ParameterError, match="net has one parameter, expected at least two"):
        LearningRateDisplay.from_network(single, X[:, :1], LINE)
    with pytest.raises(fastbp.ParameterError, match="rates is None where the loss has no curvature"):
        LearningRateDisplay.from_network(one, np.zeros((3, 2)), np.zeros(3))


def saturated(dtype="float64"):
    """Return a network whose loss stays finite, whatever its parameters are."""
    return fastbp.Network([2, 1], output_activation="sigmoid", dtype=dtype, seed=0)


@pytest.mark.parametrize(("dtype", "rate"), [("float32", 1e38), ("float64", 1e200)])
def test_enormous_rates_are_drawn(dtype, rate, ax):
    """Parameters so large that their squares overflow, or that are infinite, where the loss is finite."""
    x, y = np.full((2, 2), 1e3), np.zeros(2)
    net = saturated(dtype)
    net.parameters[:] = 1e-4
    display = LearningRateDisplay.from_network(net, x, y, rates=[rate], epochs=2, ax=ax)
    assert display.losses[0][0] == pytest.approx(net.evaluate(x, y, metrics=())["loss"])
    np.testing.assert_allclose(
        display.landscape.directions @ display.landscape.directions.T, np.eye(2), atol=1e-9
    )


def test_infinite_parameters_are_an_error():
    net = saturated()
    net.parameters[0] = np.inf
    with pytest.raises(DataError, match="net has parameters that are NaN or infinite"):
        LearningRateDisplay.from_network(net, np.ones((2, 2)), np.ones(2), rates=[1], epochs=2)
