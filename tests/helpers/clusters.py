"""Clusters of processes on this machine, the processes of their workers, and limits of waiting."""

import os
import signal
from contextlib import contextmanager


@contextmanager
def cluster(workers, threads=1, **options):
    """Start a cluster of processes with so many workers and threads of each; yield it and a client."""
    from distributed import Client, LocalCluster

    options = {"dashboard_address": "localhost:0", "processes": True, "silence_logs": "CRITICAL"} | options
    with (
        LocalCluster(n_workers=workers, threads_per_worker=threads, **options) as started,
        Client(started) as client,
    ):
        client.wait_for_workers(workers, timeout=60)
        yield started, client


def grow(started, client, workers):
    """Start more workers, up to this number, and wait until they are there."""
    started.scale(workers)
    client.wait_for_workers(workers, timeout=60)


def processes(client):
    """Return the process of each worker by its address."""
    return client.run(os.getpid)


@contextmanager
def within(seconds):
    """Raise TimeoutError in the block if it takes longer; only in the main thread."""

    def late(*_):
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
