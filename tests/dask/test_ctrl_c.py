"""Ctrl-C in the caller: all tasks are cancelled, and the network is whole and can be trained again."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("distributed", reason="Dask is not installed")

PROGRAM = """
import sys
import time
import numpy as np
import fastbp.dask
from helpers.clusters import cluster
from helpers.sharded import network, shards, train

def begin(state):
    if len(state.history) == 2:
        print("begin", flush=True)

if __name__ == "__main__":
    with cluster(2) as (started, client):
        net = network()
        try:
            train(client, net, sys.argv[1], epochs=10**6, callbacks=begin)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        end = time.monotonic() + 10
        while started.scheduler.tasks and time.monotonic() < end:
            time.sleep(0.05)
        print("tasks left:", len(started.scheduler.tasks))
        print("finite:", np.isfinite(net.parameters).all(), len(net.history) >= 2)
        history = train(None if sys.argv[2] == "terminal" else client, net, sys.argv[1])
        print("again:", len(history))
"""


@pytest.mark.parametrize(
    ("mode", "target"), [("synchronous", "caller"), ("local", "caller"), ("synchronous", "terminal")]
)
def test_ctrl_c_cancels_all_tasks(mode, target, tmp_path):
    """SIGINT reaches the caller alone, or as from a terminal the workers on this machine, too, which end."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(path), mode, target],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        first = process.stdout.readline()
        assert first == "begin\n", process.communicate(timeout=60)[1]
        (os.killpg if target == "terminal" else os.kill)(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    expected = ["interrupted", "tasks left: 0", "finite: True True", "again: 4"]
    assert output.splitlines() == expected, errors
