"""Shards for tests: an executor that sends everything, and loaders that can be sent."""

import pickle

import numpy as np

from fastbp.dask._executor import SerialExecutor


class Sending(SerialExecutor):
    """Sends loads, functions, arguments and results through pickles, as to workers, without a cluster."""

    def place(self, loads):
        return super().place(sent(list(loads)))

    def call(self, function, handles, own, common=(), names=()):
        function, own, common = sent((function, list(own), common))
        return sent(super().call(function, handles, own, common, names))


def sent(value):
    """The value as it arrives in another process."""
    return pickle.loads(pickle.dumps(value))


class Loader:
    """A loader of a shard that returns what it was made with; it can be pickled."""

    def __init__(self, *loaded):
        self.loaded = loaded

    def __call__(self):
        return self.loaded


class Failing:
    """A loader that raises."""

    def __call__(self):
        raise OSError("the disk is gone")


def parts_of(executor, loads):
    """The parts that are loaded."""
    return executor.call(itself, executor.place(loads), [()] * len(loads))


def itself(part):
    return part


def cut(*arrays, at):
    """The parts of each array between these rows."""
    return [np.split(array, at) for array in arrays]


def rows_in(parts):
    """X, y and weights of the rows of parts that have a weight, together; 1 where there are no weights."""
    found = []
    for part in parts:
        if part.X is not None:
            weights = part.weights
            rows = np.arange(len(part.X)) if weights is None or weights.rows is None else weights.rows
            values = np.ones(len(part.X)) if weights is None or weights.values is None else weights.values
            X = part.X if isinstance(part.X, np.ndarray) else part.X.toarray()
            found.append((X[rows], part.y[rows], values[rows]))
    return tuple(map(np.concatenate, zip(*found, strict=True)))
