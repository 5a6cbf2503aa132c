"""Type checkers accept every kind of data that a network takes, and refuse others."""

import re

import pytest

from helpers.type_checks import mypy

TYPED = """
from collections.abc import Iterable, Iterator
from typing import Any
import numpy as np
from numpy.typing import NDArray
import fastbp

class Sparse:
    shape = (9, 1)
    def toarray(self) -> NDArray[Any]: ...

class Loader:
    def __iter__(self) -> Any: ...

def batches() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]: ...
def weighted() -> Iterable[tuple[Sparse, list[float], NDArray[Any]]]: ...

net, X, sparse = fastbp.Network([1, 1]), np.zeros((9, 1)), Sparse()
net.adapt(sparse, X, center=False)
net.fit(sparse, X, validation_data=(sparse, X), shuffle="blocks")
net.fit(batches(), validation_data=weighted(), steps_per_epoch=1, prefetch=2)
net.fit([(sparse, X)])
net.fit(zip([X], [X]))
net.fit(Loader(), validation_data=Loader())
net.evaluate(sparse, X)
net.evaluate(weighted())
net.predict_classes(batches())
net.train_on_batch(sparse, X)
net.forward(sparse)
net.loss_and_gradients(sparse, X)
fastbp.minimize(net, sparse, X)
reveal_type(net.predict(sparse))
reveal_type(net.predict([X, X]))
reveal_type(net.predict(batches()))
reveal_type(net.predict(Loader()))
net.fit(X, X, shuffle="block")
net.fit(object())
net.adapt(batches())
net.fit([(object(), X)])
"""


@pytest.mark.slow
def test_mypy_accepts_all_kinds_of_inputs(tmp_path):
    wrong, said = mypy(tmp_path, TYPED, "--allow-empty-bodies")
    last = TYPED.count("\n")
    assert wrong == [*range(last - 3, last + 1)], said
    revealed = re.findall(r'Revealed type is "(?:typing\.|numpy\.)(\w+)', said)
    assert revealed == ["ndarray", "ndarray", "Iterator", "Iterator"]
