"""Columns of CSV and other text files."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._base.shown import shown
from fastbp.exceptions import DataError
from fastbp.io import _blocks
from fastbp.io._columns import Columns, listed
from fastbp.io._fields import LONGEST, SPACES, Cleaned, number_in, numbers_in

Array: TypeAlias = NDArray[Any]

DELIMITERS = ",;\t|"
FIELDS = 1 << 18  # are held as strings at a time
PIECE = 1 << 20  # bytes that are decoded at a time


class Source(NamedTuple):
    """The content of a text file, and what its header says."""

    path: str
    data: bytes  # UTF-8 without a byte order mark
    delimiter: str
    names: tuple[str, ...]
    begin: int  # line after the header, counted from 0
    offset: int  # place in `data` of that line


def read_text(path: str, *, delimiters: str = DELIMITERS, library: str | None = None) -> Columns:
    """Return the columns of a text file.

    Parameters
    ----------
    path : str
    delimiters : str
        Characters one of which separates fields: the one that makes the most fields of the header.
    library : {"pandas", "polars", "csv"}, optional
        What reads the file; None for the library that is quickest. The columns are the same with each.

    Raises
    ------
    DataError
        The file does not hold a table; the message names the line.
    OSError
        The file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read()
    source = _opened(path, data, delimiters)
    reader = _blocks.reader(library, len(data))
    everything = range(len(source.names))
    lines, columns = _gathered(source, reader, everything, set())
    mixed = [j for j in everything if j not in columns]  # text below numbers: read again, as text
    if mixed:
        columns |= _gathered(source, reader, mixed, set(mixed))[1]
    return Columns({name: columns[j] for j, name in enumerate(source.names)}, path, lines)


# ---- the header --------------------------------------------------------------------------------------------


def _opened(path: str, data: bytes, delimiters: str) -> Source:
    """Return the content with its header; DataError if it is not text or has no usable header."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is in UTF-16, expected UTF-8: save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    _check_text(path, data)
    headers, problem = {}, None
    for delimiter in delimiters:
        try:
            headers[delimiter] = _header(data, delimiter)
        except csv.Error as error:
            problem = problem or error
    best = max(headers, key=lambda delimiter: len(headers[delimiter][0]), default="")
    if problem is not None and (not headers or len(headers[best][0]) == 1):
        raise DataError(f"{path}, line 1: the header cannot be read: {problem}")
    fields, n_lines = headers[best]
    names = tuple(field.strip(SPACES) for field in fields)
    _check_names(path, names, n_lines)
    return Source(path, data, best, names, n_lines, _after(data, n_lines))


def _check_text(path: str, data: bytes) -> None:
    """Refuse a content that is not UTF-8, has a NUL byte, or is empty."""
    if (place := data.find(b"\0")) >= 0:
        raise DataError(f"{path}, line {_line(data, place)}: has a NUL byte, expected text in UTF-8")
    if not data.isascii():
        decoder = codecs.getincrementaldecoder("utf-8")()
        for begin in range(0, len(data), PIECE):
            pending = len(decoder.getstate()[0])  # bytes of a character from the piece before
            try:
                decoder.decode(data[begin : begin + PIECE], begin + PIECE >= len(data))
            except UnicodeDecodeError as error:
                place = begin - pending + error.start
                raise DataError(
                    f"{path}, line {_line(data, place)}: has the byte 0x{data[place]:02x}, which is not "
                    "UTF-8: save the file as UTF-8"
                ) from None
    if not data or data.isspace():
        raise DataError(f"{path} is empty, expected a line with the names of the columns")


def _line(data: bytes, place: int) -> int:
    """Return the number of the line, counted from 1, that has the byte at a place."""
    before = data[:place]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _after(data: bytes, n_lines: int) -> int:
    """Return the place after so many lines."""
    lines = io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="")
    return sum(len(line.encode()) for line in islice(lines, n_lines))


def _reader(data: bytes, delimiter: str, offset: int = 0) -> Any:
    """Return the csv module's reader of the lines from an offset on."""
    content = io.BytesIO(data)  # no copy
    content.seek(offset)
    lines = io.TextIOWrapper(content, "utf-8", newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _header(data: bytes, delimiter: str) -> tuple[list[str], int]:
    """Return the fields of the first line that is not blank, and the number of lines up to its end."""
    reader = _reader(data, delimiter)
    for fields in reader:
        if fields and (len(fields) > 1 or fields[0].strip(SPACES)):
            return fields, reader.line_num
    return [], 1


def _check_names(path: str, names: tuple[str, ...], line: int) -> None:
    """Refuse names that are empty, not distinct, or rather the first row of a file without header."""
    where = f"{path}, line {line}"
    if "" in names:
        raise DataError(
            f"{where}: column {names.index('') + 1} has no name: give it one, or leave it out (pandas writes "
            "such a column of row numbers, unless to_csv has index=False)"
        )
    numbers = [number_in(name) for name in names]
    if None not in numbers and not all(name.isdecimal() for name in names):
        raise DataError(
            f"{where}: has the numbers {listed(names)}, expected a header with the names of the columns"
        )
    if len(set(names)) < len(names):
        twice = [name for name, n in Counter(names).items() if n > 1]
        raise DataError(f"{where}: has more than one column {listed(twice)}, expected distinct names")


# ---- the rows ----------------------------------------------------------------------------------------------


def _gathered(
    source: Source, reader: _blocks.Reader | None, wanted: Collection[int], text: set[int]
) -> tuple[Array, dict[int, Array]]:
    """Return the line of each row and the wanted columns by their index, without those that mix.

    A column mixes if text follows after pieces of numbers; it must be read again, as one of `text`.
    """
    parts: dict[int, list[Array]] = {j: [] for j in wanted}
    cleaned = {j: Cleaned() for j in wanted}
    lines: list[Array] = [np.empty(0, np.int64)]
    too_large: dict[int, DataError] = {}
    for begins, fields in _pieces(source, reader, parts, text):
        lines.append(begins)
        for j in [*parts]:
            if j not in text:
                numbers = found if isinstance(found := fields[j], np.ndarray) else numbers_in(found)
                if numbers is not None:
                    parts[j].append(numbers)
                    if j not in too_large and np.isinf(numbers).any():
                        row = np.isinf(numbers).argmax()
                        too_large[j] = _too_large(source, j, begins[row], fields[j][row])
                    continue
                if parts[j]:
                    del parts[j]
                    continue
                text.add(j)
            parts[j].append(cleaned[j].text_in(fields[j]))
    columns = {}
    for j in [*parts]:
        if j in too_large:
            raise too_large[j]
        columns[j] = np.concatenate(parts.pop(j) or [np.empty(0)])
        if j not in text:
            columns[j] += 0.0  # -0.0 becomes 0.0, as libraries read "-0"
    return np.concatenate(lines), columns


def _too_large(source: Source, j: int, line: int, field: str) -> DataError:
    return DataError(
        f"{source.path}, line {line}: column {shown(source.names[j])} has {shown(field.strip(SPACES))}, "
        "expected a number that float64 can hold"
    )


def _pieces(
    source: Source, reader: _blocks.Reader | None, wanted: Collection[int], text: Collection[int]
) -> Iterator[tuple[Array, Any]]:
    """Yield pieces of the rows: the line of each row, and the fields or numbers of the wanted columns.

    A library reads the file up to the first block that is not plain, the csv module the rest.
    """
    offset, line = source.offset, source.begin
    if reader is not None:
        for block, end in _blocks.plain(source.data, offset, source.delimiter, len(source.names)):
            n = block.count(b"\n")
            fields = reader(block, source.delimiter, wanted, text) if wanted else {}
            yield np.arange(line + 1, line + n + 1), fields
            offset, line = end, line + n
    yield from _records(source, offset, line)


def _records(source: Source, offset: int, line: int) -> Iterator[tuple[Array, Any]]:
    """Yield what `_pieces` yields of the lines from an offset on, by the csv module."""
    width = len(source.names)
    most = max(FIELDS // width, 1)
    reader = _reader(source.data, source.delimiter, offset)
    begins: list[int] = []
    rows: list[list[str]] = []
    begin = 0
    try:
        for fields in reader:
            begin, end = reader.line_num, begin + line + 1
            if len(fields) != width:
                if not fields or (len(fields) == 1 and not fields[0].strip(SPACES)):
                    continue
                raise _ragged(source, end, len(fields))
            begins.append(end)
            rows.append(fields)
            if len(rows) == most:
                yield np.array(begins), [*zip(*rows, strict=True)]
                begins, rows = [], []
    except csv.Error as error:
        raise _not_csv(source, begin + line + 1, error) from None
    if rows:
        yield np.array(begins), [*zip(*rows, strict=True)]


def _ragged(source: Source, line: int, n: int) -> DataError:
    width = len(source.names)
    fields = f"{n} field{'s' * (n != 1)}"
    return DataError(f"{source.path}, line {line}: has {fields}, expected {width}, as in the header")


def _not_csv(source: Source, line: int, error: csv.Error) -> DataError:
    if "limit" in str(error):
        return DataError(
            f"{source.path}, line {line}: has a field of more than {LONGEST} characters: is a quotation mark "
            "missing?"
        )
    return DataError(f"{source.path}, line {line}: the row that begins here cannot be read: {error}")
