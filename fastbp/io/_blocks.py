"""Blocks of text files that are so plain that pandas or polars read them as Python's csv module does."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.io._fields import LONGEST, MISSING, SPACES

Array: TypeAlias = NDArray[Any]

#: Takes a plain block, the delimiter, and the indices of the wanted columns, in order, and of those with text;
#: returns for each wanted column its fields, or float64 numbers that are certain to be those of `numbers_in`.
Reader: TypeAlias = Callable[[bytes, str, Collection[int], Collection[int]], dict[int, Any]]

FIRST, BLOCK = 1 << 16, 1 << 24  # bytes; the first block shows which columns hold text
WORTH_IT = 1 << 23  # bytes: reading less takes less time than importing a library
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def reader(library: str | None, n_bytes: int) -> Reader | None:
    """Return what reads plain blocks: that of a library, or of the first that is installed; None for csv."""
    if library is not None:
        return READERS.get(library)
    if n_bytes >= WORTH_IT:
        for name, found in READERS.items():
            try:
                import_module(name)
            except ImportError:
                continue
            return found
    return None


def plain(data: bytes, offset: int, delimiter: str, width: int) -> Iterator[tuple[bytes, int]]:
    """Yield blocks of whole lines from an offset on, each with the offset of its end, while they are plain.

    A plain block has `width` fields in each line, no quotation marks and no blank lines; its lines end in a
    newline alone.
    """
    size = FIRST
    while offset < len(data):
        end = data.find(b"\n", offset + size) + 1 or len(data)
        block = data[offset:end]
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if not block.endswith(b"\n"):
            block += b"\n"
        if not _is_plain(block, ord(delimiter), width):
            return
        yield block, end
        offset, size = end, BLOCK


def _is_plain(block: bytes, delimiter: int, width: int) -> bool:
    if b'"' in block or b"\r" in block:
        return False
    characters = np.frombuffer(block, np.uint8)
    is_end = characters == ord("\n")
    ends = np.flatnonzero(is_end | (characters == delimiter))  # of fields
    if len(ends) % width:
        return False
    lines = is_end[ends].reshape(-1, width)  # whether a field is the last of its line
    if not lines[:, -1].all() or lines[:, :-1].any():
        return False
    lengths = np.diff(ends, prepend=-1) - 1
    return bool(lengths.max() <= LONGEST and (width > 1 or lengths.min() > 0))


def by_pandas(block: bytes, delimiter: str, wanted: Collection[int], text: Collection[int]) -> dict[int, Any]:
    """Read a block as a `Reader` does, with pandas."""
    pandas: Any = import_module("pandas")
    options = {"sep": delimiter, "header": None, "quoting": csv.QUOTE_NONE, "skip_blank_lines": False}

    def columns(indices: Sequence[int], **more: Any) -> Iterator[tuple[int, Any]]:
        if not indices:
            return
        frame = pandas.read_csv(io.BytesIO(block), usecols=indices, low_memory=False, **options, **more)
        for j in indices:
            yield j, frame[j].to_numpy()

    if int(pandas.__version__.partition(".")[0]) < 3:
        options["float_precision"] = "round_trip"
    found: dict[int, Any] = {}
    unsure = [j for j in wanted if j in text]
    numeric = [j for j in wanted if j not in text]
    for j, column in columns(numeric, na_values=[*MISSING], keep_default_na=False):
        if column.dtype.kind in "iuf" and not np.isinf(column := column.astype(np.float64)).any():
            found[j] = column
        else:
            unsure.append(j)
    found |= {j: column.tolist() for j, column in columns(unsure, dtype=object, na_filter=False)}
    return found


def by_polars(block: bytes, delimiter: str, wanted: Collection[int], text: Collection[int]) -> dict[int, Any]:
    """Read a block as a `Reader` does, with polars."""
    polars: Any = import_module("polars")
    frame = polars.read_csv(
        block, has_header=False, separator=delimiter, quote_char=None, infer_schema=False, columns=[*wanted]
    )
    found: dict[int, Any] = {}
    for j, column in zip(wanted, frame.get_columns(), strict=True):
        fields = column.fill_null("")  # what it makes of empty fields
        numbers = None if j in text else _polars_numbers(polars, fields)
        found[j] = fields.to_list() if numbers is None else numbers
    return found


def _polars_numbers(polars: Any, column: Any) -> Array | None:
    """Return the numbers of a column of strings, NaN for missing ones; None if it has anything else."""
    fields = column.str.strip_chars(SPACES)
    is_missing = fields.is_in([*MISSING])
    if not (is_missing | fields.str.contains(NUMBER)).all():
        return None
    numbers = fields.cast(polars.Float64, strict=False)
    missing = is_missing.to_numpy()
    values: Array = np.array(numbers.to_numpy(), dtype=np.float64)
    is_sure = np.isfinite(values) | missing
    if not is_sure.all():
        return None
    values[missing] = np.nan
    return values


READERS: dict[str, Reader] = {"pandas": by_pandas, "polars": by_polars}
