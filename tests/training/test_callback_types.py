"""Type checkers accept every object that `fit` takes as a callback, and refuse others."""

import pytest

from helpers.type_checks import mypy

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
net.fit(X, X, callbacks=[Diagnose(), Diagnose(X, X, on_finding=lambda finding, state: state.stop())])
net.fit(X, X, callbacks=End())
net.fit(X, X, callbacks=object())
net.fit(X, X, callbacks=[1])
"""


@pytest.mark.slow
def test_mypy_accepts_callbacks(tmp_path):
    wrong, said = mypy(tmp_path, TYPED)
    last = TYPED.count("\n")
    assert wrong == [last - 1, last], said
