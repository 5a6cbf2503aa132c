"""Memory stays flat over 200 rounds, in the caller and in the workers."""

import os

import numpy as np
import pytest

import fastbp
from helpers.memory import resident_mb
from helpers.waiting import wait

pytest.importorskip("distributed", reason="Dask is not installed")

ROUNDS, WARM = 200, 60
UNITS = 350  # 0.12 million parameters, 0.5 MB in float32
MOST_MB = 20  # that memory may grow by; answers that are kept would add 0.5 MB per shard and round


@pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="this system does not tell its memory there"
)
@pytest.mark.parametrize("mode", ["synchronous", pytest.param("local", marks=pytest.mark.slow)])
def test_memory_is_flat_over_200_rounds(mode, cluster_of):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, UNITS)).astype(np.float32), rng.normal(size=(64, UNITS)).astype(np.float32)
    net, client = fastbp.Network([UNITS, UNITS], optimizer="sgd", seed=0), cluster_of(2)
    found = []

    def measure(state):
        if len(state.history) in (WARM, ROUNDS):
            workers = client.run(resident_mb)
            found.append(np.array([resident_mb(), *(workers[name] for name in sorted(workers))]))

    fastbp.dask.fit(client, net, X, y, shards=2, mode=mode, epochs=ROUNDS, batch_size=64, callbacks=measure)
    wait(lambda: not client.cluster.scheduler.tasks)  # what is let go of is on its way
    grown = found[1] - found[0]
    assert (grown < MOST_MB).all(), grown
