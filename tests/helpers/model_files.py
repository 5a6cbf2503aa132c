"""Model files that were put together by hand, so that they can be wrong in any way but the checksum."""

import json
import re
import zlib
from io import FileIO

import numpy as np
import pytest

import fastbp
from fastbp._model_file import atomic, container
from fastbp._model_file.container import Reader

DIGITS = re.compile(rb'checksum\\":\\"([0-9a-f]{8})\\"\}"\}\} *$')
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
F32 = '"dtype":"F32","shape":[2],"data_offsets":[0,8]'
LISTED = f'{{"a":{{{F32}}}}}'
DESCRIPTION = {
    "format": 1,
    "version": "0.1.0",
    "names": ['quo"te', '"checksum":"00000000"}', "back\\", "é\U0001f600"],
}
ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.arange(3.0),
    "steps": np.array(2**63 + 1, np.uint64),
    "signed": np.array([[-(2**63)]]),
    "empty": np.empty((0, 5), np.float32),
    "bytes": np.array([1, 2, 3], np.uint8),
    "é": np.array([1.5, -0.0, np.nan, np.inf], np.float16),
    "none": np.empty(0),
}


def written(path, arrays=ARRAYS, description=DESCRIPTION):
    """Write a container; return the bytes of the file."""
    with atomic.replacing(str(path)) as file:
        container.write(file, arrays, description)
    return path.read_bytes()


def header_of(data):
    """Return the header of a file."""
    return data[8 : 8 + int.from_bytes(data[:8], "little")]


def with_header(data, header):
    """Return a file with another header, of any length, and the same arrays; the checksum is right."""
    header += b" " * (-len(header) % 8)
    return sealed(len(header).to_bytes(8, "little") + header + data[8 + len(header_of(data)) :])


def sealed(data):
    """Return a file with the right checksum, computed here; or as it is if it has no place for one."""
    header = header_of(data)
    found = DIGITS.search(header)
    if found is None:
        return data
    first, last = (8 + place for place in found.span(1))
    checksum = zlib.crc32(data[:first] + data[last:])
    return data[:first] + b"%08x" % checksum + data[last:]


def assembled(arrays=LISTED, description='{"format":1}', payload=bytes(8)):
    """Return a file with these JSON texts; the description lacks only its checksum."""
    comma = "" if description.strip() == "{}" else ","
    text = json.dumps(f'{description[:-1]}{comma}"checksum":"00000000"}}')
    listed = arrays[:-1] + ("," if len(arrays) > 2 else "")
    header = f'{listed}"__metadata__":{{"fastbp":{text}}}}}'.encode()
    header += b" " * (-len(header) % 8)
    return sealed(len(header).to_bytes(8, "little") + header + payload)


def entry(**changes):
    """Return the JSON of one array called a, with some members changed."""
    return json.dumps({"a": ENTRY | changes})


def rewritten(path, to, change):
    """Write a file that differs: change(description, arrays) may do anything to both."""
    with container.Reader(str(path)) as reader:
        description, arrays = reader.description, {name: reader.read(name) for name in reader.tensors}
    change(description, arrays)
    with FileIO(to, "w") as file:  # without waiting for the disk
        container.write(file, arrays, description)


def parts(node, place=()):
    """Yield the place of each part of a description, a tuple of keys."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*place, key)
        yield from parts(child, (*place, key))


def put(path, data):
    """Write a file; without emptying it first, which makes some file systems wait for the disk."""
    with open(path, "r+b" if path.exists() else "wb") as file:
        file.write(data)
        file.truncate()


def refusal(path, data):
    """Return how a file of these bytes is refused; fail if it is not, or not by a ModelFileError."""
    put(path, data)
    try:
        Reader(path).close()
    except fastbp.ModelFileError as error:
        text = str(error)
    else:
        pytest.fail(f"not refused: {data!r:.500}")
    assert text.startswith(f"{path} ")
    return text[len(f"{path} ") :]
