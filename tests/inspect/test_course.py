"""What only the course of the losses shows, and what does not alarm."""

import numpy as np
import pytest

import fastbp
from fastbp.inspect import diagnose
from helpers import sick
from helpers.isas import using

NOISE = np.random.default_rng(0).standard_normal(40)


def kinds(losses, net=None, **options):
    net = net or sick.classifier(**options)
    return [f.kind for f in diagnose(net, *sick.classes(), history=fastbp.History({"loss": losses})).findings]


def test_a_loss_that_does_not_move_is_found():
    still = 1.1 + 0.001 * NOISE
    history = fastbp.History({"loss": still[:10]})
    (finding,) = diagnose(sick.classifier(), *sick.classes(), history=history).findings
    assert finding.kind == "loss not moving"
    assert "In 10 epochs, the loss has gone from 1.1 to 1.1" in finding.evidence
    assert not finding.is_mechanical
    assert kinds(still[:9]) == []  # too early to tell
    assert kinds([1.2, *still]) == []  # it has moved
    trained = sick.classifier()
    trained.fit(*sick.classes(), epochs=30)
    assert kinds(still, trained) == []  # better than a constant: it may have converged


def test_another_finding_says_why_it_does_not_move():
    assert kinds(1.1 + 0.001 * NOISE, sick.dead_relus().net) == ["dead relus"]


def test_a_loss_that_hardly_falls_is_a_learning_rate_too_low():
    net = sick.classifier()
    history = fastbp.History({"loss": np.linspace(1.1, 1.095, 12)})
    (finding,) = diagnose(net, *sick.classes(), history=history).findings
    assert finding.kind == "learning rate too low"
    assert "fallen in each of 12 epochs, but only from 1.1 to 1.095" in finding.evidence
    assert finding.apply(net).learning_rate == pytest.approx(10 * net.learning_rate)
    assert kinds(np.linspace(1.1, 1.08, 12)) == []


def test_a_loss_that_swings_is_found():
    fall = np.geomspace(1, 0.5, 30)
    swinging = fall + 0.1 * (-1) ** np.arange(30)
    net = sick.classifier()
    (finding,) = diagnose(net, *sick.classes(), history=fastbp.History({"loss": swinging})).findings
    assert finding.kind == "loss oscillating"
    assert "In the last 20 epochs, the loss turned after 19 rises or falls" in finding.evidence
    assert finding.apply(net).learning_rate == pytest.approx(net.learning_rate / 3, rel=0.2)
    assert kinds(fall) == kinds(fall + 0.02 * NOISE[:30]) == []  # noise
    assert kinds(fall + 0.1 * (np.arange(30) % 15 == 7)) == []  # two peaks


def test_a_real_fit_swings_and_the_remedy_works():
    X, y = sick.numbers()
    with using("baseline"):  # such a fit is chaotic: here it has the same bits on every processor
        net = fastbp.Network([6, 16, 16, 1], activation="tanh", seed=3, optimizer=fastbp.Adam(0.1))
        net.fit(X, y, epochs=30, batch_size=4)
        found = diagnose(net, X, y).findings
        (finding,) = (finding for finding in found if finding.kind == "loss oscillating")
        cured = finding.apply(net)
        cured.fit(X, y, epochs=30, batch_size=4)
        assert finding.kind not in {each.kind for each in diagnose(cured, X, y).findings}
    assert cured.history.loss[-1] < 0.5 * net.history.loss[-1]


def test_a_real_fit_hardly_falls():
    """Steps are measured, too, but the course alone shows it, if those of the next step are inconspicuous."""
    X, y = sick.numbers()
    net = fastbp.Network([6, 16, 16, 1], seed=3, optimizer=fastbp.Adam(2e-5))
    net.fit(X, y, epochs=12, batch_size=None)
    (finding,) = diagnose(net, X, y).findings
    assert finding.kind == "learning rate too low"
    assert "fallen in each of 12 epochs" in finding.evidence


def test_targets_that_have_nothing_to_do_with_the_inputs():
    X, y = sick.numbers(600)
    net = fastbp.Network([6, 2, 1], activation="tanh", seed=3, optimizer=fastbp.SGD(0.002), dtype="float64")
    net.weights[-1][:] *= 0.01
    net.fit(X, y[np.random.default_rng(0).permutation(600)], epochs=12, batch_size=100)
    found = diagnose(net, X, y[np.random.default_rng(0).permutation(600)]).findings
    assert [f.kind for f in found] == ["loss not moving"]


def test_losses_that_may_be_negative_are_measured_by_their_fall():
    """A likelihood passes 0, so its first value says nothing about how large a swing is."""
    fall = np.geomspace(1, 0.1, 30) - 0.9  # from 0.1 to -0.8
    assert kinds(fall + 0.02 * (-1) ** np.arange(30)) == []
    assert kinds(fall + 0.1 * (-1) ** np.arange(30)) == ["loss oscillating"]


def test_noise_of_a_loss_that_has_hardly_fallen_is_no_rise():
    """As with dropout in the first epochs."""
    assert kinds([0.74, 0.73, 0.69, 0.72, 0.73]) == []  # 80 % of a fall of 0.05
    assert kinds([1, 0.9, 0.5, 0.8, 0.52]) == []  # one bad epoch
    assert kinds([1, 0.9, 0.5, 0.8, 0.82, 0.9]) == ["learning rate too high"]


def test_the_curvature_of_a_loss_made_of_lines_says_nothing_about_small_steps():
    X, y = sick.numbers()
    for loss in ("mae", fastbp.losses.Quantile(0.3)):
        net = sick.regression(activation="sigmoid", loss=loss, optimizer=fastbp.SGD(0.01))
        assert diagnose(net, X, y).is_healthy
        net.fit(X, y, epochs=150, batch_size=4)
        assert diagnose(net, X, y).is_healthy
        net = sick.regression(loss=loss, optimizer=fastbp.SGD(1e-6))
        assert [f.kind for f in diagnose(net, X, y).findings] == ["learning rate too low"]


def test_the_next_step_of_momentum_is_no_longer_than_it_is():
    """At the start, momentum has gathered nothing yet."""
    X, y = sick.numbers()
    net = sick.regression(optimizer=fastbp.SGD(0.05, momentum=0.9))
    net.weights[-1][:] *= 3
    (first, *_), W = diagnose(net, X, y).layers, net.weights[0].copy()
    net.train_on_batch(X, y)
    expected = np.linalg.norm(net.weights[0] - W) / np.linalg.norm(W)
    assert first.update_ratio == pytest.approx(expected, rel=1e-5)
    (first, *_), W = diagnose(net, X, y).layers, net.weights[0].copy()
    net.train_on_batch(X, y)  # now with momentum
    expected = np.linalg.norm(net.weights[0] - W) / np.linalg.norm(W)
    assert first.update_ratio == pytest.approx(expected, rel=1e-5)
