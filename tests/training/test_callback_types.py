"""Type checkers accept every object that `fit` takes as a callback, and refuse others."""

import re
import subprocess
import sys

import pytest

import fastbp

TYPED = """
import numpy as np
import fastbp
from fastbp.callbacks import *

class Batches:
    def on_batch_end(self, state: EpochState) -> None: ...

class End:
    def on_fit_end(self, state: EpochState) -> None: ...

class Begin:
    def on_fit_begin(self, state: EpochState) -> None: ...
    def on_epoch_begin(self, state: EpochState) -> None: ...

class Mine(Callback):
    def begin(self, columns: Columns) -> Watcher:
        return Watcher()

class Plain:
    def begin(self, columns: Columns) -> Batches:
        return Batches()

net, X = fastbp.Network([1, 1]), np.zeros((9, 1))
net.fit(X, X, callbacks=EarlyStopping("loss"))
net.fit(X, X, callbacks=[EarlyStopping("loss", resume=True), ReduceLROnPlateau("loss")])
net.fit(X, X, callbacks=[ExponentialMovingAverage(), CSVLogger("a.csv"), TensorBoard("runs"), print])
net.fit(X, X, callbacks=[Batches(), End(), Begin(), Mine(), Plain(), lambda state: state.stop()])
net.fit(X, X, callbacks=End())
net.fit(X, X, callbacks=object())
net.fit(X, X, callbacks=[1])
"""


@pytest.mark.slow
def test_mypy_accepts_callbacks(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "typed.py").write_text(TYPED)
    options = ["--strict", "--config-file=", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "typed.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(next(iter(fastbp.__path__)) + "/.."), "PATH": ""},
        capture_output=True,
        text=True,
    )
    last = TYPED.count("\n")
    wrong = [int(line) for line in re.findall(r"^typed.py:(\d+): error", done.stdout, re.MULTILINE)]
    assert wrong == [last - 1, last], done.stdout + done.stderr
