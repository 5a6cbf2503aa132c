"""Blocks of text files that are so plain that pandas or polars read them as Python's csv module does."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.io._fields import LONGEST, MISSING, SPACES

Array: TypeAlias = NDArray[Any]

#: Takes a plain block, the delimiter, and the indices of the wanted columns, in order, and of those with
#: text; returns for each wanted column its fields, or its float64 numbers if they certainly equal those of
#: `numbers_in`. It may return a missing field as an empty one.
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
    exact = {"float_precision": "round_trip"} if int(pandas.__version__.partition(".")[0]) < 3 else {}

    def columns(wanted: Collection[int], text: Collection[int]) -> Iterator[tuple[int, Any]]:
        frame = pandas.read_csv(
            io.BytesIO(block),
            sep=delimiter,
            header=None,
            usecols=[*wanted],
            dtype={j: object for j in wanted if j in text},
            na_values=[*MISSING],
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            low_memory=False,
            **exact,
        )
        return ((j, frame[j].to_numpy()) for j in wanted)

    found: dict[int, Any] = {}
    unsure = []
    for j, column in columns(wanted, text):
        if j in text:
            found[j] = _pandas_fields(column)
        elif column.dtype.kind in "iuf" and not np.isinf(column := column.astype(np.float64)).any():
            found[j] = column
        else:
            unsure.append(j)
    if unsure:
        found |= {j: _pandas_fields(column) for j, column in columns(unsure, unsure)}
    return found


def _pandas_fields(column: Array) -> list[str]:
    """Return a column of strings in which NaN stands for missing ones, which become empty."""
    return [field if isinstance(field, str) else "" for field in column.tolist()]


def by_polars(block: bytes, delimiter: str, wanted: Collection[int], text: Collection[int]) -> dict[int, Any]:
    """Read a block as a `Reader` does, with polars."""
    polars: Any = import_module("polars")
    frame = polars.read_csv(
        block,
        has_header=False,
        separator=delimiter,
        quote_char=None,
        infer_schema_length=0,
        columns=[*wanted],
    ).with_columns(polars.all().fill_null(""))  # what it makes of empty fields
    names = dict(zip(wanted, frame.columns, strict=True))
    numbers = _polars_numbers(polars, frame.select([names[j] for j in wanted if j not in text]))
    return {j: numbers[name] if name in numbers else frame[name].to_list() for j, name in names.items()}


def _polars_numbers(polars: Any, frame: Any) -> dict[str, Array]:
    """Return the columns of strings in which all are numbers, or missing: NaN."""
    every = polars.all()
    fields = frame.select(every.str.strip_chars(SPACES))
    is_missing = fields.select(every.is_in([*MISSING]))
    are_numbers = fields.select((every.is_in([*MISSING]) | every.str.contains(NUMBER)).all())
    numbers = fields.select(every.cast(polars.Float64, strict=False))
    found = {}
    for name in frame.columns:
        if are_numbers[name][0]:
            missing = is_missing[name].to_numpy()
            values: Array = np.array(numbers[name].to_numpy(), dtype=np.float64)
            if (np.isfinite(values) | missing).all():
                values[missing] = np.nan
                found[name] = values
    return found


READERS: dict[str, Reader] = {"pandas": by_pandas, "polars": by_polars}
