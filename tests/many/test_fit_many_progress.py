"""What `fit_many` shows: one bar for all networks, and lines."""

import io
import re
import sys

import numpy as np
import pytest

import fastbp
from fastbp._many import _shown
from fastbp._many._job import Job
from fastbp.callbacks import EarlyStopping

RNG = np.random.default_rng(5)
X = RNG.normal(size=(30, 3))
Y = RNG.normal(size=(30, 1))


class Terminal(io.StringIO):
    """A stream that redraws its line."""

    def isatty(self):
        return True


def make(n=3):
    return [fastbp.Network([3, 4, 1], dtype="float64", seed=seed) for seed in range(n)]


def fail(state):
    raise ValueError("no\nreason")


def test_silence(capfd):
    fastbp.fit_many(make(), X, Y)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("threads", [1, 2])
def test_one_bar_ends_complete(capsys, threads):
    with fastbp.threads(threads):
        fastbp.fit_many(make(), X, Y, epochs=[4, 5, 6], verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(f"[{'#' * 30}] 15/15 epochs  3 of 3 networks done")


def test_fits_that_end_early_do_not_leave_it_incomplete(capsys):
    stop = EarlyStopping("loss", 1, min_delta=100.0)
    results = fastbp.fit_many(make(), X, Y, epochs=[50, 5, 0], callbacks=[stop, fail, ()], verbose=1)
    err = capsys.readouterr().err
    done = len(results[0]) + 1
    assert len(results[0]) < 50
    assert err.splitlines()[-1].startswith(f"[{'#' * 30}] {done}/{done} epochs  3 of 3 networks done")


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    fastbp.fit_many(make(), X, Y, epochs=2, verbose="auto")
    drawn = re.sub(r"\x1b\[[A-Z]", "", sys.stderr.getvalue())
    assert "6/6 epochs" in drawn
    assert "3 of 3 networks done" in drawn
    assert capsys.readouterr().out == ""


def test_a_line_per_network(capsys):
    nets = make()
    results = fastbp.fit_many(nets, X, Y, epochs=[2, 1, 3], callbacks=[(), fail, ()], verbose=2)
    lines = sorted(capsys.readouterr().out.splitlines())
    assert len(lines) == 3
    for i, epochs in ((0, "2 epochs"), (2, "3 epochs")):
        assert lines[i] == f"network {i}: {epochs} (epochs)  {results[i].describe(-1)}"
    assert lines[1] == "network 1: ValueError: no reason"


def test_an_error_that_cannot_be_shown_is_one_networks_alone(capsys):
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def fail(state):
        raise MuteError

    results = fastbp.fit_many(make(), X, Y, callbacks=[(), fail, ()], verbose=2)
    assert [type(result).__name__ for result in results] == ["History", "MuteError", "History"]
    assert "network 1: MuteError\n" in capsys.readouterr().out


def test_the_work_of_the_bar_does_not_grow_with_the_square_of_the_number_of_networks(monkeypatch):
    asked = []
    done = Job.done.fget
    monkeypatch.setattr(Job, "done", property(lambda job: asked.append(job) or done(job)))
    nets = [fastbp.Network([3, 1], seed=seed) for seed in range(100)]
    fastbp.fit_many(nets, X, Y, verbose=1)
    assert len(asked) < 100 * 20


def test_auto_prints_few_lines_elsewhere(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(_shown, "perf_counter", lambda: now[0])

    def wait(state):
        now[0] += 0.3

    with fastbp.threads(1):
        fastbp.fit_many(make(2), X, Y, epochs=10, callbacks=wait, verbose="auto")
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert 4 <= len(lines) <= 20 * 0.3 + 2
    assert lines[-1] == "20/20 epochs  2 of 2 networks done"
    assert all(re.fullmatch(r"\d+/20 epochs  [012] of 2 networks done", line) for line in lines)


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_it_goes_on_without_streams(monkeypatch, verbose):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    results = fastbp.fit_many(make(), X, Y, verbose=verbose)
    assert [len(result) for result in results] == [1, 1, 1]


def test_an_interrupted_call_closes_the_bar(capsys):
    def leave(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fastbp.fit_many(make(), X, Y, epochs=2, callbacks=[(), (), leave], verbose=1)
    assert capsys.readouterr().err.endswith("\n")
