"""The example of reinforcement learning: its physics, its mathematics, and that it learns."""

import re

import numpy as np
import pytest

import fastbp
import policy_gradient as example
from helpers.differences import central_differences


def test_a_pendulum_left_alone_keeps_its_energy(monkeypatch):
    monkeypatch.setattr(example, "SECONDS", 1e-4)
    pendulums = example.Pendulums(np.array([0.5, 2.0, np.pi]), np.array([0.0, 1.0, 0.0]))

    def energy():  # of a rod: its moment of inertia is 1/3
        return pendulums.speed**2 / 6 + example.GRAVITY * np.cos(pendulums.angle) / 2

    before = energy()
    for _ in range(10_000):
        rewards = pendulums.step(np.zeros(3))
    np.testing.assert_allclose(energy(), before, atol=1e-2)
    assert rewards[2] == pytest.approx(-1)
    np.testing.assert_allclose(pendulums.observe()[2], [-1, 0, 0], atol=1e-6)


def test_the_motor_alone_cannot_lift_it():
    pendulum = example.Pendulums(np.array([np.pi]), np.array([0.0]))
    heights = []
    for _ in range(400):
        pendulum.step(example.TORQUES[-1:])
        heights.append(np.cos(pendulum.angle[0]))
    assert -0.75 < max(heights) < -0.5  # it swings to about twice the angle at which it would rest


def test_the_loss_has_this_derivative(rng):
    """Some actions have moved far enough to be clipped, in either direction."""
    logits, actions = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    now = example.log_softmax(logits)[np.arange(40), actions]
    old, advantages = now + rng.normal(scale=0.3, size=40), rng.normal(size=40)
    _, d_logits = example.policy_loss(logits, actions, old, advantages)
    loss = lambda: example.policy_loss(logits, actions, old, advantages)[0]  # noqa: E731
    numerical = central_differences(loss, logits, 1e-6)
    np.testing.assert_allclose(d_logits, numerical, atol=1e-9)
    is_clipped = np.abs(d_logits).max(axis=1) < 0.01 / 40
    assert 0 < is_clipped.sum() < 40


def test_advantages_are_the_sums_of_their_definition(rng):
    critic = fastbp.Network([3, 4, 1], dtype="float64", seed=0)
    seen, rewards = rng.normal(size=(6, 2, 3)), rng.normal(size=(5, 2))
    experience = example.Experience(seen[:5], np.zeros(0), np.zeros(0), rewards, seen[5])
    values = critic.predict(seen.reshape(-1, 3)).reshape(6, 2)
    surprise = rewards + example.DISCOUNT * values[1:] - values[:-1]
    decay = example.DISCOUNT * example.TRACE
    expected = [sum(decay ** (j - i) * surprise[j] for j in range(i, 5)) for i in range(5)]
    advantages, targets = example.advantages_of(experience, critic)
    np.testing.assert_allclose(advantages, expected, rtol=1e-12)
    np.testing.assert_allclose(targets, values[:-1] + expected, rtol=1e-12)


def test_choices_have_the_probabilities_of_the_logits(rng):
    logits = np.tile(np.log([0.2, 0.5, 0.3]), (20_000, 1))
    counts = np.bincount(example.choose(logits, rng), minlength=3)
    np.testing.assert_allclose(counts / 20_000, [0.2, 0.5, 0.3], atol=0.02)


def test_learns():
    policy, returns = example.train(seed=0, episodes=18)
    assert returns[0] < -50
    assert returns[-1] > 100  # it was 139 or more with any of six seeds on any path, six episodes earlier
    assert policy.input_mean is not None


def test_describes_when_it_stands():
    rising = np.array([-1, 0.99, 0.2, 0.97, 1.0])
    assert example.describe(rising) == "stands after 0.2 s"
    assert example.describe(rising[:3]) == "does not stay upright"
    assert example.describe(rising[3:]) == "stands after 0.0 s"


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(example, "EPISODE", 20)


def test_prints_and_draws(short, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "return.png"
    assert example.main(["--episodes", "10", "--seeds", "2", "--output", str(picture)]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^seed (\d), episode 10: return -?\d+\.\d$", out, re.MULTILINE) == ["0", "1"]
    assert re.findall(
        r"^seed (\d): \d+\.\d s, return .*; started at rest, the pendulum ", out, re.MULTILINE
    ) == [*("0", "1")]
    assert out.endswith(f"picture: {picture}\n")
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("no_matplotlib")
def test_works_without_matplotlib(short, tmp_path, capsys):
    picture = tmp_path / "return.png"
    assert example.main(["--episodes", "1", "--seeds", "1", "--output", str(picture)]) == 0
    assert 'no picture without Matplotlib: pip install "fastbp[plot]"' in capsys.readouterr().out
    assert not picture.exists()


@pytest.mark.parametrize("option", ["--episodes", "--seeds"])
def test_refuses_to_do_nothing(option, capsys):
    with pytest.raises(SystemExit):
        example.main([option, "0"])
    assert "must be at least 1" in capsys.readouterr().err
