"""Measures training on images of bytes and on other elements than float32, which gather converts and scales.

Fits on such data take turns with fits on the same numbers as float32, scaled beforehand. The clock is the
thread's CPU time, so other programs on the machine count for little.
"""

from time import thread_time

import numpy as np
import pytest

import fastbp
from fastbp import _core
from machine import isas, quartiles
from workloads import MNIST

ROUNDS = 31
EPOCHS = 4
SCALED = ("uint8", "float16", "float32")  # by adapt(scale=1 / 255)
READY = ("float16", "float64")  # scaled beforehand
CASES = [(dtype, True) for dtype in SCALED] + [(dtype, False) for dtype in READY]
TITLE = f"{MNIST}: time of a step, over that with float32 scaled beforehand; medians and quartiles"


@pytest.fixture(params=isas())
def isa(request):
    """Use each instruction set for a while."""
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


@pytest.mark.parametrize(("dtype", "scaled"), CASES)
def test_elements(isa, dtype, scaled, benchmark, report):
    images = np.random.default_rng(0).integers(256, size=(MNIST.batch_size * MNIST.batches, MNIST.layers[0]))
    X, y = (images / 255).astype(np.float32), MNIST.data()[1]
    others = (images if scaled else images / 255).astype(dtype)
    net, other = MNIST.network(), MNIST.network()
    if scaled:
        other.adapt(scale=1 / 255)
    ratios = []

    def seconds(net, X):
        start = thread_time()
        net.fit(X, y, epochs=EPOCHS, batch_size=MNIST.batch_size)
        return thread_time() - start

    def once():
        before, between, after = seconds(net, X), seconds(other, others), seconds(net, X)
        ratios.append(2 * between / (before + after))

    with fastbp.threads(1):
        benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    low, median, high = quartiles(ratios)
    name = f"{dtype}, adapt(scale=1 / 255)" if scaled else dtype
    benchmark.extra_info.update(test="elements", data=name, isa=isa, ratio=[low, median, high])
    report.append(f"{isa:9} {name:32} {median:.3f} ({low:.3f} to {high:.3f})")
