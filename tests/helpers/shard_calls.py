"""Functions that tests call on shards; workers import them from here."""

import os
import sys
import time
from pathlib import Path

import numpy as np

from fastbp import _core


def shard(i, rows=100):
    """Return a shard."""
    return np.random.default_rng(i).normal(size=rows)


def slow_shard(i, rows, seconds):
    time.sleep(seconds)
    return shard(i, rows)


def product(shard, factor, common=0.0):
    """Return an array that depends on all arguments."""
    return shard * factor + np.sum(common)


def slow_product(shard, factor, common, seconds):
    time.sleep(seconds)
    return product(shard, factor, common)


def process(shard):
    """Return the number of the process that works."""
    return os.getpid()


def slow_process(shard, seconds):
    time.sleep(seconds)
    return os.getpid()


def slow_isa(shard, seconds, common):
    """Return the instruction set that a worker uses by itself."""
    time.sleep(seconds)
    return _core.isa()


def failing(shard, fails, seconds=0.0):
    """Raise an error with the number of the call if it is one of those that fail."""
    time.sleep(seconds)
    if fails is not None:
        raise ArithmeticError(f"call {fails}")
    return float(shard[0])


def failing_shard(i):
    raise OSError(f"no file {i}")


def dying(shard, die):
    """End the process, like a kernel that is out of memory."""
    if die:
        os._exit(1)
    return float(shard[0])


def noting(shard, folder, i, seconds):
    """Leave a file where it has begun."""
    (Path(folder) / f"{i}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(seconds)
    return i


def shard_that_kills_once(flag, i):
    """End the process the first time, of all shards."""
    if i == 1 and not flag.exists():
        flag.touch()
        os._exit(1)
    return shard(i)


def leaving(shard):
    """Ask for the end of the process, as code of users may."""
    sys.exit(3)
