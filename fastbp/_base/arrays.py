"""Conversion of user data to plain NumPy arrays, before shapes and values are checked.

Subclasses, tables and array-likes become base-class arrays here: none of their methods is called later.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._core import hold
from fastbp.exceptions import DTypeError, ShapeError

Array: TypeAlias = NDArray[Any]

#: Type numbers of the dtypes that are read: real numbers of at most 64 bits, in any byte order.
REAL = frozenset(np.dtype(code).num for code in "?bhilqBHILQefd")
OBJECT = np.dtype(object).num
NUMBERS = "real numbers (float16, 32, 64, integers or bool)"
FLAT = (str, bytes, bytearray, memoryview, range)  # sequences that hold no arrays

#: By library, the classes that `fastbp._base.frames` reads.
FRAMES = {
    "pandas": ("DataFrame", "Series", "Index"),
    "polars": ("DataFrame",),
    "pyarrow": ("Table", "RecordBatch"),
}

#: What classes have whose objects NumPy or fastbp reads as an array.
ARRAY_PROTOCOLS = (
    "__array__", "__array_interface__", "__array_struct__", "__dlpack__", "__dataframe__", "toarray"
)  # fmt: skip


def as_array(argument: str, value: Any, names: tuple[str, ...] | None = None) -> Array:
    """Return `value` as a base-class array of real numbers; an array is not copied.

    Parameters
    ----------
    argument : str
        Name of the value in error messages.
    value : array_like
        Also a data frame with numeric columns, a pandas Series or Index, or any object with the buffer, array
        or DLPack protocol.
    names : tuple of str, optional
        Names of the columns, for a frame with names: it is read in this order.

    Returns
    -------
    ndarray
        A new array object with a dtype of `REAL`. If `value` is an array, they share their data, but the new
        object keeps its shape if the user reshapes the other.

    Raises
    ------
    DTypeError
        The value is masked, sparse or a generator, or does not hold real numbers.
    ShapeError
        Rows have different lengths, or a frame has other names.
    DataError
        A nullable column of a frame has a missing value.
    """
    if type(value) is np.ndarray:
        array = hold(value)
    else:
        array = base_array(argument, _numbers(argument, value, names))
    if array.dtype.num not in REAL:
        raise _no_numbers(argument, array)
    return array


def as_doubles(argument: str, value: Any) -> NDArray[np.float64]:
    """Return `value` as a new array of float64; errors as of `as_array`."""
    return as_array(argument, value).astype(np.float64)


def check_shape(argument: str, array: Array | None, expected: tuple[int, ...]) -> None:
    """Raise ShapeError unless an array, if there is one, has this shape."""
    if array is not None and array.shape != expected:
        raise ShapeError(f"{argument} has shape {array.shape}, expected {expected}")


def base_array(argument: str, value: Any) -> Array:
    """Like `as_array`, but elements may have any dtype."""
    kind = type(value)
    if hasattr(kind, "toarray"):  # NumPy would wrap a sparse matrix as a single object
        raise DTypeError(f"{argument} is a sparse {kind.__name__}, expected a dense array: use its toarray()")
    if _holds_masked(value):
        raise DTypeError(f"{argument} holds a masked array, expected plain arrays: use its filled(...)")
    array = _converted(argument, value)
    if issubclass(type(array), _loaded("numpy.ma", "MaskedArray")):
        raise DTypeError(f"{argument} is a masked array, expected a plain array: use its filled(...)")
    if array.ndim == 0 and issubclass(kind, Iterable) and array.dtype.num == OBJECT:
        name = "generator" if issubclass(kind, Iterator) else kind.__name__
        raise DTypeError(
            f"{argument} is a {name}, expected an array: numpy.array(list(...)) builds one from its rows; "
            "fit, evaluate and predict take iterables of batches in place of X, without y"
        )
    return hold(array)


def _converted(argument: str, value: Any) -> Any:
    """Convert the value with NumPy; subclasses stay, so that masked arrays can be recognized."""
    kind = type(value)
    is_dlpack = hasattr(kind, "__dlpack__") and not hasattr(kind, "__array__")
    try:
        return np.from_dlpack(value) if is_dlpack else np.asanyarray(value)
    except MemoryError:
        raise
    except Exception as error:  # from the library that made the value
        if isinstance(error, ValueError) and issubclass(kind, Sequence):
            raise ShapeError(
                f"{argument} does not form an array, expected rows of one length: {error!s:.200}"
            ) from None
        raise DTypeError(
            f"{argument} is a {kind.__name__} that NumPy cannot read: {type(error).__name__}: {error!s:.200}"
        ) from error


def read_only(array: Array) -> Array:
    """Return a read-only view for a user function, which cannot make it writable again."""
    return np.asarray(array.data.toreadonly())


def are_batches(value: Any) -> bool:
    """Tell whether a value is an iterable of batches rather than an array: an iterator, a DataLoader, ...

    Sequences, mappings and sets are not, nor is anything that stands for an array.
    """
    kind = type(value)
    if issubclass(kind, (Sequence, np.ndarray)) or not issubclass(kind, Iterable):
        return False
    if issubclass(kind, Collection) and (hasattr(kind, "keys") or hasattr(kind, "isdisjoint")):
        return False
    return not _stands_for_an_array(value)


def is_a_sequence_of_batches(value: Any) -> bool:
    """Tell whether a value that cannot be rows may be a sequence of batches: a list, a deque, ..."""
    return _is_nested(type(value)) and not _stands_for_an_array(value)


def _stands_for_an_array(value: Any) -> bool:
    if any(hasattr(type(value), protocol) for protocol in ARRAY_PROTOCOLS):
        return True
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _loaded(module: str, *names: str) -> tuple[type, ...]:
    """Return classes of a module; none if it is not imported, because then no value can be an instance."""
    found = sys.modules.get(module)
    return tuple(getattr(found, name) for name in names if hasattr(found, name))


def _holds_masked(value: Any) -> bool:
    """Tell whether nested sequences contain a masked array, whose mask NumPy would ignore."""
    masked = _loaded("numpy.ma", "MaskedArray")
    level: list[Any] = [value] if masked and _is_nested(type(value)) else []
    seen: set[int] = set()
    while level:
        kinds = set(map(type, chain.from_iterable(level)))
        if any(issubclass(kind, masked) for kind in kinds):
            return True
        seen.update(map(id, level))  # a list may contain itself
        nested = set(filter(_is_nested, kinds))
        items = chain.from_iterable(level) if nested else ()
        level = [item for item in items if type(item) in nested and id(item) not in seen]
    return False


def _is_nested(kind: type) -> bool:
    return issubclass(kind, Sequence) and not issubclass(kind, FLAT)


# ---- frames ------------------------------------------------------------------------------------------------


def names_of(value: Any) -> tuple[str, ...] | None:
    """Return the names of a frame's columns if they are distinct strings; None for others."""
    library = _library_of(value)
    if library is None:
        return None
    from fastbp._base import frames  # few need it

    return frames.names_of(library, value)


def frame_rows(frame: Any, rows: Array) -> Any:
    """Return a frame of the rows with these indices (m,) of a frame."""
    from fastbp._base import frames  # few need it

    return frames.rows_of(_library_of(frame) or "", frame, rows)


def _numbers(argument: str, value: Any, names: tuple[str, ...] | None) -> Any:
    """Return the numbers of a frame or of a column, in their common dtype; any other value unchanged."""
    library = _library_of(value)
    if library is None:
        return value
    from fastbp._base import frames  # few need it

    return frames.numbers(library, argument, value, names)


def _library_of(value: Any) -> str | None:
    """Return the library of a frame or of a column; None for other values."""
    for library, classes in FRAMES.items():
        if issubclass(type(value), _loaded(library, *classes)):
            return library
    return None


# ---- errors ------------------------------------------------------------------------------------------------


def _no_numbers(argument: str, array: Array) -> DTypeError:
    """Return the error for an array that does not hold real numbers."""
    kinds = set(map(type, array.flat)) if array.dtype.num == OBJECT else {array.dtype.type}
    if any(issubclass(kind, (str, bytes)) for kind in kinds):
        return DTypeError(
            f"{argument} has dtype {array.dtype!s:.60}, expected {NUMBERS}, not text: encode classes as "
            f"labels 0, 1, ..., for instance with numpy.unique({argument}, return_inverse=True)"
        )
    what = f" ({', '.join(sorted(kind.__name__ for kind in kinds)[:5])})" if array.dtype.num == OBJECT else ""
    advice = ": astype(float) converts objects that are numbers" if what and array.ndim else ""
    if what and not array.ndim and hasattr(type(array.item()), "collect"):  # a lazy frame of polars
        advice = ": its collect() returns a data frame"
    return DTypeError(f"{argument} has dtype {array.dtype!s:.60}{what}, expected {NUMBERS}{advice}")
