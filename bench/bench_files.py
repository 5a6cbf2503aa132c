"""Measures how fast model files are saved and loaded, beside plain copies of the file and other libraries.

The file is that of a network of 8.4 million parameters in float32 with its optimizer state, 101 MB in all.
Each round does every piece of work once, in turn. A ratio is that of two times of the same round, so what
slows down a whole round hardly counts. Two copies are made: one by `shutil.copyfile`, whose data a power
failure may destroy, and one that is flushed to the disk (fsync), as a model file is when `save` returns.
Files that are read are in the page cache.
"""

import os
import pickle
import shutil
from contextlib import suppress
from time import perf_counter

import numpy as np
import pytest

import fastbp
from machine import processor, quartiles

ROUNDS = 15
SIZES = (2048, 2048, 2048)
LEAST_SPEED = 0.7  # of that of a copy
TITLE = f"seconds, and speed beside copies of the file; {processor()['name']}"


@pytest.fixture(scope="module")
def net():
    """Return a network whose optimizer state is not only zeros, which would be cheaper to read."""
    net = fastbp.Network(SIZES, activation="relu", optimizer="adam", seed=0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(32, SIZES[0])).astype(np.float32)
    net.train_on_batch(X, X[:, : SIZES[-1]])
    return net


def copy(source, target, flush=False):
    """Copy a file; `flush` also writes the data and the entry of the folder to the disk."""
    shutil.copyfile(source, target)
    if flush:
        for path in (target, target.parent):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def pickled(net, path):
    with open(path, "wb") as file:
        pickle.dump(net, file, protocol=5)


def unpickled(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def read_arrays(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def rivals(net):
    """Return by name what saves and what loads the same numbers in other ways, where installed."""
    state = net.__getstate__()
    arrays = {"parameters": state["numbers"][0], "state": state["numbers"][1]}
    found = {
        "numpy.savez": (lambda path: np.savez(path, **arrays), read_arrays, "arrays.npz"),
        "pickle": (lambda path: pickled(net, path), unpickled, "net.pickle"),
    }
    with suppress(ImportError):
        from safetensors.numpy import load_file, save_file

        found["safetensors"] = (lambda path: save_file(arrays, path), load_file, "arrays.safetensors")
    with suppress(ImportError):
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        found["torch"] = (lambda path: torch.save(tensors, path), torch.load, "tensors.pt")
    return found


def race(benchmark, work):
    """Do every piece of work once per round, in turn; return the seconds by name, without the first round."""
    seconds = {name: [] for name in work}

    def once():
        for name, function in work.items():
            start = perf_counter()
            function()
            seconds[name].append(perf_counter() - start)

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    return {name: np.array(times[1:]) for name, times in seconds.items()}


def note(benchmark, report, task, seconds):
    """Keep the times; report how fast each piece of work is beside the copies."""
    copies = [name for name in seconds if name.startswith("copy")]
    for name, times in seconds.items():
        line = f"{task:5} {name:18} {np.median(times):7.3f} s"
        for copied in copies:
            low, median, high = quartiles(seconds[copied] / times)
            line += f"   {copied}: {median:5.2f} ({low:.2f} to {high:.2f})"
        report.append(line)
    benchmark.extra_info.update(
        test="files", task=task, seconds={name: quartiles(times) for name, times in seconds.items()}
    )


def test_save(net, benchmark, report, tmp_path):
    path, copied = tmp_path / "net.safetensors", tmp_path / "copy"
    net.save(path)
    work = {
        "copy": lambda: copy(path, copied),
        "fastbp": lambda: net.save(path),
        "copy and flush": lambda: copy(path, copied, flush=True),
    }
    for name, (save, _, file) in rivals(net).items():
        work[name] = lambda save=save, file=file: save(tmp_path / file)
    seconds = race(benchmark, work)
    note(benchmark, report, "save", seconds)
    assert np.median(seconds["copy"] / seconds["fastbp"]) >= LEAST_SPEED


def test_load(net, benchmark, report, tmp_path):
    path = tmp_path / "net.safetensors"
    net.save(path)
    work = {"copy": lambda: copy(path, tmp_path / "copy"), "fastbp": lambda: fastbp.load(path)}
    for name, (save, load, file) in rivals(net).items():
        save(tmp_path / file)
        work[name] = lambda load=load, file=file: load(tmp_path / file)
    seconds = race(benchmark, work)
    note(benchmark, report, "load", seconds)
    assert np.median(seconds["copy"] / seconds["fastbp"]) >= LEAST_SPEED
