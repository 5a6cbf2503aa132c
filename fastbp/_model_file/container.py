"""The container of model files: named arrays and a description in the safetensors layout, with a checksum.

A file is, in this order:

- 8 bytes: N, the length of the header, as a little-endian unsigned integer, a multiple of 8;
- N bytes: the header, JSON in ASCII, with up to 7 spaces at its end:
  `{"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},...,"__metadata__":{"fastbp":"TEXT"}}`;
- the arrays, in the order of the header, without gaps, each in C order and little-endian. Offsets count from
  the end of the header.

TEXT is the description, itself JSON in ASCII, as a JSON string. Its last member is the checksum, 8
hexadecimal digits: the CRC-32 of all bytes of the file except these 8.
"""

from __future__ import annotations

import math
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from itertools import cycle
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp._model_file import header as headers
from fastbp._model_file.atomic import where_supported, write_all
from fastbp.exceptions import DTypeError, ModelFileError

FORMAT = 1  # the newest format that this version reads, and the one that it writes
PIECE = 1 << 20  # bytes that are copied and checked at once, while they are in the cache; to read, half of it
LARGE = 1 << 23  # bytes of arrays from which on it pays to write them in a thread

#: The dtypes of arrays, by their names in the file.
DTYPES = {
    name: np.dtype(code)
    for name, code in {
        "F64": "f8", "F32": "f4", "F16": "f2",
        "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
        "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1",
    }.items()
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MOST_DIMENSIONS = 32
MOST_BYTES = 2**62  # of an array, counting dimensions of length 0 as 1: NumPy needs it to fit into an intp


class Tensor(NamedTuple):
    """Dtype, shape and place of an array in a file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int  # of its first byte, from the beginning of the file
    stop: int


def write(file: FileIO, tensors: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> None:
    """Write a container.

    Another thread may change the arrays meanwhile: the file then has some old and some new numbers, and the
    checksum of these.

    Parameters
    ----------
    file : FileIO
        An empty, unbuffered file that is open for writing.
    tensors : mapping of arrays
        Arrays of any shape, of dtypes in `DTYPES`.
    description : mapping
        Values that JSON can hold, except NaN and infinity. No member is called "checksum".

    Raises
    ------
    DTypeError
        A file cannot hold the dtype of an array.
    ModelFileError
        The description needs so much memory that a reader would refuse it, or is not JSON.
    OSError
        The file cannot be written.
    """
    arrays = {name: np.asarray(array) for name, array in tensors.items()}
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)  # so that all are aligned
    listed, end = {}, 0
    for name in order:
        array = arrays[name]
        stop = end + array.nbytes
        listed[name] = {"dtype": _name(name, array), "shape": array.shape, "data_offsets": (end, stop)}
        end = stop
    try:
        head, place = headers.compose(listed, description, end)
    except ValueError as error:
        raise ModelFileError(f"the file that would be written {error}") from None
    checksum = zlib.crc32(head[place + headers.DIGITS :], zlib.crc32(head[:place]))
    # known sizes make writing faster, and a full disk is known at once
    where_supported(os.posix_fallocate, file.fileno(), 0, len(head) + end)
    write_all(file, memoryview(head))
    write_pieces = _write_behind if end >= LARGE else _write_each
    checksum = write_pieces(file, _pieces([arrays[name] for name in order]), checksum)
    file.seek(place)
    write_all(file, memoryview(b"%08x" % checksum))


def _name(name: str, array: NDArray[Any]) -> str:
    """Return the name of an array's dtype; DTypeError if it has none."""
    dtype = array.dtype.newbyteorder("=")
    if dtype not in NAMES:
        raise DTypeError(f"{name} has dtype {array.dtype}, expected one of: {', '.join(map(str, NAMES))}")
    return NAMES[dtype]


def _pieces(arrays: Iterable[NDArray[Any]]) -> Iterator[memoryview]:
    """Yield copies of the bytes of arrays, piece by piece; each is valid until the next but one."""
    buffers = cycle([np.empty(PIECE, np.uint8), np.empty(PIECE, np.uint8)])
    for array in arrays:
        flat = array.reshape(-1)  # a copy only if the array is not contiguous
        per_piece = PIECE // array.itemsize
        for first in range(0, flat.size, per_piece):
            part, buffer = flat[first : first + per_piece], next(buffers)
            buffer.view(array.dtype.newbyteorder("<"))[: part.size] = part
            yield buffer.data[: part.nbytes]


def _write_each(file: FileIO, pieces: Iterable[memoryview], checksum: int) -> int:
    """Write pieces; return the checksum, continued with them."""
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        write_all(file, piece)
    return checksum


def _write_behind(file: FileIO, pieces: Iterable[memoryview], checksum: int) -> int:
    """Like `_write_each`, but a thread writes each piece while the next one is copied and checked."""
    from concurrent.futures import Future, ThreadPoolExecutor  # whose import takes longer than a small file

    with ThreadPoolExecutor(1) as thread:
        writing: Future[None] | None = None
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
            if writing is not None:
                writing.result()
            writing = thread.submit(write_all, file, piece)
        if writing is not None:
            writing.result()
    return checksum


class Reader:
    """A container that is open for reading; the constructor has checked all of it.

    A file that is refused costs less memory than twice its size and 33 MB. The arrays are not read before
    `read` and `read_into`.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Attributes
    ----------
    path : str
    description : dict
        What was given to `write`.
    tensors : dict of Tensor
        The arrays by name, in the order of the file.

    Raises
    ------
    ParameterError
        The path is no path.
    ModelFileError
        The file is no container, is damaged, or has a later format.
    OSError
        The file cannot be opened or read.
    """

    description: dict[str, Any]
    tensors: dict[str, Tensor]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = arguments.path("path", path)
        if not stat.S_ISREG(os.stat(self.path).st_mode):
            self._refuse("is not a model file: it is a folder, a device or a pipe")
        self._file = FileIO(self.path, "r", opener=_open)
        try:
            self._check()
        except ModelFileError:  # which has the path already
            self.close()
            raise
        except ValueError as error:
            self.close()
            raise ModelFileError(f"{self.path} {error}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, name: str) -> NDArray[Any]:
        """Return an array of the file; KeyError if it has none of this name."""
        tensor = self.tensors[name]
        array = np.empty(tensor.shape, tensor.dtype)
        self.read_into(name, array)
        return array

    def read_into(self, name: str, out: NDArray[Any]) -> None:
        """Read an array of the file into `out`, in C order.

        Raises
        ------
        KeyError
            The file has no array of this name.
        ModelFileError
            `out` has another dtype or shape, or the file was changed after it was opened.
        OSError
            The file cannot be read.
        """
        tensor = self.tensors[name]
        if (out.dtype, out.shape) != (tensor.dtype, tensor.shape):
            self._refuse(
                f"has {shown(name)} of shape {tensor.shape} and dtype {tensor.dtype}, "
                f"expected shape {out.shape} and dtype {out.dtype}"
            )
        self._file.seek(tensor.start)
        self._fill(out.reshape(-1).view(np.uint8).data)
        if not out.dtype.newbyteorder("<").isnative:
            out.byteswap(inplace=True)

    def _check(self) -> None:
        """Check the file and parse its header; ValueError, whose text follows the path, if it is bad."""
        size = os.fstat(self._file.fileno()).st_size
        n = self._length(size)
        n_bytes = size - headers.LENGTH - n
        headers.check_length(n, n_bytes)
        parts = headers.split(n.to_bytes(headers.LENGTH, "little"), self._bytes(n))
        headers.check_memory(parts.arrays, "", n_bytes)
        arrays = headers.parsed(parts.arrays)
        headers.check_places(arrays, n_bytes)
        checksum = f"{self._checksum(parts.checksum, n_bytes):08x}"
        if checksum != parts.digits:
            raise ValueError(f"is damaged: its checksum is {checksum}, expected {parts.digits}")
        text = headers.text_of(parts.description)
        headers.check_memory(parts.arrays, text, n_bytes)
        self.description = headers.described(text, parts.digits)
        _check_format(self.description)
        start = size - n_bytes
        self.tensors = {name: _tensor(name, array, start) for name, array in arrays.items()}

    def _length(self, size: int) -> int:
        """Return the length of the header; ValueError if this is no file with one."""
        if size <= headers.LENGTH:
            raise ValueError(f"is not a model file: it has only {size} bytes" if size else "is an empty file")
        n = int.from_bytes(self._bytes(headers.LENGTH), "little")
        if self._bytes(1) != b"{":
            raise ValueError("is not a model file: it is not in the safetensors layout")
        if n > size - headers.LENGTH:
            raise ValueError(f"is truncated: it has {size} bytes, expected at least {headers.LENGTH + n}")
        self._file.seek(headers.LENGTH)
        return n

    def _checksum(self, checksum: int, n_bytes: int) -> int:
        """Return the checksum continued with the rest of the file, of `n_bytes`."""
        buffer = memoryview(bytearray(min(PIECE // 2, n_bytes)))
        while n_bytes:
            piece = buffer[:n_bytes]
            self._fill(piece)
            checksum = zlib.crc32(piece, checksum)
            n_bytes -= len(piece)
        return checksum

    def _bytes(self, n: int) -> bytearray:
        """Read the next n bytes."""
        data = bytearray(n)
        self._fill(memoryview(data))
        return data

    def _fill(self, out: memoryview) -> None:
        """Read the next bytes into `out`; ModelFileError if there are not so many."""
        while out:
            n = self._file.readinto(out)
            if not n:
                self._refuse("is truncated: another program has made it shorter while it was read")
            out = out[n:]

    def _refuse(self, text: str) -> NoReturn:
        raise ModelFileError(f"{self.path} {text}")


def _open(path: str, flags: int) -> int:
    """Open a file; do not wait if it has become a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_format(description: dict[str, Any]) -> None:
    """Check that this version can read the format; ValueError if not."""
    found = description.get("format")
    if type(found) is not int or found < 1:
        raise ValueError(f"is damaged: its format is {shown(found)}, expected an integer >= 1")
    if found > FORMAT:
        version = shown(description.get("version"))
        raise ValueError(
            f"was written by fastbp {version} in format {shown(found)}, expected at most {FORMAT}"
        )


def _tensor(name: str, array: dict[str, Any], start: int) -> Tensor:
    """Return what the header says of an array; ValueError if dtype, shape and size do not agree."""
    shape, (begin, stop) = tuple(array["shape"]), array["data_offsets"]
    dtype = DTYPES.get(array["dtype"])
    if dtype is None:
        raise ValueError(f"is damaged: {shown(name)} has the dtype {shown(array['dtype'])}")
    room = math.prod(max(length, 1) for length in shape) * dtype.itemsize
    n_bytes = math.prod(shape) * dtype.itemsize
    if len(shape) > MOST_DIMENSIONS or room > MOST_BYTES or n_bytes != stop - begin:
        raise ValueError(f"is damaged: {shown(name)} has the shape {shown(shape)} and {stop - begin} bytes")
    return Tensor(dtype, shape, start + begin, start + stop)
