"""Batches of frames: the first one names the inputs, and validation data follow its order."""

import numpy as np
import pytest

import fastbp
from fastbp import ShapeError
from fastbp.callbacks import Checkpoint
from helpers.batches import ROWS, Loader, cut
from helpers.problems import problem

SIZES = 3, 4, 1


class StopError(Exception):
    """What ends a fit."""


def interrupt(state):
    if state.epoch == 1:
        raise StopError


@pytest.fixture(params=["pandas", "polars"])
def frame(request):
    """Return a function that makes a frame of some rows, with its columns in this order."""
    library = pytest.importorskip(request.param, reason=f"{request.param} is not installed")

    def make(X, order="abc", names="abc"):
        return library.DataFrame({name: X[:, names.index(name)].tolist() for name in order})

    return make


def test_validation_data_are_put_in_the_order_of_the_first_batch(frame, tmp_path):
    X, y = problem(SIZES, ROWS)
    batches = [(frame(x), t) for x, t in cut(X, y)]
    held = frame(X, "cab"), y
    net = fastbp.Network(SIZES, seed=0)
    expected = net.fit(batches, epochs=3, validation_data=(X, y))
    for validation_data in (held, Loader([held])):
        net = fastbp.Network(SIZES, seed=0)
        history = net.fit(Loader(batches), epochs=3, validation_data=validation_data)
        assert history["validation_loss"] == pytest.approx(expected["validation_loss"], rel=1e-12)
        assert net.feature_names == ("a", "b", "c")
    for is_same in (
        True,
        False,
    ):  # whether the network that goes on has the names already
        path = tmp_path / f"{is_same}.safetensors"
        options = {"epochs": 3, "validation_data": held, "resume": path}
        net = fastbp.Network(SIZES, seed=0)
        with pytest.raises(StopError):
            net.fit(batches, callbacks=[interrupt, Checkpoint(path)], **options)
        net = net if is_same else fastbp.Network(SIZES, seed=0)
        net.fit(batches, **options)
        assert net.history["validation_loss"] == expected["validation_loss"]


def test_validation_data_that_lack_a_column_of_the_batches(frame):
    X, y = problem(SIZES, ROWS)
    batches = [(frame(x), t) for x, t in cut(X, y)]
    net = fastbp.Network(SIZES, seed=0)
    with pytest.raises(ShapeError, match=r"^validation_data\[0\] lacks the column 'a'"):
        net.fit(batches, epochs=2, validation_data=(frame(X, "bcd", "bcd"), y))
    assert len(net.history) == 1
    assert np.isfinite(net.parameters).all()
