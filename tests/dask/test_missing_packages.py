"""What needs a package that is missing says how to install it, by an extra that exists."""

import re
import sys

import pytest

import fastbp
import fastbp.dask
from helpers.paths import ROOT


def extras():
    """Return the names of the extras in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1].split("\n[")[0]
    return set(re.findall(r"^(\w+) = ", text, re.MULTILINE))


def fit(client=None, **shards):
    return fastbp.dask.fit(client, fastbp.Network([2, 1]), **shards)


@pytest.mark.parametrize(
    ("missing", "use", "extra"),
    [
        ("distributed", lambda: fit(object(), X=[[0, 1]], y=[0]), "dask"),
        ("pyarrow.parquet", lambda: fit(shards=["rows.parquet"], target="y"), "parquet"),
        ("sklearn.base", lambda: fastbp.dask.__getattr__("DaskMLPClassifier"), "sklearn"),
    ],
)
def test_an_error_names_the_extra(missing, use, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    package = missing.partition(".")[0].replace("sklearn", "scikit-learn")
    command = rf'pip install "fastbp\[{extra}\]", or pip install {package}(\n|$)'
    with pytest.raises(ImportError, match=command):
        use()
    assert extra in extras()


def test_nothing_is_missing_without_a_client(monkeypatch):
    for name in ("dask", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(fit(X=[[0.0, 1.0]], y=[0.0])) == 1
