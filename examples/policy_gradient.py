"""Teaches a network by reinforcement learning to swing up pendulums that are too heavy for their motors.

The torque alone lifts a pendulum by about 24 degrees, so the pendulum must gather momentum first. The network
is not told how. It tries actions, is rewarded for height, and makes actions with a high reward more probable
(proximal policy optimization, Schulman et al. 2017, https://arxiv.org/abs/1707.06347). The simulation and the
loss are about a dozen lines of NumPy each; `forward`, `backward` and `step` do the rest.
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

GRAVITY = 10.0  # m/s^2; each pendulum is a rod of 1 m and 1 kg that turns about its end
SECONDS = 0.05  # per step of the simulation
TORQUES = np.array([-2.0, 0.0, 2.0])  # N m: the actions
FASTEST = 8.0  # rad/s
SPEED_COST, TORQUE_COST = 0.01, 0.01  # per (rad/s)^2 and per (N m)^2; one meter of height is worth 1

PENDULUMS = 64  # simulated together
EPISODE = 200  # steps: ten seconds
EPISODES = 40

DISCOUNT = 0.98  # the present value of a reward of 1 in the next step
TRACE = 0.95  # the weight of later steps in an advantage: lambda in Schulman et al. 2015
CLIP = 0.2  # the largest relative change of an action's probability that an episode rewards
CURIOSITY = 0.01  # the reward per nat of entropy
PASSES, BATCH_SIZE = 4, 256
LEARNING_RATE = 1e-3

EXAMPLES = """\
examples:
  python examples/policy_gradient.py
  python examples/policy_gradient.py --seeds 5 --output return.svg
  python examples/policy_gradient.py --episodes 20 --seeds 1"""


class Pendulums:
    """n pendulums: their angles (n,) from upright, in rad, and their speeds (n,), in rad/s."""

    def __init__(self, angle: Array, speed: Array) -> None:
        self.angle, self.speed = angle, speed

    def observe(self) -> Array:
        """Return the observations (n, 3): height of the tip, its distance to the side, and speed."""
        return np.column_stack([np.cos(self.angle), np.sin(self.angle), self.speed])

    def step(self, torque: Array) -> Array:
        """Apply torques (n,) for one step; return the rewards (n,), which are 1 if upright and at rest."""
        acceleration = 1.5 * GRAVITY * np.sin(self.angle) + 3 * torque
        self.speed = np.clip(self.speed + SECONDS * acceleration, -FASTEST, FASTEST)
        self.angle = self.angle + SECONDS * self.speed
        return np.cos(self.angle) - SPEED_COST * self.speed**2 - TORQUE_COST * torque**2


@dataclass
class Experience:
    """One episode: observations (steps, n, 3), and arrays (steps, n) of everything else."""

    observations: Array
    actions: Array
    log_probabilities: Array  # of the actions when they were chosen
    rewards: Array
    last: Array  # (n, 3): the observations after the last step


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def choose(logits: Array, rng: np.random.Generator) -> Array:
    """Draw one action per row of logits (n, 3): the largest after adding Gumbel noise."""
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
    """Return how much better each step was than the critic predicted, and the critic's targets.

    Both have shape (steps, n). This is generalized advantage estimation (Schulman et al. 2015,
    https://arxiv.org/abs/1506.02438).
    """
    seen = np.concatenate([experience.observations, experience.last[None]])
    values = critic.predict(seen.reshape(-1, 3)).reshape(seen.shape[:2])  # (steps + 1, n)
    surprise = experience.rewards + DISCOUNT * values[1:] - values[:-1]
    advantages, later = np.empty_like(surprise), 0.0
    for i in reversed(range(len(surprise))):
        advantages[i] = later = surprise[i] + DISCOUNT * TRACE * later
    return advantages, advantages + values[:-1]


def policy_loss(logits: Array, actions: Array, old: Array, advantages: Array) -> tuple[float, Array]:
    """Return the loss of a batch and its derivative with respect to the logits (n, 3).

    J = -mean(min(r A, clip(r) A) + CURIOSITY H), where r is the probability of the action divided by its old
    probability (log probability `old`), A its advantage and H the entropy.
    """
    n, rows = len(logits), np.arange(len(logits))
    logs = log_softmax(logits)
    probabilities = np.exp(logs)
    ratio = np.exp(logs[rows, actions] - old)
    clipped = np.clip(ratio, 1 - CLIP, 1 + CLIP)
    gain = np.minimum(ratio * advantages, clipped * advantages)
    entropy = -(probabilities * logs).sum(axis=1)
    # dr/dlogit = r (1 - p) for the action and -r p for the others; 0 where the clipped constant is smaller
    weight = np.where(gain == ratio * advantages, ratio * advantages, 0)
    d_gain = -weight[:, None] * probabilities
    d_gain[rows, actions] += weight
    d_entropy = -probabilities * (logs + entropy[:, None])
    return -float(np.mean(gain + CURIOSITY * entropy)), -(d_gain + CURIOSITY * d_entropy) / n


def learn(
    policy: fastbp.Network, critic: fastbp.Network, experience: Experience, rng: np.random.Generator
) -> None:
    """Make actions with a positive advantage more probable, and improve the critic."""
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
    """Train a policy; return it with the mean return of all pendulums in each episode."""
    rng = np.random.default_rng(seed)
    adam = fastbp.Adam(learning_rate=LEARNING_RATE)
    policy = fastbp.Network([3, 64, 64, len(TORQUES)], activation="tanh", optimizer=adam, seed=seed)
    critic = fastbp.Network([3, 64, 64, 1], activation="tanh", optimizer=adam, seed=seed)
    policy.weights[-1][:] *= 0.01  # so that all actions start about equally probable
    returns: list[float] = []
    for episode in range(1, episodes + 1):
        start = Pendulums(rng.uniform(-np.pi, np.pi, PENDULUMS), rng.uniform(-1, 1, PENDULUMS))
        experience = play(policy, start, EPISODE, rng)
        if episode == 1:  # from now on both networks scale their inputs
            for net in (policy, critic):
                net.adapt(experience.observations.reshape(-1, 3))
        learn(policy, critic, experience, rng)
        returns.append(float(experience.rewards.sum(axis=0).mean()))
        if episode % 10 == 0:
            print(f"seed {seed}, episode {episode}: return {returns[-1]:.1f}", flush=True)
    return policy, returns


def swing_up(policy: fastbp.Network) -> Array:
    """Return the height of the tip when the pendulum starts at rest and takes the most probable actions."""
    pendulum, heights = Pendulums(np.array([np.pi]), np.array([0.0])), []
    for _ in range(EPISODE):
        logits = policy.predict(pendulum.observe())
        pendulum.step(TORQUES[logits.argmax(axis=1)])
        heights.append(np.cos(pendulum.angle[0]))
    return np.array(heights)


def describe(heights: Array) -> str:
    """Describe when the pendulum reached its upright position and stayed there."""
    low = np.flatnonzero(heights < 0.95)
    steps = low[-1] + 1 if len(low) else 0
    return f"stands after {steps * SECONDS:.1f} s" if steps < len(heights) else "does not stay upright"


def draw(returns: list[list[float]], heights: list[Array], path: Path) -> None:
    """Draw the returns during training and the final swing-ups, if Matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('no picture without Matplotlib: pip install "fastbp[plot]"')
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
            f"seed {seed}: {seconds:.1f} s, return {earned[-1]:.1f} of at most {EPISODE}; "
            f"started at rest, the pendulum {describe(heights[-1])}"
        )
    draw(returns, heights, output)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train networks with a policy gradient to swing up pendulums; draw how they improve.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--episodes",
        type=int,
        default=EPISODES,
        metavar="N",
        help="episodes per training; default: %(default)s",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="number of trainings; default: %(default)s"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default="policy-gradient.png",
        metavar="PATH",
        help="file for the picture; default: %(default)s",
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
