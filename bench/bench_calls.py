"""Measures the overhead of single calls, as in control loops and reinforcement learning.

Training calls are compared with a step inside `fit` on the same batches, in alternating rounds. The clock is
the thread's CPU time, so other programs on the machine count for little.
"""

from time import thread_time

import pytest

import fastbp
from machine import quartiles
from workloads import RL

ROUNDS = 151
EPOCHS = 32  # of 16 steps: some milliseconds per round


def train_on_batch(net, batches):
    for x, t in batches:
        net.train_on_batch(x, t)


def train_with_custom_loss(net, batches):
    factor = 2 / batches[0][1].size  # of the mean squared error
    for x, t in batches:
        net.backward((net.forward(x) - t) * factor)
        net.step()


def predict_one_row(net, batches):
    for x, _ in batches:
        net.predict(x[:1])


# the function to time, and how many microseconds it may take beyond a step of fit; None for no such limit
CALLS = {
    "train_on_batch": (train_on_batch, 1.5),
    "forward, custom loss, backward, step": (train_with_custom_loss, 4.0),
    "predict one row": (predict_one_row, None),
}
TITLE = f"microseconds per call, {RL}; medians and quartiles"


@pytest.mark.parametrize("name", CALLS)
def test_call(name, benchmark, report):
    work, allowed = CALLS[name]
    (X, y), size = RL.data(), RL.batch_size
    batches = [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)] * EPOCHS
    fitted, net = RL.network(), RL.network()
    steps, calls = [], []  # microseconds

    def once():
        start = thread_time()
        fitted.fit(X, y, epochs=EPOCHS, batch_size=size, shuffle=False)
        between = thread_time()
        work(net, batches)
        steps.append(1e6 * (between - start) / len(batches))
        calls.append(1e6 * (thread_time() - between) / len(batches))

    with fastbp.threads(1):
        benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    low, median, high = quartiles(calls)
    line = f"{name:34} {median:6.2f} ({low:.2f} to {high:.2f})"
    benchmark.extra_info.update(test="call", call=name, us=[low, median, high])
    if allowed is not None:
        low, median, high = quartiles([call - step for call, step in zip(calls, steps, strict=True)])
        line += f"   a step of fit {quartiles(steps)[1]:6.2f}   "
        line += f"beyond it {median:5.2f} ({low:.2f} to {high:.2f}), allowed {allowed}"
        benchmark.extra_info.update(beyond_a_step=[low, median, high], allowed=allowed)
    report.append(line)
