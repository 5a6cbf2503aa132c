"""Columns from files of NumPy and from Parquet."""

import builtins
import sys
from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp.io import read_columns
from helpers.errors import refuses

NAN = float("nan")


def shown(columns):
    return repr({name: column.tolist() for name, column in columns.items()})


def test_arrays_and_their_fields(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.array([[1, 2], [3, 2**62]], dtype=">i8"))
    assert shown(read_columns(path)) == shown({"x0": np.array([1.0, 3.0]), "x1": np.array([2.0, 2.0**62])})
    rows = [(1, 0.5, "a", True), (2, NAN, " NA ", False)]
    np.save(path, np.array(rows, dtype=[("n", "u1"), ("x", "f2"), ("text", "U4"), ("flag", "?")]))
    columns = read_columns(path)
    assert repr(columns["x"].tolist()) == "[0.5, nan]"
    assert (columns["n"].tolist(), columns["x"].dtype) == ([1.0, 2.0], np.float64)
    assert columns["text"].tolist() == ["a", None]
    assert columns["flag"].tolist() == ["True", "False"]  # as a CSV file of them would have
    assert columns.place(1) == "row 1"


def test_archives(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.arange(6.0).reshape(3, 2), y=np.array(["a", "b", "a"]))
    columns = read_columns(path)
    assert [*columns] == ["X0", "X1", "y"]
    table = fastbp.io.Table.learn(columns, target=["y"])
    assert table.inputs(columns).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert table.answers(columns).tolist() == [0, 1, 0]
    np.savez_compressed(path, age=[1, 2], name=["a", "b"])
    assert [*read_columns(path)] == ["age", "name"]


def test_files_of_numpy_that_are_no_tables(tmp_path):
    npy, npz = tmp_path / "data.npy", tmp_path / "data.npz"
    for array, message in {
        (2, 3, 4): "has an array of shape (2, 3, 4), expected two dimensions",
        (3,): "has an array of shape (3,)",
        (2, 0): "has no columns",
    }.items():
        np.save(npy, np.zeros(array))
        refuses(lambda: read_columns(npy), fastbp.DataError, f"{npy} {message}")
    for array, message in [
        (np.array([[1 + 1j]]), "'x0' has dtype complex128, expected numbers, bool or text"),
        (np.array([[1.0], [np.inf]]), "'x0' has inf in row 1, expected a number that float64 can hold"),
        (np.zeros((2, 2), [("a", "f8")]), "has an array of shape (2, 2), expected one dimension"),
        (np.zeros(2, [("a", "f8", 3)]), "'a' has the shape (2, 3), expected one value per row"),
    ]:
        np.save(npy, array)
        refuses(lambda: read_columns(npy), fastbp.DataError, message)
    np.savez(npz, a=np.zeros(2), b=np.zeros(3))
    refuses(lambda: read_columns(npz), fastbp.DataError, "'a' has 2 rows and 'b' has 3, expected the same")
    np.savez(npz, X=np.zeros((2, 2)), X0=np.zeros(2))  # the columns of X are X0 and X1
    refuses(lambda: read_columns(npz), fastbp.DataError, "has more than one column 'X0'")
    np.savez(npz)
    refuses(lambda: read_columns(npz), fastbp.DataError, "has no columns")
    np.save(npy, np.array([{}]), allow_pickle=True)  # code in the file must not run
    refuses(lambda: read_columns(npy), fastbp.DataError, "cannot be read: Object arrays cannot be loaded")
    npy.rename(npz)
    refuses(lambda: read_columns(npz), fastbp.DataError, "cannot be read")
    np.savez(npz, a=np.zeros(2))
    npz.rename(npy)
    refuses(lambda: read_columns(npy), fastbp.DataError, "is an archive of arrays")
    for content in (b"", b"\x93NUMPY", b"PK\x03\x04 damaged", bytes(200)):
        for path in (npy, npz):
            path.write_bytes(content)
            refuses(lambda path=path: read_columns(path), fastbp.DataError, "cannot be read")
    with pytest.raises(FileNotFoundError):
        read_columns(tmp_path / "missing.npz")


def test_damaged_archives(tmp_path):
    """Every flipped byte gives an error of fastbp or a table."""
    path = tmp_path / "data.npz"
    np.savez_compressed(path, X=np.arange(20.0).reshape(10, 2), y=np.arange(10))
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with suppress(fastbp.DataError):
            read_columns(path)


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="Parquet files need pyarrow")
    from pyarrow import parquet

    path = tmp_path / "data.parquet"
    table = {
        "n": arrow.array([1, None, 2**53 + 1]),
        "x": arrow.array([0.5, None, NAN], "float32"),
        "text": arrow.array(["a", None, " NA"]),
        "kind": arrow.array(["b", "c", "b"]).dictionary_encode(),
        "flag": arrow.array([True, None, False]),
        "nothing": arrow.nulls(3),
        "price": arrow.array([1, 2, None], arrow.decimal128(9, 2)),
    }
    parquet.write_table(arrow.table(table), path)
    columns = read_columns(path)
    assert {name: column.tolist() for name, column in columns.items() if column.dtype == object} == {
        "text": ["a", None, None],
        "kind": ["b", "c", "b"],
        "flag": ["True", None, "False"],
    }
    assert repr(columns["n"].tolist()) == "[1.0, nan, 9007199254740992.0]"
    assert repr(columns["x"].tolist()) == "[0.5, nan, nan]"
    assert repr(columns["price"].tolist()) == "[1.0, 2.0, nan]"
    parquet.write_table(arrow.table({"when": arrow.array([0], "timestamp[s]")}), path)
    refuses(lambda: read_columns(path), fastbp.DataError, "'when' has the type timestamp")
    parquet.write_table(arrow.table({"x": [1.0, np.inf]}), path)
    refuses(lambda: read_columns(path), fastbp.DataError, "'x' has inf in row 1")
    parquet.write_table(arrow.Table.from_arrays([arrow.array([1])] * 2, names=["a", "a"]), path)
    refuses(lambda: read_columns(path), fastbp.DataError, "more than one column 'a'")
    parquet.write_table(arrow.table({"x": [1.0], "__index_level_0__": [7]}), path)  # as pandas does
    assert [*read_columns(path)] == ["x"]
    offsets, content = np.array([0, 1], np.int32), b"\xff"
    odd = arrow.StringArray.from_buffers(1, *map(arrow.py_buffer, (offsets, content)))
    parquet.write_table(arrow.table({"text": odd}), path)
    refuses(lambda: read_columns(path), fastbp.DataError, "cannot be read", "0xff")
    path.write_bytes(b"PAR1 damaged PAR1")
    refuses(lambda: read_columns(path), fastbp.DataError, "cannot be read")
    with pytest.raises(FileNotFoundError):
        read_columns(tmp_path / "missing.parquet")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    imported = builtins.__import__

    def without(name, *more, **named):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError("No module named 'pyarrow'")
        return imported(name, *more, **named)

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'need pyarrow .*: pip install "fastbp\[parquet\]"'):
        read_columns(tmp_path / "data.parquet")
