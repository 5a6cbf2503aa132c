"""Times training on sparse rows in the shape of 20 newsgroups, beside scikit-learn and PyTorch.

All have the same rows in the same order, the same initial weights, batch size and learning rate, so their
losses after some epochs must agree before any time is taken. PyTorch's SparseAdam computes something else;
its loss is shown beside its time. Contestants take turns, each in its own process (race.py).

The update of all of W dominates a step of Adam. Steps of SGD and Adagrad touch only the rows of W that the
batch has met. Those of SGD do little else, so the last line says what share of the time of Adam the update
takes by comparing the two.
"""

from dataclasses import replace

import numpy as np
import pytest

import race
from fastbp.cli.rivals import KEEP_MEMORY
from machine import processor, quartiles
from rivals import FASTBP, RIVALS, Rival, UnsupportedError
from sparse_workloads import ADAGRAD, ADAM, SGD

ROUNDS = 5  # of an epoch each
LEAST_TIMES_FASTER = {"scikit-learn": 5.0}
OTHER_FORMULA = "SparseAdam"

TORCH = Rival("PyTorch", "rivals.sparse_torch", KEEP_MEMORY, package="torch")
WAYS = {ADAM: ["EmbeddingBag", "CSR", OTHER_FORMULA], SGD: ["EmbeddingBag", "CSR"], ADAGRAD: ["EmbeddingBag"]}
CASES = [
    *((workload, RIVALS["scikit-learn"], "") for workload in (ADAM, SGD)),  # it has no Adagrad
    *((workload, TORCH, way) for workload, ways in WAYS.items() for way in ways),
]
IDS = [f"{workload.name}-{rival.name}{way and ' '}{way}" for workload, rival, way in CASES]


@pytest.fixture(scope="module")
def report(request):
    """Collect lines, and the microseconds of fastbp by the name of the workload; print them at the end."""
    lines, ours = [], {}
    yield lines, ours
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\n{ADAM}; {processor()['name']}\nmicroseconds per step, loss after {ADAM.epochs} epochs")
        print(*lines, sep="\n")
        if {ADAM.name, SGD.name} <= ours.keys():
            share = 1 - ours[SGD.name] / ours[ADAM.name]
            print(f"Adam's update of all of W takes {share:.1%} of the time of its steps")


def take_turns(benchmark, contestants):
    """Let all train for an epoch per round, in turn; return the seconds by name, without the first round."""
    seconds = {name: [] for name in contestants}

    def once():
        for name, process in contestants.items():
            with race.alone(process, contestants.values()):
                seconds[name].append(process.ask("times", 1)[0])

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    return {name: np.array(times[1:]) for name, times in seconds.items()}


@pytest.mark.parametrize(("workload", "rival", "way"), CASES, ids=IDS)
def test_sparse(process, benchmark, report, workload, rival, way):
    name = f"{rival.name} {way}".strip()
    try:
        contestants = {"fastbp": process(FASTBP), name: process(rival)}
    except UnsupportedError as error:
        pytest.skip(str(error))
    for each, work in zip(contestants.values(), (workload, replace(workload, way=way)), strict=True):
        each.ask("load", "Training", work)
    losses = {name: each.ask("result") for name, each in contestants.items()}
    if way != OTHER_FORMULA:
        np.testing.assert_allclose(losses[name], losses["fastbp"], rtol=workload.rtol)

    seconds = take_turns(benchmark, contestants)
    us = {name: quartiles(1e6 * times / workload.batches) for name, times in seconds.items()}
    low, times, high = quartiles(seconds[name] / seconds["fastbp"])
    lines, ours = report
    ours[workload.name] = us["fastbp"][1]
    lines.append(
        f"{workload.name:7}  fastbp {us['fastbp'][1]:7.0f}, {losses['fastbp']:.4f}"
        f"   {name:20} {us[name][1]:7.0f}, {losses[name]:.4f}"
        f"   {times:.3g} times faster ({low:.3g} to {high:.3g})"
    )
    benchmark.extra_info.update(
        test="sparse",
        description=str(workload),
        rival=name,
        version=contestants[name].version,
        us=us,
        losses=losses,
        faster=[low, times, high],
    )
    assert times >= LEAST_TIMES_FASTER.get(name, 0.0)
