"""Fits on batches from an iterable that continue from checkpoints."""

import numpy as np
import pytest

from fastbp import DataError, ParameterError, callbacks
from helpers.batches import ROWS, SIZES, Loader, cut
from helpers.problems import problem
from helpers.tables import ENGINES


class StopAt:
    """Stops a fit after a step."""

    def __init__(self, epoch, step):
        self.at = epoch, step

    def __repr__(self):
        return "StopAt()"

    def on_batch_end(self, state):
        if (state.epoch, state.step) == self.at:
            state.stop("here")


class Counting:
    """Batches that differ from epoch to epoch, the same in every run of the program."""

    def __init__(self, X, y, epochs=5):
        rng = np.random.default_rng(8)
        self.epochs = [cut(X[order], y[order]) for order in (rng.permutation(len(X)) for _ in range(epochs))]
        self.read = []

    def __iter__(self):
        for number, batch in enumerate(self.epochs.pop(0)):
            self.read.append(number)
            yield batch


@pytest.mark.parametrize("kind", ["re-iterable", "steps", "iterator", "ahead"])
@pytest.mark.parametrize("network_class", ENGINES, ids=["native", "numpy"])
def test_resume_leaves_out_what_is_done(network_class, kind, tmp_path):
    X, y = problem(SIZES, ROWS)

    def data():
        batches = Counting(X, y)
        if kind == "iterator":
            return (batch for epoch in batches.epochs for batch in epoch)
        return batches

    options = {
        "re-iterable": {},
        "steps": {"steps_per_epoch": 3},
        "iterator": {"steps_per_epoch": 3},
        "ahead": {"prefetch": 2},
    }[kind]
    whole = network_class(SIZES, seed=5)
    expected = whole.fit(data(), epochs=4, **options)
    for epoch, step in ((0, 1), (1, 2), (2, 3), (3, 1)):
        path = tmp_path / f"{epoch}-{step}"
        keep = callbacks.Checkpoint(path)
        net = network_class(SIZES, seed=5)
        net.fit(data(), epochs=4, callbacks=[keep, StopAt(epoch, step)], **options)
        net = network_class(SIZES, seed=6)
        history = net.fit(data(), epochs=4, callbacks=[keep, StopAt(9, 9)], resume=path, **options)
        assert np.array_equal(net.parameters, whole.parameters)
        assert history["loss"] == expected["loss"]


def test_resume_of_a_fit_that_was_stopped_before_its_first_epoch(network_class, tmp_path):
    X, y = problem(SIZES, ROWS)
    path = tmp_path / "checkpoint"

    class Begin:
        stops = True

        def __repr__(self):
            return "Begin()"

        def on_fit_begin(self, state):
            if self.stops:
                state.stop("not yet")

    begin = Begin()
    given = {"epochs": 2, "callbacks": [callbacks.Checkpoint(path), begin]}
    network_class(SIZES).fit(Loader(cut(X, y)), **given)
    begin.stops = False
    assert len(network_class(SIZES).fit(Loader(cut(X, y)), resume=path, **given)) == 2


def test_resume_with_other_data(network_class, tmp_path):
    X, y = problem(SIZES, ROWS)
    path = tmp_path / "checkpoint"
    stops = {"epochs": 4, "callbacks": [callbacks.Checkpoint(path), StopAt(1, 2)]}
    network_class(SIZES).fit(Loader(cut(X, y)), **stops)
    for data, options, error, words in (
        ((cut(X, y),), {}, ParameterError, "steps_per_epoch is 3, expected None"),
        ((X, y), {}, ParameterError, "batch_size is 32, expected None"),
        (
            (Loader([]),),
            {},
            DataError,
            "the batches of epoch 1 of this fit ended after 0, expected at least 1",
        ),
        (
            (Loader(cut(X, y)[:1]),),
            {},
            DataError,
            "the batches of epoch 2 of this fit ended after 1, expected at least 2",
        ),
        ((Loader(cut(X, y)),), {"class_weight": {0: 2.0}}, DataError, "sample_weight or class_weight is not"),
    ):
        net = network_class(SIZES)
        with pytest.raises(error, match=rf"^{words}"):
            net.fit(*data, resume=path, **options, **stops)
