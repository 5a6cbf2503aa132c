"""Ctrl-C in the caller: all tasks are cancelled, and the network is whole and can be trained again."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("distributed", reason="Dask is not installed")

PROGRAM = """
import sys
import numpy as np
from distributed import Client
from helpers.clusters import cluster
from helpers.sharded import network, train
from helpers.waiting import wait

def begin(state):
    if len(state.history) == 2:
        print("begin", flush=True)

def tasks_left(client):
    return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

def interrupted(client, mode, other):
    net = network()
    try:
        train(client, net, mode, epochs=10**6, callbacks=begin)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    wait(lambda: tasks_left(client) == 0)
    print("finite:", np.isfinite(net.parameters).all(), len(net.history) >= 2)
    print("again:", len(train(other, net, mode)), flush=True)

if __name__ == "__main__":
    address, *modes = sys.argv[1:]
    if address:
        with Client(address) as client:
            for mode in modes:
                interrupted(client, mode, client)
    else:
        with cluster(2) as (_, client):
            interrupted(client, *modes, None)
"""


@pytest.mark.parametrize("target", ["caller", "terminal"])
def test_ctrl_c_cancels_all_tasks(target, cluster_of, tmp_path):
    """SIGINT reaches the caller alone, or as from a terminal the workers on this machine, too, which end."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    if target == "caller":
        address, modes = cluster_of(2).cluster.scheduler.address, ["synchronous", "local"]
    else:
        address, modes = "", ["synchronous"]
    process = subprocess.Popen(
        [sys.executable, str(path), address, *modes],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for _ in modes:
            first = process.stdout.readline()
            assert first == "begin\n", process.communicate(timeout=60)[1]
            (os.killpg if target == "terminal" else os.kill)(process.pid, signal.SIGINT)
            found = [process.stdout.readline() for _ in range(3)]
            expected = ["interrupted\n", "finite: True True\n", "again: 4\n"]
            assert found == expected, process.communicate(timeout=60)[1]
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (output, process.returncode) == ("", 0), errors
