"""Training steps of both engines, in alternating rounds of the same work."""

from operator import attrgetter
from time import perf_counter

import numpy as np
import pytest

import fastbp
import fastbp.reference
from workloads import WORKLOADS

ROUNDS = 11


@pytest.mark.parametrize("workload", WORKLOADS, ids=attrgetter("name"))
def test_training(workload, benchmark):
    X, y = workload.data()
    native, reference = map(workload.network, (fastbp.Network, fastbp.reference.Network))

    def train(network, epochs=workload.epochs):
        return network.fit(X, y, epochs=epochs, batch_size=workload.batch_size)

    same_losses = train(native, epochs=2).loss, train(reference, epochs=2).loss
    np.testing.assert_allclose(*same_losses, rtol=1e-9 if workload.dtype == "float64" else 1e-4)

    reference_seconds = []

    def time_reference():
        native.reset()
        reference.reset()
        start = perf_counter()
        train(reference)
        reference_seconds.append(perf_counter() - start)

    # the setup of a round is not part of its time: reference, native, reference, native, ...
    benchmark.pedantic(train, args=[native], setup=time_reference, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(
        training=str(workload),
        native_us=[1e6 * seconds / workload.steps for seconds in benchmark.stats.stats.data],
        reference_us=[1e6 * seconds / workload.steps for seconds in reference_seconds[-ROUNDS:]],
    )
