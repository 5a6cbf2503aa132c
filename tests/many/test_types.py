"""mypy --strict accepts programs that train many networks, or on shards, and finds what is wrong in them."""

import pytest

from helpers.type_checks import mypy

TYPED = """\
import numpy as np
import fastbp
import fastbp.dask
from fastbp.callbacks import EarlyStopping

X, y = np.zeros((10, 3)), np.zeros(10)


def make(seed: int) -> fastbp.Network:
    return fastbp.Network([3, 1], seed=seed)


def measured(folds: int) -> fastbp.CrossValidation:
    return fastbp.cross_validate(make, X, y, folds=folds, seeds=[0, 1], epochs=2)


def trained(client: object) -> list[fastbp.History]:
    one = fastbp.dask.fit(client, make(0), X, y, mode="local", local_steps=2, callbacks=[EarlyStopping()])
    many = fastbp.fit_many([make(0), make(1)], X, y, epochs=[1, 2], metrics=("r2", "mae"))
    many += fastbp.dask.fit_many(client, [make(2)], X, y, epochs=3)
    return [one, *(each for each in many if not isinstance(each, Exception))]


scores: dict[str, float] = measured(3).mean
again = fastbp.cross_validate(make, X, y, folds=measured(2).folds)
error: type[fastbp.Error] = fastbp.ShardError
histories: list[fastbp.History] = fastbp.fit_many([make(0)], X, y)  # wrong: entries may be errors
fastbp.dask.fit(None, make(0), X, y, mode="sync")  # wrong: no such mode
fastbp.fit_many([make(0)], X, y, epochs="3")  # wrong: no number
"""


@pytest.mark.slow
def test_mypy_accepts_what_the_pages_show(tmp_path):
    wrong, said = mypy(tmp_path, TYPED)
    marked = [i for i, line in enumerate(TYPED.splitlines(), 1) if "# wrong" in line]
    assert wrong == marked, said
