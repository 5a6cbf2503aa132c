"""The header of model files: how it is composed, taken apart and parsed."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastbp._base.shown import memory, shown
from fastbp._model_file import strict_json

METADATA = "__metadata__"
ROOM = 32 << 20  # bytes that parsing a header may need, in addition to twice the size of the arrays
LENGTH = 8  # bytes before the header
DIGITS = 8  # of the checksum

_BEFORE_DESCRIPTION = f'"{METADATA}":{{"fastbp":"'.encode()  # with the first quotation mark of its JSON
_END = re.compile(
    rb'\\"checksum\\":\\"([0-9a-f]{8})\\"\}"(\}\} {0,7})\Z'
)  # of the description and of the header
_LONGEST_END = 64  # bytes; more than what matches _END
_LONGEST_FRAME = 64  # bytes of the header that belong neither to the list of arrays nor to the description
_MEMBERS = ("dtype", "shape", "data_offsets")


class Parts(NamedTuple):
    """A header that is taken apart but not parsed."""

    arrays: str  # a JSON object
    description: str  # a JSON string, whose text is a JSON object
    digits: str  # the checksum that the file should have
    checksum: int  # CRC-32 of the length and the header without these digits


def compose(arrays: Mapping[str, Any], description: Mapping[str, Any], n_bytes: int) -> tuple[bytes, int]:
    """Return the length and the header with a checksum of zeros, and the place of its digits in the file.

    Parameters
    ----------
    arrays : mapping
        For each name a dict with "dtype", "shape" and "data_offsets".
    description : mapping
        Values that JSON can hold.
    n_bytes : int
        Size of all arrays.

    Raises
    ------
    ValueError
        A name is not Unicode, the description has NaN or infinity, or a reader would refuse the header
        because of its size.
    """
    for name in arrays:
        if not is_text(name):
            raise ValueError(f"has an array called {shown(name)}, expected Unicode")
    text = _written({**description, "checksum": "0" * DIGITS})
    listed = _written(arrays)
    check_memory(listed, text, n_bytes)
    comma = "," if arrays else ""
    header = f"{listed[:-1]}{comma}{_BEFORE_DESCRIPTION.decode()}{_written(text)[1:]}}}}}".encode("ascii")
    place = LENGTH + len(header) - len('\\"}"}}') - DIGITS
    header += b" " * (-len(header) % LENGTH)
    return len(header).to_bytes(LENGTH, "little") + header, place


def _written(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def split(length: bytes, header: bytearray) -> Parts:
    """Take a header apart, which changes it; ValueError if fastbp did not write it."""
    end = _END.search(header, max(len(header) - _LONGEST_END, 0))
    # a quotation mark without backslash begins or ends a string, so the last match is no part of a string
    middle = header.rfind(_BEFORE_DESCRIPTION)
    if middle < 0:
        raise ValueError("is not a model file: it is a safetensors file, but fastbp did not write it")
    if end is None or len(header) % LENGTH or not header.isascii():
        raise ValueError("is damaged: its header is not ASCII, or does not end with a checksum")
    before = bytes(header[max(middle - 1, 0) : middle])
    if before != (b"{" if middle == 1 else b","):
        raise ValueError("is damaged: its header is not JSON")
    view = memoryview(header)
    checksum = zlib.crc32(view[end.end(1) :], zlib.crc32(view[: end.start(1)], zlib.crc32(length)))
    description = str(view[middle + len(_BEFORE_DESCRIPTION) - 1 : end.start(2)], "ascii")
    view[middle - 1] = ord("}")  # in the place of the comma, so that no copy is made
    arrays = str(view[:middle], "ascii") if middle > 1 else "{}"
    return Parts(arrays, description, end[1].decode(), checksum)


def check_length(n: int, n_bytes: int) -> None:
    """Refuse a header of n bytes that `check_memory` would refuse in any case, before it is read; ValueError.

    Parsing needs at least a byte per character, for which the description may have two in the header.
    """
    _check_need(n // 2 - _LONGEST_FRAME, n_bytes)


def check_memory(arrays: str, description: str, n_bytes: int) -> None:
    """Check that parsing these texts needs little memory, compared with the file; ValueError if not."""
    _check_need(strict_json.memory_bound(arrays) + strict_json.memory_bound(description), n_bytes)


def _check_need(needed: int, n_bytes: int) -> None:
    """Check that a header, which needs so much memory, is not too large beside arrays of `n_bytes`."""
    allowed = ROOM + 2 * n_bytes
    if needed > allowed:
        raise ValueError(
            f"has a header that could need {memory(needed)} of memory, expected at most {memory(allowed)}: "
            f"{memory(ROOM)} and twice the size of the arrays"
        )


def text_of(description: str) -> str:
    """Return the text in a JSON string of ASCII characters and no others; ValueError if it is not one.

    The argument begins with a quotation mark, so parsing it needs no memory but for one string.
    """
    if "\\u" in description.replace("\\\\", ""):
        raise ValueError("is damaged: its description is not ASCII")
    return str(parsed(description))


def parsed(text: str) -> Any:
    """Return the value of a JSON text of the header; ValueError if it is not JSON."""
    try:
        return strict_json.parse(text)
    except ValueError as error:
        raise ValueError(f"is damaged: its header is not JSON: {error}") from None


def described(text: str, digits: str) -> dict[str, Any]:
    """Return the description, without its checksum, which must be these digits and the last member."""
    description: dict[str, Any] = parsed(text)  # an object, because of the brace at the end of the text
    if [*description.items()][-1:] != [("checksum", digits)]:
        raise ValueError("is damaged: its description does not end with its checksum")
    del description["checksum"]
    return description


def check_places(arrays: Any, n_bytes: int) -> None:
    """Check the members of each array, and that the arrays fill `n_bytes` without gaps; ValueError if not."""
    end = 0
    for name, array in arrays.items():
        if not is_text(name):
            raise ValueError(f"is damaged: the name {shown(name)} is not Unicode")
        if name == METADATA or not isinstance(array, dict) or sorted(array) != sorted(_MEMBERS):
            raise ValueError(f"is damaged: {shown(name)} has {shown(array)}, expected {', '.join(_MEMBERS)}")
        dtype, shape, offsets = (array[member] for member in _MEMBERS)
        if not (isinstance(dtype, str) and _are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
            raise ValueError(f"is damaged: {shown(name)} is described by {shown(array)}")
        if not end == offsets[0] <= offsets[1]:
            raise ValueError(
                f"is damaged: {shown(name)} has the offsets {shown(offsets)}, expected {end} first"
            )
        end = offsets[1]
    if end != n_bytes:
        how = "truncated" if end > n_bytes else "damaged"
        raise ValueError(f"is {how}: its arrays have {n_bytes} bytes, expected {shown(end)}")


def is_text(name: str) -> bool:
    """Tell whether a string is Unicode: it has no lone surrogates, which other programs would refuse."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_sizes(values: Any) -> bool:
    """Tell whether these are integers >= 0 in a list."""
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
