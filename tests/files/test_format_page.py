"""The page of the format: it names every key and every tensor, and shows the bytes of a real file."""

import re

import numpy as np
import pytest

import fastbp
from fastbp._model_file import container
from fastbp.callbacks import Checkpoint, EarlyStopping, ExponentialMovingAverage
from fastbp.optimizers import LevenbergMarquardt
from helpers.paths import ROOT

PAGE = ROOT / "docs/internals/model_file.md"
if not PAGE.exists():
    pytest.skip("the documentation is not beside these tests", allow_module_level=True)


def rows_of(page):
    """Return the words in backquotes in the first column of the page's tables."""
    first = re.findall(r"^\| ([^|]*`[^|]*) \|", page, re.MULTILINE)
    return {word for cell in first for word in re.findall(r"`([^`]+)`", cell)}


def checkpoint(folder, rng, optimizer, *callbacks, **options):
    """Return the path of a checkpoint of a scaled network that has kept an epoch."""
    X = rng.normal(size=(20, 2))
    net = fastbp.Network([2, 3, 1], activation="tanh", optimizer=optimizer, seed=0)
    net.adapt(X, X[:, 0])
    path = folder / f"{type(net.optimizer).__name__}.safetensors"
    best = EarlyStopping("loss", restore_best=True)
    net.fit(X, X[:, 0], epochs=2, callbacks=[best, Checkpoint(path), *callbacks], **options)
    return path


def test_every_key_and_tensor_is_on_the_page(tmp_path, rng):
    named = rows_of(PAGE.read_text())
    expected = {"kept", "fit.kept.state", "fit.average"}, {"fit.kept.memory", "optimizer.memory"}
    files = (
        checkpoint(tmp_path, rng, "adam", ExponentialMovingAverage()),
        checkpoint(tmp_path, rng, LevenbergMarquardt(), batch_size=None),
    )
    for file, some in zip(files, expected, strict=True):
        with container.Reader(file) as reader:
            found = {*reader.description, *reader.description["fit"], *reader.tensors}
        assert some <= found
        found = {re.sub(r"^history\..*", "history.{column}", name) for name in found}
        found = {re.sub(r"^layers\.\d+", "layers.{i}", name) for name in found}
        assert found - named == set(), file.name


def test_the_bytes_on_the_page_are_those_of_a_file(tmp_path):
    dump = re.search(r"^```text\n(00000000 .*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    rows = re.findall(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} {1,2}){16})\|(.{16})\|$", dump, re.MULTILINE)
    assert len(rows) == len(dump.splitlines()) - 1  # one line says that some are left out
    shown = [bytes.fromhex(row) for _, row, _ in rows]
    for row, (_, _, text) in zip(shown, rows, strict=True):
        assert text == "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    net, path = fastbp.Network([1, 1], seed=0), tmp_path / "net.safetensors"
    net.save(path, inference=True)
    written, begin, end = path.read_bytes(), b"".join(shown[:14]), b"".join(shown[-4:])
    same = begin.index(b"1,\\")  # the version and the instruction set follow
    assert written[8:same] == begin[8:same]
    assert int.from_bytes(begin[:8], "little") == int(rows[-1][0], 16) + 16 - 8 - net.parameters.nbytes
    assert np.array_equal(np.frombuffer(end[-8:], "<f4"), net.parameters)
    assert re.search(rb'\\"checksum\\":\\"[0-9a-f]{8}\\"}"}} *$', end[:-8])
