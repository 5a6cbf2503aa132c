"""Each finding of `fastbp.inspect.diagnose` is found where it was put, and its remedy works."""

import contextlib
import re

import numpy as np
import pytest

import fastbp
from fastbp import CustomActivation, Dense, Network, ParameterError
from fastbp.inspect import THRESHOLDS, diagnose
from fastbp.inspect._diagnosis.findings import CONSEQUENCES, RULES
from fastbp.inspect._diagnosis.next_step import next_step
from fastbp.inspect._diagnosis.slopes import slope_facts
from fastbp.inspect._probe import Probe
from helpers import sick
from helpers.paths import ROOT

KINDS = {*sick.SICK.values()}
WITHOUT_REMEDY = {"constant targets", "loss not moving"}


def found_in(case, net=None):
    X_val, y_val = case.validation or (None, None)
    found = diagnose(case.net if net is None else net, case.X, case.y, X_val=X_val, y_val=y_val).findings
    return {finding.kind: finding for finding in found}


def error(case, net):
    """Return the loss of classes, or the mean squared error in the units of the data; NaN is infinite."""
    X, y = case.validation or (case.X, case.y)
    loss = np.mean((net.predict(X) - y) ** 2) if y.ndim == 2 else net.evaluate(X, y, [])["loss"]
    return np.nan_to_num(loss, nan=np.inf)


def trained(case, net):
    """Train for a short time, if that is possible at all."""
    with contextlib.suppress(fastbp.exceptions.Error):
        case.train(net)
    return error(case, net)


@pytest.mark.parametrize(
    ("make", "kind"), sick.SICK.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_finding_is_found_and_its_remedy_works(make, kind):
    """Afterwards the finding is gone, and the same training gets further."""
    case = make()
    before = case.net.parameters.copy()
    found = found_in(case)
    assert list(found) == [kind]
    finding = found[kind]
    assert finding.cause
    assert finding.evidence
    assert finding.remedy
    np.testing.assert_array_equal(case.net.parameters, before)
    assert finding.is_mechanical == (kind not in WITHOUT_REMEDY)
    if not finding.is_mechanical:
        with pytest.raises(ParameterError, match=kind):
            finding.apply(case.net)
        return
    cured = finding.apply(case.net)
    np.testing.assert_array_equal(case.net.parameters, before)
    if kind == "constant derivative":  # one layer is as good as several
        np.testing.assert_allclose(cured.predict(case.X), case.net.predict(case.X), atol=1e-5)
        assert trained(case, cured) < error(case, case.net)
    else:
        assert trained(case, cured) < 0.95 * trained(case, case.net.clone())
    assert kind not in found_in(case, cured)


def test_every_rule_has_a_case():
    assert len(RULES) + 1 == len(KINDS)
    assert CONSEQUENCES.keys() <= KINDS
    assert {kind for hidden in CONSEQUENCES.values() for kind in hidden} <= KINDS


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the documentation is not beside these tests")
def test_the_guide_has_a_line_for_every_kind():
    text = (ROOT / "docs" / "guide" / "inspect.md").read_text()
    rows = ", ".join(re.findall(r"^\| (.+?) \|", text, re.MULTILINE))
    rows = rows.replace("learning rate too high, too low", "learning rate too high, learning rate too low")
    assert {*rows.split(", ")} >= KINDS


def test_only_a_derivative_that_is_used_can_be_wrong():
    """Any slope at a kink is right, and so are wrong ones where no z occurs."""

    def derivative(z):
        return np.where(z >= 0, 1.0, 0.0) + (z > 6)

    X, y = sick.classes()
    relu = CustomActivation(lambda z: np.maximum(z, 0), derivative)
    net = sick.classifier(activation=relu)
    assert diagnose(net, X, y).is_healthy
    assert "wrong derivative" not in [finding.kind for finding in diagnose(net, X * 0, y).findings]
    found = [(finding.kind, finding.layer) for finding in diagnose(net, X * 5, y).findings]
    assert found[0] == ("wrong derivative", 1)
    sine = sick.classifier(activation=CustomActivation(np.sin, np.cos))
    assert [finding.kind for finding in diagnose(sine, X * 1e9, y).findings] == ["unscaled inputs"]


@pytest.mark.parametrize("network_class", [Network, fastbp.reference.Network])
def test_all_else_is_kept(network_class):
    class Named(network_class):
        pass

    loss = fastbp.losses.CrossEntropy(0.1)
    optimizer = fastbp.SGD(1e-9, momentum=0.5, clip_norm=3.0)
    layers = [6, fastbp.Dense(16, "tanh", l2=1e-3, dropout=0.25), fastbp.Dense(3, bias=False)]
    net = Named(layers, loss=loss, optimizer=optimizer, dtype="float64", seed=8, input_noise=0.1)
    X, y = sick.classes()
    net.adapt(X)
    net.feature_names, net.class_names = list("abcdef"), ("low", "middle", "high")
    net.remark = ["kept"]
    net.fit(X, y, epochs=1)
    (finding,) = diagnose(net, X, y).findings
    other = finding.apply(net)
    assert type(other) is Named
    assert other.remark == net.remark
    assert other.remark is not net.remark
    for name in ("layers", "loss", "dtype", "seed", "input_noise", "feature_names", "class_names"):
        assert getattr(other, name) == getattr(net, name)
    np.testing.assert_array_equal(other.parameters, net.parameters)
    np.testing.assert_array_equal(other.input_mean, net.input_mean)
    assert other.optimizer == optimizer.with_learning_rate(other.learning_rate)
    assert other.learning_rate > 1e-3
    assert len(other.history) == 0 < len(net.history)


def test_frozen_layers_keep_their_weights():
    case = sick.saturated_sigmoids()
    case.net.trainable = [False, True, True]
    found = {finding.kind: finding for finding in diagnose(case.net, case.X, case.y).findings}
    cured = found["saturated sigmoids"].apply(case.net)
    np.testing.assert_array_equal(cured.weights[0], case.net.weights[0])
    assert np.abs(cured.weights[1]).max() < 1 < np.abs(case.net.weights[1]).max()


def test_apply_takes_the_diagnosed_network_only():
    case = sick.vanishing_gradient()
    (finding,) = diagnose(case.net, case.X, case.y).findings
    with pytest.raises(ParameterError, match=r"net has layers of the sizes .*expected"):
        finding.apply(Network([6, 3]))
    with pytest.raises(ParameterError, match=r"net is a str, expected a fastbp\.Network"):
        finding.apply("net")


def test_only_targets_that_can_be_scaled_are_scaled():
    case = sick.unscaled_targets()
    finding = found_in(case)["unscaled targets"]
    with pytest.raises(ParameterError, match="targets can be scaled"):
        finding.apply(sick.regression(loss="hinge"))


def test_scaling_of_sparse_inputs_keeps_zeros():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    X, y = sick.classes()
    X = scipy_sparse.csr_array(np.where(X > 0, 300 * X, 0))
    (finding,) = diagnose(sick.classifier(), X, y).findings
    assert finding.kind == "unscaled inputs"
    cured = finding.apply(sick.classifier())
    np.testing.assert_array_equal(cured.input_mean, 0)
    expected = sick.classifier()
    expected.adapt(X, center=False)
    np.testing.assert_array_equal(cured.input_scale, expected.input_scale)
    assert diagnose(cured, X, y).is_healthy


def test_a_long_name_is_short_in_a_finding():
    X, y = sick.classes()
    net = sick.classifier()
    net.feature_names = ["\ud800" + "x" * 1000, *map(str, range(1, X.shape[1]))]
    X[:, 0] *= 1000
    (finding,) = diagnose(net, X, y).findings
    assert "RMS of the input '\\ud800xxx" in finding.evidence
    assert len(finding.evidence) < 300


def test_losses_that_rise_are_a_learning_rate_too_high():
    net, (X, y) = sick.classifier(), sick.classes()
    falling = fastbp.History({"loss": [1, 0.5, 0.3, 0.2, 0.1, 0.11, 0.1]})
    rising = fastbp.History({"loss": [1, 0.5, 0.3, 0.2, 0.6, 0.5, 0.7]})
    assert diagnose(net, X, y, history=falling).is_healthy
    (finding,) = diagnose(net, X, y, history=rising).findings
    assert finding.kind == "learning rate too high"
    assert "risen" in finding.evidence
    assert finding.apply(net).learning_rate == pytest.approx(net.learning_rate / 10)


def test_validation_losses_that_rise_are_overfitting():
    net, (X, y) = sick.classifier(), sick.classes()
    loss, nan = [1, 0.5, 0.3, 0.2, 0.1, 0.05], float("nan")
    for measured, kinds in [
        ([1, 0.6, 0.5, 0.5, 0.51, 0.52], []),
        ([1, 0.6, 0.5, 0.7, 0.8, 0.9], ["overfitting"]),
        ([1, 0.6, nan, 0.7, 0.8, 0.9], ["overfitting"]),
        ([1, nan, nan, nan, nan, 1.9], []),
    ]:
        history = fastbp.History({"loss": loss, "validation_loss": measured})
        assert [f.kind for f in diagnose(net, X, y, history=history).findings] == kinds
    near_0 = {"loss": np.linspace(1, -1, 6), "validation_loss": [0.02, -0.6, -0.7, -0.68, -0.69, -0.67]}
    assert diagnose(net, X, y, history=fastbp.History(near_0)).is_healthy
    both_rise = {"loss": [1, 0.5, 0.3, 0.32, 0.34, 0.36], "validation_loss": [1, 0.6, 0.5, 0.7, 0.8, 0.9]}
    assert diagnose(net, X, y, history=fastbp.History(both_rise)).is_healthy


def test_a_bottleneck_of_linear_units_is_no_finding():
    X, y = sick.classes()
    layers = [6, fastbp.Dense(16, "tanh"), fastbp.Dense(2, "identity"), 16, 3]
    assert diagnose(Network(layers, loss="cross_entropy", seed=1), X, y).is_healthy


def test_l2_counts_as_curvature():
    """The penalty alone makes steps too long."""
    X, y = sick.numbers()
    layers = [6, fastbp.Dense(16, l2=500.0), 1]
    (finding,) = diagnose(Network(layers, seed=1, optimizer=fastbp.SGD(0.01)), X, y).findings
    assert finding.kind == "learning rate too high"
    assert "Hessian 5" in finding.evidence


def test_frozen_layers_do_not_count_as_curvature():
    X, y = sick.numbers()
    net = Network([6, fastbp.Dense(16, l2=500.0), 1], seed=1, optimizer=fastbp.SGD(0.01))
    net.trainable = [False, True]
    assert diagnose(net, X, y).is_healthy
    net.learning_rate_factors = [1.0, 100.0]
    assert [f.kind for f in diagnose(net, X, y).findings] == ["learning rate too high"]
    net = Network([6, 16, 1], seed=1, optimizer=fastbp.SGD(0.01))
    net.weights[1][:] *= 20  # steep in the first layer
    assert [f.kind for f in diagnose(net, X, y).findings] == ["learning rate too high"]
    net.trainable = [False, True]
    assert diagnose(net, X, y).is_healthy


def test_small_steps_are_no_fault_of_a_network_that_has_learned():
    net, (X, y) = sick.classifier(), sick.classes()
    net.fit(X, y, epochs=40)
    for optimizer in (fastbp.SGD(1e-9), fastbp.Adam(1e-9)):
        net.optimizer = optimizer
        assert diagnose(net, X, y).is_healthy


def test_saturation_is_no_fault_where_it_is_right():
    """A sharp edge needs large weights."""
    X = np.linspace(-1, 1, 100)[:, None]
    net = Network([1, 4, 1], activation="tanh", loss="binary_cross_entropy", seed=1)
    net.weights[0][:] = [100, 150, 200, 250]
    net.weights[1][:] = 2
    found = diagnose(net, X, X > 0)
    assert found.is_healthy
    assert found.layers[0].saturated > 0.9
    assert diagnose(net, X, X < 0).findings[0].kind == "saturated sigmoids"


def test_gradients_of_frozen_layers_may_vanish():
    case = sick.vanishing_gradient()
    case.net.trainable = [False] * 7 + [True] * 2
    assert diagnose(case.net, case.X, case.y).is_healthy


def test_weights_are_drawn_by_the_initializers_that_suit_the_activations():
    layers = [6, *[Dense(16, initializer="glorot_normal")] * 5, 3]
    net = Network(layers, loss="cross_entropy", seed=3)
    for W in net.weights:
        W *= 10
    X, y = sick.classes()
    (finding,) = diagnose(net, X, y).findings
    cured = finding.apply(net)
    assert cured.optimizer == net.optimizer.__replace__(clip_norm=1.0)
    usual = Network([6, *[16] * 5, 3], loss="cross_entropy", seed=3)
    np.testing.assert_array_equal(cured.parameters, usual.parameters)


def test_every_threshold_has_a_unit_and_a_source():
    for name, threshold in THRESHOLDS.items():
        assert threshold.value > 0, name
        assert all([threshold.unit, threshold.source]), name
    with pytest.raises(TypeError):
        THRESHOLDS["dead_share"] = THRESHOLDS["swing"]


def test_what_kind_of_derivative_an_activation_has():
    found = {name: slope_facts(f) for name, f in fastbp.activations.ACTIVATIONS.items()}
    sigmoidal = {"sigmoid", "tanh", "softsign", "hard_sigmoid", "hard_tanh", "gaussian"}
    assert {name for name, facts in found.items() if facts.is_sigmoidal} == sigmoidal
    assert {name for name, facts in found.items() if facts.is_constant} == {"identity", "step"}
    assert {name for name, facts in found.items() if facts.is_zero} == {"step"}
    largest = {"sigmoid": 0.25, "tanh": 1, "exponential": 1, "hard_sigmoid": 1 / 6, "sine": 1}
    for name, expected in largest.items():
        assert found[name].largest == pytest.approx(expected, rel=0.02)


def test_targets_of_one_column_may_be_constant_and_counts_large():
    X, y = sick.numbers()
    assert diagnose(sick.regression().replace_output(2), X, np.hstack([y, y * 0])).is_healthy
    net = Network([6, 8, 1], loss="poisson", seed=1)
    assert diagnose(net, X, np.floor(100 * np.abs(y))).is_healthy


def test_all_hidden_layers_become_relu():
    """The last one as well, where the loss goes with the output activation."""
    case = sick.vanishing_gradient()
    cured = found_in(case)["vanishing gradient"].apply(case.net)
    assert [layer.activation.name for layer in cured.layers] == ["relu"] * 8 + ["softmax"]


def test_a_loss_below_zero_is_measured_from_that_of_perfect_outputs():
    """Poisson's loss lacks a term of the targets only, so a constant output has less than 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5))
    y = rng.poisson(np.exp(0.8 * X[:, 0] + 1)).astype(float)
    net = Network([5, 16, 1], loss="poisson", seed=0, optimizer=fastbp.Adam(0.003))
    assert diagnose(net, X, y, X_val=X, y_val=y).is_healthy
    net.biases[-1][:], net.weights[-1][:] = np.log(y.mean()), net.weights[-1] * 0.001
    found = diagnose(net, X, y, history=fastbp.History({"loss": [net.evaluate(X, y)["loss"]] * 12}))
    assert found.baseline < 0
    assert [f.kind for f in found.findings] == ["loss not moving"]
    net.optimizer = fastbp.Adam(1e-8)
    assert [f.kind for f in diagnose(net, X, y).findings] == ["learning rate too low"]


def test_no_quotients_take_the_place_of_a_derivative_that_stands_in_for_that_of_steps():
    X, y = sick.numbers()
    steps = CustomActivation(np.sign, lambda z: 1 - np.tanh(z) ** 2)
    (finding,) = diagnose(sick.regression(activation=steps), X, y).findings
    assert finding.kind == "wrong derivative"
    assert not finding.is_mechanical
    assert "consists of steps" in finding.remedy


def test_a_gradient_that_vanishes_by_saturation_alone_is_no_finding_of_its_own():
    X, y = sick.numbers()
    net = sick.regression(hidden=(16,), activation="tanh")
    assert [f.kind for f in diagnose(net, X + 1000, y).findings] == ["unscaled inputs"]
    net.weights[0][:] *= 1e4
    assert [f.kind for f in diagnose(net, X, y).findings] == ["saturated sigmoids"]


def test_relus_of_weights_that_are_all_zero_are_not_dead():
    net = sick.classifier()
    net.parameters[:] = 0
    assert [f.kind for f in diagnose(net, *sick.classes()).findings] == ["symmetric weights"]


def test_a_gradient_that_overflows_has_no_ratio():
    net = sick.classifier(hidden=[16] * 5)
    for W in net.weights:
        W *= 1e9
    (finding,) = diagnose(net, *sick.classes()).findings
    assert finding.kind == "exploding gradient"
    assert "too large for the data type" in finding.evidence
    assert "times as much" not in finding.evidence


def test_momentum_leaves_less_room_beyond_the_limit_of_stability():
    X, y = sick.numbers()
    rate = 3 / next_step_of(sick.regression(optimizer=fastbp.SGD(1.0)), X, y).curvature
    assert diagnose(sick.regression(optimizer=fastbp.SGD(rate)), X, y).is_healthy
    net = sick.regression(optimizer=fastbp.SGD(1.5 * rate, momentum=0.5))  # the same relative to the limit
    (finding,) = diagnose(net, X, y).findings
    assert finding.kind == "learning rate too high"
    assert "eigenvalue" in finding.evidence


def next_step_of(net, X, y):
    probe = Probe(net)
    return next_step(net, probe, probe.examples(X, y), np.zeros_like(probe.parameters))
