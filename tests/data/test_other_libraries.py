"""Data of other libraries: frames of pandas and tensors of PyTorch."""

import warnings

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DTypeError, ShapeError
from fastbp._base.arrays import as_array

X = np.arange(12.0).reshape(4, 3) / 12


def test_only_libraries_that_the_user_has_imported_are_asked(python):
    run = python("""
        import sys, numpy, fastbp
        fastbp.Network([1, 1]).fit([[1.0]], [[2.0]])
        print({"numpy.ma", "pandas", "polars", "torch", "tqdm", "fastbp._base.frames"} & set(sys.modules))
    """)
    assert run.stdout == "set()\n", run.stderr


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas", reason="pandas is not installed")


@pytest.fixture
def frame(pandas):
    return pandas.DataFrame({"age": [30.0, 40.0, 50.0], "member": [True, False, True], "n": [1, 2, 3]})


def test_frames_of_numbers_and_bool(network_class, frame):
    expected = [[30, 1, 1], [40, 0, 2], [50, 1, 3]]
    for given in (frame, frame.astype({"age": "Float64", "member": "boolean", "n": "Int64"})):
        found = as_array("X", given)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)
        net = network_class([3, 1], seed=0)
        assert net.fit(given, given["n"]).loss == network_class([3, 1], seed=0).fit(expected, [1, 2, 3]).loss
    assert as_array("X", frame[["member"]].astype("boolean")).dtype == bool
    assert as_array("X", frame["n"].astype("UInt8")).dtype == np.uint8
    assert as_array("X", frame.index).dtype == np.int64


def test_one_block_of_a_frame_is_not_copied(pandas):
    given = pandas.DataFrame(X)
    assert np.shares_memory(as_array("X", given), given.to_numpy())


def test_missing_values_are_named(network_class, frame):
    frame["n"] = frame["n"].astype("Int64")
    frame.loc[1, "n"] = None
    for call in ("fit", "evaluate"):
        with pytest.raises(DataError, match=r"^column 'n' of X has no value in row 1, expected .*fillna"):
            getattr(network_class([3, 1]), call)(frame, [1, 2, 3])
    with pytest.raises(DataError, match=r"^column 'n' of X has no value in row 1"):
        network_class([3, 1]).predict(frame)
    with pytest.raises(DataError, match=r"^y has no value in row 1"):
        network_class([2, 1]).fit(frame[["age", "member"]], frame["n"])


def test_columns_without_numbers_are_named(pandas, frame):
    text = pandas.Series(["a", "b", "a"])
    for column in (
        text,
        text.astype("category"),
        text.astype(object),
        pandas.Series([1, None, 2.5], dtype=object),
        pandas.to_datetime(pandas.Series(["2020-01-01"] * 3)),
        pandas.Series(pandas.interval_range(0, 3)),
    ):
        with pytest.raises(DTypeError, match=r"^column 'town' of X has dtype .*encode classes"):
            as_array("X", frame.assign(town=column))
        with pytest.raises(DTypeError, match=r"^y has dtype .*encode classes"):
            as_array("y", column)


def test_a_lazy_frame_is_refused_with_advice():
    polars = pytest.importorskip("polars")
    with pytest.raises(DTypeError, match=r"^X has dtype object \(LazyFrame\), .*: its collect\(\) returns"):
        fastbp.Network([1, 1]).fit(polars.DataFrame({"a": [1.0, 2.0]}).lazy(), [1.0, 2.0])


def test_sparse_columns_and_empty_frames(pandas):
    sparse = pandas.get_dummies(pandas.Series(["a", "b"]), sparse=True)
    np.testing.assert_array_equal(as_array("X", sparse), np.eye(2))
    with pytest.raises(ShapeError, match="X has 0 columns"):
        fastbp.Network([2, 1]).fit(pandas.DataFrame(index=range(3)), [1, 2, 3])


def test_tensors(network_class, torch):
    tensor = torch.ones(4, 3)
    assert np.shares_memory(as_array("X", tensor), tensor.numpy())
    net = network_class([3, 1])
    for given, word in (
        (torch.ones(4, 3, requires_grad=True), "detach"),
        (torch.ones(4, 3, dtype=torch.bfloat16), "BFloat16"),
        (torch.ones(4, 3).to_sparse(), "sparse|Sparse"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for call in (net.predict, lambda given: net.fit(given, np.ones(4))):
                with pytest.raises(DTypeError, match=rf"^X is a Tensor that NumPy cannot read.*({word})"):
                    call(given)
