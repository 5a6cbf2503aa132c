"""What callbacks see and remember in a fit that is continued from a checkpoint."""

from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp.callbacks import Checkpoint, ExponentialMovingAverage, StochasticWeightAveraging

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = X[:, :2] * 0.5


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.safetensors")


def make(**options):
    return fastbp.Network([3, 5, 2], **{"seed": 1} | options)


def killed(path, *callbacks, epoch=2, every=1, **options):
    """Train until the end of an epoch, as if the program was killed there: its file is not written."""

    def kill(state):
        if state.epoch == epoch:
            raise LookupError

    with suppress(LookupError):
        make().fit(X, Y, epochs=6, **options, callbacks=[*callbacks, kill, Checkpoint(path, every=every)])


@pytest.mark.parametrize("averaging", [ExponentialMovingAverage(0.7), StochasticWeightAveraging()])
def test_the_average_is_in_place_between_epochs(path, averaging):
    """The first `on_epoch_begin` after the stop sees the mean, as without a stop."""

    class Look:
        def __init__(self):
            self.seen = []

        def on_epoch_begin(self, state):
            self.seen.append(state.network.parameters.tobytes())

    expected, found = Look(), Look()
    make().fit(X, Y, epochs=6, callbacks=[averaging, expected])
    killed(path, averaging)
    make().fit(X, Y, epochs=6, callbacks=[averaging, found], resume=path)
    assert found.seen == expected.seen[2:]
