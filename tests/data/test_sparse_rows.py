"""SciPy's CSR and CSC as rows that the engines take: entries in any order, duplicates, moments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp._data import sparse
from fastbp._data.scaling import measure
from fastbp._data.sparse import sparse_rows

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

FORMATS = [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.csc_matrix]
INDEX_DTYPES = ["i4", "i8", "u2", ">i4", "u8"]
DTYPES = ["f4", "f8", ">f4", "f2", "i1", "u8", "?"]


def kinds_of(parts):
    return [(part.dtype.str, part.tobytes()) for part in parts]


def parts_of(matrix):
    return matrix.indptr, matrix.indices, matrix.data


@st.composite
def compressed(draw):
    """Draw a matrix with entries in any order, some of them twice, beside parts of any dtype and layout."""
    n_rows, n_columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    kind = draw(st.sampled_from(FORMATS))
    is_by_row = issubclass(kind, (sp.csr_array, sp.csr_matrix))
    groups, members = (n_rows, n_columns) if is_by_row else (n_columns, n_rows)
    counts = draw(st.lists(st.integers(0, 5), min_size=groups, max_size=groups))
    entries, slack = sum(counts), draw(st.integers(0, 3))
    index, dtype = draw(st.sampled_from(INDEX_DTYPES)), draw(st.sampled_from(DTYPES))
    indices = draw(st.lists(st.integers(0, members - 1), min_size=entries, max_size=entries))
    numbers = draw(st.lists(st.integers(0, 100), min_size=entries, max_size=entries))
    step = draw(st.sampled_from([1, 2]))
    matrix = kind((n_rows, n_columns), dtype="f8")
    matrix.indptr = np.cumsum([0, *counts]).astype(index)
    matrix.indices = np.repeat(np.array([*indices, *[99] * slack], index), step)[::step]
    matrix.data = np.repeat(np.array([*numbers, *[1] * slack]).astype(dtype), step)[::step]
    return matrix


def added_up(matrix):
    """Return all elements, with duplicates added in their order and in their dtype."""
    is_by_row = matrix.format == "csr"
    dense = np.zeros(matrix.shape, matrix.data.dtype)
    for i in range(matrix.shape[0 if is_by_row else 1]):
        for k in range(int(matrix.indptr[i]), int(matrix.indptr[i + 1])):
            at = (i, int(matrix.indices[k])) if is_by_row else (int(matrix.indices[k]), i)
            dense[at] += matrix.data[k]
    return dense


@pytest.mark.parametrize("block", [2, sparse.BLOCK])
def test_rows_of_any_structure(block, monkeypatch):
    """Columns of each row ascend; the matrix of the user stays as it is; private parts are private."""
    monkeypatch.setattr(sparse, "BLOCK", block)

    @settings(max_examples=100)
    @given(compressed())
    def check(matrix):
        before = kinds_of(parts_of(matrix))
        with np.errstate(all="ignore"):
            expected = added_up(matrix)
        rows = sparse_rows("X", matrix, matrix.shape[1])
        assert rows.shape == matrix.shape
        assert rows.starts[0] == 0
        assert rows.starts[-1] == len(rows.columns) == len(rows.values)
        for i in range(len(rows)):
            assert (np.diff(rows.columns[rows.starts[i] : rows.starts[i + 1]]) > 0).all()
        assert rows.dtype == matrix.data.dtype
        np.testing.assert_array_equal(rows.toarray(), expected)
        assert (rows.columns.dtype, rows.starts.dtype) == (np.int32, np.int64)
        assert not any(
            np.shares_memory(a, b)
            for a in (rows.columns, rows.starts)
            for b in (matrix.indices, matrix.indptr)
        )
        assert kinds_of(parts_of(matrix)) == before

    check()


def test_entries_in_order_stay_where_they_are(rng):
    dense = rng.normal(size=(50, 7)) * (rng.random((50, 7)) < 0.3)
    matrix = sp.csr_array(dense)
    assert np.shares_memory(sparse_rows("X", matrix, 7).values, matrix.data)


def test_many_duplicates_are_added_as_scipy_adds_them(rng):
    """One after the other, in their dtype."""
    numbers = rng.normal(size=1000).astype("f4")
    for kind in FORMATS:
        matrix = kind((numbers, np.zeros(1000, int), [0, 1000]), shape=(1, 1))
        assert sparse_rows("X", matrix, 1).toarray() == matrix.toarray()


@pytest.mark.parametrize("block", [3, sparse.BLOCK])
def test_moments_with_an_offset(rng, block, monkeypatch):
    """An offset costs no digits, whether or not there are zeros; a constant column is measured exactly."""
    monkeypatch.setattr(sparse, "BLOCK", block)
    X = rng.integers(-3, 4, size=(64, 6)) + np.array([0, 2**40, 2**40, 0.1, 0, 2**40])
    X[:, 2] *= rng.random(64) < 0.5  # a half of them
    X[:, 3:5] = 0.1, 0
    X[0, 5] = 0
    rows = sparse_rows("X", sp.csr_array(X), 6)
    found = measure(rows)
    exact = X.astype(np.longdouble)
    mean = exact.mean(axis=0)
    np.testing.assert_allclose(found.mean, mean.astype(float), rtol=2e-16, atol=1e-17)
    scale = np.sqrt(np.square(exact - mean).mean(axis=0)).astype(float)
    np.testing.assert_allclose(found.scale[[0, 1, 2, 5]], scale[[0, 1, 2, 5]], rtol=4e-16)
    assert (found.mean[3], found.scale[3], found.mean[4], found.scale[4]) == (0.1, 1, 0, 1)
    part = measure(rows[10:40]).mean
    np.testing.assert_allclose(part, exact[10:40].mean(axis=0).astype(float), rtol=4e-16, atol=1e-17)
