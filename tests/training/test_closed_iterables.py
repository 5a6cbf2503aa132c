"""What a fit lets go of when it ends."""

import threading

import pytest

import fastbp
from helpers.batches import ROWS, SIZES, cut
from helpers.problems import problem


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_closes_the_generator_of_the_epoch(prefetch):
    batches, closed = cut(*problem(SIZES, ROWS)), threading.Event()

    class Open:
        def __iter__(self):
            try:
                yield from batches
            finally:
                closed.set()

    class Fail:
        def on_batch_end(self, state):
            raise OSError

    with pytest.raises(OSError) as caught:  # noqa: PT011
        fastbp.Network(SIZES).fit(Open(), prefetch=prefetch, callbacks=Fail())
    assert closed.wait(timeout=1)
    assert caught.tb is not None  # the frames of the fit are still alive
