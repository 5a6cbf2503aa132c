"""Fits that read batches ahead on a thread."""

import threading

import pytest

import fastbp
from fastbp import DataError
from fastbp._data import ahead
from helpers.batches import ROWS, SIZES, again, cut
from helpers.problems import problem


def test_reading_ahead_ends_with_the_fit():
    X, y = problem(SIZES, ROWS)
    read, gate = [], threading.Event()

    def batches():
        for i in range(20):
            read.append(i)
            if i >= 3:
                gate.wait()
            yield X, y

    class Stop:
        def on_batch_end(self, state):
            state.stop("enough")

    fastbp.Network(SIZES).fit(batches(), steps_per_epoch=20, prefetch=9, callbacks=Stop())
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("fastbp-prefetch"):
            thread.join(10)
    assert len(read) <= 4


def test_threads_end_with_the_fit():
    X, y = problem(SIZES, ROWS)
    net = fastbp.Network(SIZES)
    before = threading.active_count()
    for _ in range(3):
        net.fit(cut(X, y), epochs=2, prefetch=2)
        with pytest.raises(DataError):
            net.fit([*cut(X, y), 5], prefetch=3)
        net.fit(
            again(cut(X, y), 9), epochs=3, steps_per_epoch=3, prefetch=2, callbacks=lambda s: s.stop("now")
        )
    for thread in threading.enumerate():
        if thread.name.startswith("fastbp-prefetch"):
            thread.join(10)
    assert threading.active_count() == before


def test_reading_far_ahead_costs_nothing():
    X, y = problem(SIZES, ROWS)
    nets = [fastbp.Network(SIZES, seed=0) for _ in range(2)]
    losses = [
        net.fit(cut(X, y), epochs=2, prefetch=n).loss for net, n in zip(nets, (0, 2**31 - 1), strict=True)
    ]
    assert losses[0] == losses[1]


def test_nobody_waits_for_a_thread_that_ended(monkeypatch):
    monkeypatch.setattr(ahead.Ahead, "_read_all", lambda self: None)  # as if there was no memory to say more
    with pytest.raises(MemoryError, match="thread that reads ahead"):
        fastbp.Network(SIZES).fit(cut(*problem(SIZES, ROWS)), prefetch=2)
