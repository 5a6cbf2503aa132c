"""Reinforcement learning: swing pendulums up that are too heavy for their motors, and hold them there.

The torque alone lifts a pendulum by some 24 degrees, so it has to gather momentum first. Nobody tells the
network how: it tries, is paid for height, and what paid off becomes more probable (proximal policy
optimisation, Schulman et al. 2017, https://arxiv.org/abs/1707.06347). The task is a dozen lines of NumPy, and
so is the loss; `forward`, `backward` and `step` do the rest.
Run it: ``python examples/policy_gradient.py``
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastbp

Array: TypeAlias = NDArray[Any]

GRAVITY = 10.0  # of a rod 1 m long of 1 kg, which turns about its end
SECONDS = 0.05  # of a step of the simulation
TORQUES = np.array([-2.0, 0.0, 2.0])  # N m: what the network chooses from
FASTEST = 8.0  # rad/s
SPEED_COST, TORQUE_COST = 0.01, 0.01  # of (rad/s)^2 and of (N m)^2, where a metre of height is worth 1

PENDULUMS = 64  # at the same time
EPISODE = 200  # steps: ten seconds
EPISODES = 40

DISCOUNT = 0.98  # what the reward of the next step counts now
TRACE = 0.95  # the weight of later steps in an advantage: lambda of Schulman et al. 2015
CLIP = 0.2  # how far the probability of an action may move before it moves no further, in one episode
CURIOSITY = 0.01  # what a nat of entropy counts
PASSES, BATCH_SIZE = 4, 256
LEARNING_RATE = 1e-3

EXAMPLES = """\
examples:
  python examples/policy_gradient.py
  python examples/policy_gradient.py --seeds 5 --output return.svg
  python examples/policy_gradient.py --episodes 20 --seeds 1"""


class Pendulums:
    """Some of them at once: angles (n,) from upright, in rad, and speeds (n,)."""

    def __init__(self, angle: Array, speed: Array) -> None:
        self.angle, self.speed = angle, speed

    def observe(self) -> Array:
        """What the network sees (n, 3): the height of the tip, how far it is to the side, and the speed."""
        return np.column_stack([np.cos(self.angle), np.sin(self.angle), self.speed])

    def step(self, torque: Array) -> Array:
        """Apply torques (n,) for the time of a step; return the rewards (n,): 1 is upright and at rest."""
        acceleration = 1.5 * GRAVITY * np.sin(self.angle) + 3 * torque
        self.speed = np.clip(self.speed + SECONDS * acceleration, -FASTEST, FASTEST)
        self.angle = self.angle + SECONDS * self.speed
        return np.cos(self.angle) - SPEED_COST * self.speed**2 - TORQUE_COST * torque**2


@dataclass
class Experience:
    """What happened, steps first: observations (steps, n, 3), and (steps, n) of everything else."""

    observations: Array
    actions: Array
    log_probabilities: Array  # of the actions, when they were chosen
    rewards: Array
    last: Array  # (n, 3), the observations after the last step


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def choose(logits: Array, rng: np.random.Generator) -> Array:
    """An action (n,) for each row of logits (n, 3), at random: the largest after Gumbel noise."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def play(policy: fastbp.Network, pendulums: Pendulums, steps: int, rng: np.random.Generator) -> Experience:
    observations, actions, logs, rewards = [], [], [], []
    for _ in range(steps):
        seen = pendulums.observe()
        logits = policy.predict(seen)
        action = choose(logits, rng)
        observations.append(seen)
        actions.append(action)
        logs.append(np.take_along_axis(log_softmax(logits), action[:, None], axis=1)[:, 0])
        rewards.append(pendulums.step(TORQUES[action]))
    return Experience(*map(np.array, (observations, actions, logs, rewards)), pendulums.observe())


def advantages_of(experience: Experience, critic: fastbp.Network) -> tuple[Array, Array]:
    """How much better each step turned out than the critic thought, and what it should have thought.

    Both (steps, n): generalised advantage estimation (Schulman et al. 2015, https://arxiv.org/abs/1506.02438).
    """
    seen = np.concatenate([experience.observations, experience.last[None]])
    values = critic.predict(seen.reshape(-1, 3)).reshape(seen.shape[:2])  # (steps + 1, n)
    surprise = experience.rewards + DISCOUNT * values[1:] - values[:-1]
    advantages, later = np.empty_like(surprise), 0.0
    for i in reversed(range(len(surprise))):
        advantages[i] = later = surprise[i] + DISCOUNT * TRACE * later
    return advantages, advantages + values[:-1]


def policy_loss(logits: Array, actions: Array, old: Array, advantages: Array) -> tuple[float, Array]:
    """The loss of a batch and its derivative by the logits (n, 3).

    J = -mean(min(r A, clip(r) A) + CURIOSITY H), where r is how much more probable an action is than it was
    (log probability `old`), A its advantage and H the entropy.
    """
    n, rows = len(logits), np.arange(len(logits))
    logs = log_softmax(logits)
    probabilities = np.exp(logs)
    ratio = np.exp(logs[rows, actions] - old)
    clipped = np.clip(ratio, 1 - CLIP, 1 + CLIP)
    gain = np.minimum(ratio * advantages, clipped * advantages)
    entropy = -(probabilities * logs).sum(axis=1)
    # r' = r (1 - p) for the action's logit, -r p for the others, unless it is the constant that is smaller
    weight = np.where(gain == ratio * advantages, ratio * advantages, 0)
    d_gain = -weight[:, None] * probabilities
    d_gain[rows, actions] += weight
    d_entropy = -probabilities * (logs + entropy[:, None])
    return -float(np.mean(gain + CURIOSITY * entropy)), -(d_gain + CURIOSITY * d_entropy) / n


def learn(
    policy: fastbp.Network, critic: fastbp.Network, experience: Experience, rng: np.random.Generator
) -> None:
    """Make actions that turned out well more probable, and the critic's judgement better."""
    advantages, targets = advantages_of(experience, critic)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    observations = experience.observations.reshape(-1, 3).astype(policy.dtype)
    actions, old = experience.actions.ravel(), experience.log_probabilities.ravel()
    gains, goals = advantages.ravel(), targets.reshape(-1, 1).astype(critic.dtype)
    for _ in range(PASSES):
        for batch in np.array_split(rng.permutation(len(actions)), len(actions) // BATCH_SIZE):
            seen = observations[batch]
            logits = policy.forward(seen)
            _, d_logits = policy_loss(logits, actions[batch], old[batch], gains[batch])
            policy.backward(d_logits)
            policy.step()
            critic.train_on_batch(seen, goals[batch])


def train(seed: int, episodes: int) -> tuple[fastbp.Network, list[float]]:
    """A policy, and the mean return of all pendulums in each episode while it learnt."""
    rng = np.random.default_rng(seed)
    adam = fastbp.Adam(learning_rate=LEARNING_RATE)
    policy = fastbp.Network([3, 64, 64, len(TORQUES)], activation="tanh", optimizer=adam, seed=seed)
    critic = fastbp.Network([3, 64, 64, 1], activation="tanh", optimizer=adam, seed=seed)
    policy.weights[-1][:] *= 0.01  # at first all actions are about as probable
    returns: list[float] = []
    for episode in range(1, episodes + 1):
        start = Pendulums(rng.uniform(-np.pi, np.pi, PENDULUMS), rng.uniform(-1, 1, PENDULUMS))
        experience = play(policy, start, EPISODE, rng)
        if episode == 1:  # from now on both scale what they see
            for net in (policy, critic):
                net.adapt(experience.observations.reshape(-1, 3))
        learn(policy, critic, experience, rng)
        returns.append(float(experience.rewards.sum(axis=0).mean()))
        if episode % 10 == 0:
            print(f"seed {seed}, episode {episode}: return {returns[-1]:.1f}", flush=True)
    return policy, returns


def swing_up(policy: fastbp.Network) -> Array:
    """The height of the tip over an episode that begins hanging at rest, without dice."""
    pendulum, heights = Pendulums(np.array([np.pi]), np.array([0.0])), []
    for _ in range(EPISODE):
        logits = policy.predict(pendulum.observe())
        pendulum.step(TORQUES[logits.argmax(axis=1)])
        heights.append(np.cos(pendulum.angle[0]))
    return np.array(heights)


def describe(heights: Array) -> str:
    """When the pendulum got upright for good."""
    low = np.flatnonzero(heights < 0.95)
    steps = low[-1] + 1 if len(low) else 0
    return f"stands after {steps * SECONDS:.1f} s" if steps < len(heights) else "does not stay upright"


def draw(returns: list[list[float]], heights: list[Array], path: Path) -> None:
    """Returns over the practice, and what was learnt; or a word about what is missing for it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('no picture, for want of matplotlib: pip install "fastbp[plot]"')
        return
    colors = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)

    hours = np.arange(1, len(returns[0]) + 1) * PENDULUMS * EPISODE * SECONDS / 3600
    seconds = np.arange(1, EPISODE + 1) * SECONDS
    for seed in range(len(returns)):
        style = {"color": colors[seed % len(colors)], "label": f"seed {seed}"}
        left.plot(hours, returns[seed], **style)
        right.plot(seconds, heights[seed], **style)
    left.axhline(EPISODE, color="#999999", linestyle=":")
    left.text(0, EPISODE, " upright all the time", color="#666666", va="bottom")
    left.set(title="learning", xlabel="practice of all pendulums together (h)", ylim=(None, 1.15 * EPISODE))
    left.set_ylabel(f"return of {EPISODE * SECONDS:.0f} s, mean of {PENDULUMS} pendulums")
    right.set(title="then: from hanging at rest", xlabel="time (s)", ylabel="height of the tip (m)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(loc="lower right")
    figure.savefig(path, dpi=100)
    print(f"picture: {path.resolve()}")


def run(episodes: int, seeds: int, output: Path) -> None:
    returns, heights = [], []
    for seed in range(seeds):
        start = perf_counter()
        policy, earned = train(seed, episodes)
        seconds = perf_counter() - start
        returns.append(earned)
        heights.append(swing_up(policy))
        print(
            f"seed {seed}: {seconds:.1f} s, return {earned[-1]:.1f} of less than {EPISODE}; "
            f"from hanging at rest it {describe(heights[-1])}"
        )
    draw(returns, heights, output)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Let networks learn by a policy gradient to swing pendulums up; draw how they improve.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--episodes", type=int, default=EPISODES, metavar="N", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings; default: %(default)s")
    parser.add_argument(
        "--output", type=Path, default="policy-gradient.png", metavar="PATH", help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    if min(options.episodes, options.seeds) < 1:
        parser.error("--episodes and --seeds must be at least 1")
    try:
        run(options.episodes, options.seeds, options.output)
    except (fastbp.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
