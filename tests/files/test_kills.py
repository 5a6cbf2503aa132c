"""SIGKILL at random moments: a file is the old one or the new one, and a fit is resumed to the same bits.

Each killed program is a process of its own that says when it begins. `make promises` kills more of them.
"""

import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastbp
from fastbp.callbacks import Checkpoint

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")

BEGIN = """
import sys
import numpy as np
import fastbp
from fastbp.callbacks import Checkpoint, EarlyStopping, ReduceLROnPlateau
"""


def started(code, *arguments):
    """Start a program after `BEGIN`; return its process once it has printed a line."""
    command = [sys.executable, "-P", "-c", BEGIN + code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if process.stdout.readline() != "begin\n":
        pytest.fail(process.communicate()[1])
    return process


def finished(process, seconds):
    """Return what a program printed if it ends within this time; else kill it, and return None."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return output if process.returncode == 0 else None


def leftovers(folder, name, kept=1):
    """Return the files of a folder but a model file and the checkpoints before it."""
    stem, suffix = name.split(".")
    own = {name, *(f"{stem}.{i}.{suffix}" for i in range(1, kept))}
    return sorted(entry for entry in os.listdir(folder) if entry not in own)


# ---- saving ----------------------------------------------------------------------------------------------

SAVES = """
path = sys.argv[1]
nets = [fastbp.Network([64, 256, 64], seed=seed) for seed in (0, 1)]
nets[0].save(path)
print("begin", flush=True)
while True:
    for net in nets:
        net.save(path)
"""
SLOWEST = 0.03  # seconds until a kill: many times as long as it takes to save


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.slow)])
def test_a_save_that_is_killed_leaves_the_old_file_or_the_new_one(kills, tmp_path):
    path = tmp_path / "net.safetensors"
    versions = [fastbp.Network([64, 256, 64], seed=seed).parameters for seed in (0, 1)]
    moments = random.Random(0)
    found, unfinished = [0, 0], 0
    for _ in range(kills):
        assert finished(started(SAVES, path), moments.uniform(0, SLOWEST)) is None
        parameters = fastbp.load(path).parameters
        (version,) = (i for i, expected in enumerate(versions) if np.array_equal(parameters, expected))
        found[version] += 1
        rest = leftovers(tmp_path, path.name)
        assert len(rest) <= 1, rest
        unfinished += len(rest)
    if kills > 100:  # some kills met a file that was being written, and both versions
        assert unfinished > 0
        assert min(found) > 0
    fastbp.load(path).save(path)
    assert leftovers(tmp_path, path.name) == []


# ---- fits ------------------------------------------------------------------------------------------------

FITS = """
def fit(n, epochs, *callbacks, **options):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + 200, 8)) * 3 + 1  # (n, n_in) to train on, 200 rows to validate
    y = np.sin(X[:, :2]) + 5  # (n, n_out)
    train, held_out = slice(0, n), slice(n, None)
    y[held_out] = 0.5 * (y[held_out] - 5) + 5  # the best epoch is not the last one
    schedule = fastbp.schedules.Cosine(0.01, steps=n // 16 * epochs, warmup=300)
    layers = [8, fastbp.Dense(128, dropout=0.1, l2=1e-5), fastbp.Dense(64, "tanh"), 2]
    net = fastbp.Network(layers, optimizer=fastbp.Adam(schedule), input_noise=0.05, seed=3)
    net.adapt(X[train], y[train])
    plateau = ReduceLROnPlateau("loss", patience=1 + epochs // 10, min_delta=0.01, factor=0.5)
    best = EarlyStopping(patience=1000, restore_best=True)
    net.fit(
        X[train],
        y[train],
        epochs=epochs,
        batch_size=16,
        sample_weight=rng.uniform(0.5, 2, size=n),
        validation_data=(X[held_out], y[held_out]),
        callbacks=[plateau, best, *callbacks],
        **options,
    )
    return net
"""
SLOWEST_FIT = 0.25  # seconds until a kill; the shortest fit takes about 0.4
KILLED = """
_, path, result, n, epochs, every = sys.argv
trained = []

def count(state):
    trained.append(state.epoch)

every = int(every) if every.isdecimal() else every
print("begin", flush=True)
net = fit(int(n), int(epochs), Checkpoint(path, every=every, keep=3), count, resume=path)
net.save(result)
print(len(trained))
"""


@pytest.mark.parametrize(
    ("kills", "every", "n", "epochs"),
    [
        (2, "0.01s", 40000, 6),  # many files inside epochs
        pytest.param(50, "0.01s", 40000, 20, marks=pytest.mark.slow),
        pytest.param(50, 1, 4000, 200, marks=pytest.mark.slow),
    ],
)
def test_a_fit_that_is_killed_and_resumed_ends_with_the_same_bits(
    kills, every, n, epochs, tmp_path, state_of
):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    path, result, whole = folder / "run.safetensors", tmp_path / "result", tmp_path / "whole"
    names = {}
    exec(BEGIN + FITS, names)
    expected = state_of(names["fit"](n, epochs, Checkpoint(whole, every=epochs)))
    last = state_of(fastbp.load(whole))  # the last epoch; the fit ends with the best one
    assert last != expected
    moments, left, completed = random.Random(0), kills, 0
    while left or not completed:
        before = len(fastbp.load(path).history) if path.exists() else None
        process = started(FITS + KILLED, path, result, n, epochs, every)
        output = finished(process, moments.uniform(0, SLOWEST_FIT) if left else 60)
        rest = leftovers(folder, path.name, kept=3)
        assert len(rest) <= 1, rest
        assert path.exists() or before is None
        if output is None:
            left -= 1
        else:
            assert state_of(fastbp.load(result)) == expected
            assert state_of(fastbp.load(path)) == last
            assert int(output) == epochs - (before or 0)  # epochs that this process has completed
            completed += 1
            for file in folder.iterdir():  # for a run from the start, if there are kills left
                file.unlink()
