"""Compares fastbp.sklearn with scikit-learn's own MLP, by score and time, beside a loop of PyTorch.

estimators.py has the data sets and parameters. Every seed is one fit per library and number of threads, in
turn, each in its own process (race.py): on one thread, and on as many as a process takes by default. PyTorch
trains for as many epochs as scikit-learn has trained with that seed. The last test searches a grid by threads
of joblib, beside the same search on one thread.

fastbp's mean score may be below scikit-learn's by the standard error of the difference of two means at most.
Both libraries have the same seeds, so the same rows and initial weights; the differences by seed must not be
clearly below zero.

BENCH_SEEDS in the environment is another number of seeds. A quick look at fewer than ten asserts nothing.
"""

import os
from dataclasses import replace
from math import hypot, sqrt
from statistics import mean, median, stdev

import numpy as np
import pytest

import race
from estimators import EACH, FOLDS, GRID, SEARCH_EPOCHS
from fashion_mnist import FOLDERS, find
from fastbp.cli.rivals import KEEP_MEMORY
from fastbp.cli.rivals.process import CPUS
from machine import processor, quartiles
from rivals import FASTBP, RIVALS, Rival, UnsupportedError

ENOUGH = 10  # seeds, to compare scores
SEEDS = int(os.environ.get("BENCH_SEEDS", ENOUGH))
THREADS = tuple(dict.fromkeys((1, len(CPUS))))
LIBRARIES = {
    "scikit-learn": replace(RIVALS["scikit-learn"], module="rivals.estimators_sklearn"),
    "fastbp": replace(FASTBP, module="rivals.estimators_fastbp"),
    "PyTorch": Rival("PyTorch", "rivals.estimators_torch", KEEP_MEMORY, package="torch"),
}
JOBS, SEARCHES = 2, min(5, SEEDS)  # threads of joblib; rounds
TITLE = f"scores (standard errors) and seconds of {SEEDS} fits by threads; {processor()['name']}"


def started(process, name, threads):
    """Return the process of a library, warmed up; skip the test without it, unless it is PyTorch."""
    try:
        found = process(LIBRARIES[name], threads)
    except UnsupportedError as error:
        if name == "PyTorch":
            return None
        pytest.skip(str(error))
    found.ask("call", "fit", "wine", 0, 10)
    return found


@pytest.mark.parametrize("problem", EACH, ids=lambda problem: problem.name)
def test_estimators(process, benchmark, report, problem):
    if not problem.loader:
        try:
            find(*FOLDERS)
        except FileNotFoundError as missing:
            pytest.skip(str(missing).splitlines()[0])
    named = {(name, threads): started(process, name, threads) for name in LIBRARIES for threads in THREADS}
    running = {key: each for key, each in named.items() if each}
    found = {key: [] for key in running}

    def once():
        for (name, threads), each in running.items():
            seed = len(found[name, threads])
            epochs = found["scikit-learn", 1][-1]["epochs"] if name == "PyTorch" else 0
            with race.alone(each, running.values()):
                found[name, threads].append(each.ask("call", "fit", problem.name, seed, epochs))

    benchmark.pedantic(once, rounds=SEEDS)
    seconds, scores, epochs = {}, {}, {}
    for (name, threads), fits in found.items():
        seconds.setdefault(name, {})[str(threads)] = [fit["seconds"] for fit in fits]
        if threads == 1:
            scores[name], epochs[name] = ([fit[what] for fit in fits] for what in ("score", "epochs"))
    shape = problem.rows_and_features()
    lines = [f"{problem.name}, {shape[0]} x {shape[1]}"]
    for name in scores:
        times = ", ".join(f"{sum(each):.3g} on {threads}" for threads, each in seconds[name].items())
        lines.append(
            f"    {name:14} {mean(scores[name]):.4f} ({standard_error(scores[name]):.4f})"
            f"   {median(epochs[name]):5g} epochs   {times}"
        )
    report.extend(lines)
    benchmark.extra_info.update(
        test="estimators",
        problem=problem.name,
        rows_and_features=shape,
        is_regression=problem.is_regression,
        parameters=problem.parameters,
        seeds=SEEDS,
        scores=scores,
        epochs=epochs,
        seconds=seconds,
        versions={name: running[name, 1].version for name in scores},
    )
    differences = [a - b for a, b in zip(scores["fastbp"], scores["scikit-learn"], strict=True)]
    # Two libraries that are equally good differ by more than one error of the differences in a sixth of all
    # cases to the worse side, by more than three in one of a hundred.
    of_means = hypot(*(standard_error(scores[name]) for name in ("fastbp", "scikit-learn")))
    most = min(of_means, 3 * standard_error(differences))
    assert mean(differences) >= -most or SEEDS < ENOUGH


def standard_error(values):
    return stdev(values) / sqrt(len(values))


def test_search(process, benchmark, report):
    """Measure how much faster a search is on threads of joblib than on one thread."""
    if len(CPUS) < JOBS:
        pytest.skip("one processor to run on")
    alone, together = (started(process, "fastbp", threads) for threads in (1, JOBS))
    ways = {"one thread": (alone, 1), "one job": (together, 1), f"{JOBS} jobs": (together, JOBS)}
    found = {way: [] for way in ways}

    def once():
        for way, (each, n_jobs) in ways.items():
            with race.alone(each, (alone, together)):
                found[way].append(each.ask("call", "search", "digits", n_jobs))

    benchmark.pedantic(once, rounds=SEARCHES, warmup_rounds=1)
    seconds = {way: np.array([time for time, _ in searches[1:]]) for way, searches in found.items()}
    scores = [score for searches in found.values() for _, score in searches]
    assert all(each == scores[0] for each in scores)  # the same bits on any number of threads
    faster = quartiles(seconds["one thread"] / seconds[f"{JOBS} jobs"])
    report.append(
        f"search of {len(scores[0])} places, {FOLDS} folds, {SEARCH_EPOCHS} epochs: "
        + ", ".join(f"{way} {median(each):.3g} s" for way, each in seconds.items())
        + f"; {JOBS} jobs are {faster[1]:.3g} ({faster[0]:.3g} to {faster[2]:.3g}) times as fast"
    )
    benchmark.extra_info.update(
        test="search",
        grid=GRID,
        folds=FOLDS,
        epochs=SEARCH_EPOCHS,
        jobs=JOBS,
        seconds={way: quartiles(each) for way, each in seconds.items()},
        times_faster=faster,
    )
