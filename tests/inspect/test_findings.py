"""Each finding of `fastbp.inspect.diagnose` is found where it was put, and its remedy works."""

import numpy as np
import pytest

import fastbp
from fastbp import Network, ParameterError
from fastbp.activations import Activation
from fastbp.inspect import THRESHOLDS, diagnose
from fastbp.inspect._findings import CONSEQUENCES, RULES
from helpers import sick

WITHOUT_REMEDY = {"constant targets", "wrong derivative"}


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
    try:
        net.fit(case.X, case.y, epochs=case.epochs)
    except fastbp.exceptions.Error:
        pass
    return error(case, net)


@pytest.mark.parametrize(("make", "kind"), sick.SICK.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_finding_is_found_and_its_remedy_works(make, kind):
    """Afterwards the finding is gone, and the same training gets further."""
    case = make()
    before = case.net.parameters.copy()
    found = found_in(case)
    assert list(found) == [kind]
    finding = found[kind]
    assert finding.cause and finding.evidence and finding.remedy
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
    kinds = {*sick.SICK.values(), "wrong derivative"}
    assert len(RULES) == len(kinds)
    assert CONSEQUENCES.keys() <= kinds
    assert {kind for hidden in CONSEQUENCES.values() for kind in hidden} <= kinds


class Wrong(Activation):
    """tanh with the wrong sign in its derivative."""

    name: str = fastbp._base.fields.fixed("tanh")

    def derivative(self, x):
        return -super().derivative(x)


def test_a_wrong_derivative():
    net = sick.classifier(activation=Wrong())
    found = diagnose(net, *sick.classes()).findings
    assert [(f.kind, f.layer) for f in found] == [("wrong derivative", 1)]
    assert "at z = " in found[0].evidence and not found[0].is_mechanical


class Relu(Activation):
    """relu, whose derivative at the kink is 1 here."""

    name: str = fastbp._base.fields.fixed("relu")

    def derivative(self, x):
        return np.where(np.asarray(x) >= 0, 1.0, 0.0)


def test_any_slope_at_a_kink_is_right():
    X, y = sick.classes()
    found = diagnose(sick.classifier(activation=Relu()), X * 0, y).findings
    assert "wrong derivative" not in [finding.kind for finding in found]


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
    assert type(other) is Named and other.remark == net.remark and other.remark is not net.remark
    for name in ("layers", "loss", "dtype", "seed", "input_noise", "feature_names", "class_names"):
        assert getattr(other, name) == getattr(net, name)
    np.testing.assert_array_equal(other.parameters, net.parameters)
    np.testing.assert_array_equal(other.input_mean, net.input_mean)
    assert other.optimizer == optimizer.with_learning_rate(other.learning_rate)
    assert other.learning_rate > 1e-3 and len(other.history) == 0 < len(net.history)


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
    with pytest.raises(ParameterError, match="net is a str, expected a fastbp.Network"):
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


def test_losses_that_rise_are_a_learning_rate_too_high():
    net, (X, y) = sick.classifier(), sick.classes()
    falling = fastbp.History({"loss": [1, 0.5, 0.3, 0.2, 0.1, 0.11, 0.1]})
    rising = fastbp.History({"loss": [1, 0.5, 0.3, 0.2, 0.6, 0.5, 0.7]})
    assert diagnose(net, X, y, history=falling).is_healthy
    (finding,) = diagnose(net, X, y, history=rising).findings
    assert finding.kind == "learning rate too high" and "risen" in finding.evidence
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


def test_a_bottleneck_of_linear_units_is_no_finding():
    X, y = sick.classes()
    layers = [6, fastbp.Dense(16, "tanh"), fastbp.Dense(2, "identity"), 16, 3]
    assert diagnose(Network(layers, loss="cross_entropy", seed=1), X, y).is_healthy


def test_l2_counts_as_curvature():
    """The penalty alone makes steps too long."""
    X, y = sick.numbers()
    layers = [6, fastbp.Dense(16, l2=500.0), 1]
    (finding,) = diagnose(Network(layers, seed=1, optimizer=fastbp.SGD(0.01)), X, y).findings
    assert finding.kind == "learning rate too high" and "Hessian 5" in finding.evidence


def test_frozen_layers_do_not_count_as_curvature():
    X, y = sick.numbers()
    net = Network([6, fastbp.Dense(16, l2=500.0), 1], seed=1, optimizer=fastbp.SGD(0.01))
    net.trainable = [False, True]
    assert diagnose(net, X, y).is_healthy
    net.learning_rate_factors = [1.0, 100.0]
    assert [f.kind for f in diagnose(net, X, y).findings] == ["learning rate too high"]


def test_every_threshold_has_a_unit_and_a_source():
    for name, threshold in THRESHOLDS.items():
        assert threshold.value > 0 and threshold.unit and threshold.source, name
