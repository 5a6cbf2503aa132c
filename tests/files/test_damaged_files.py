"""Damaged and hostile files: each is refused with what is wrong, at little cost."""

import json
import os
import pickle
import re
import signal
import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbp
from fastbp._model_file.container import Reader
from helpers.model_files import F32, assembled, entry, header_of, put, refusal, sealed, with_header, written


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "model.safetensors"


@pytest.fixture(scope="module")
def sound(path):
    """Return the bytes of a file."""
    arrays = {
        "weights": np.arange(6.0).reshape(2, 3),
        "biases": np.ones(3, np.float32),
        "b": np.zeros(3, "u1"),
    }
    return written(path, arrays, {"format": 1, "version": "0.1.0", "names": ["a", "\\", "é"]})


def test_every_truncation(path, sound):
    messages = [refusal(path, sound[:n]) for n in range(len(sound))]
    assert messages[0] == "is an empty file"
    assert messages[8] == "is not a model file: it has only 8 bytes"
    assert {m for n, m in enumerate(messages) if n > 8 and "truncated" not in m} == set()


def test_every_flipped_bit(path, sound):
    """Of the length, the header and the arrays."""
    for at in range(len(sound)):
        for bit in range(8):
            data = bytearray(sound)
            data[at] ^= 1 << bit
            refusal(path, data)


def test_every_byte_too_many_or_missing(path, sound):
    for at in range(len(sound) + 1):
        refusal(path, sound[:at] + b"0" + sound[at:])
        refusal(path, sound[:at] + sound[at + 1 :] if at < len(sound) else sound + bytes(100))


def test_what_a_damaged_array_says(path, sound):
    data = sound[:-1] + b"\x01"
    right = re.search(rb'checksum\\":\\"(.{8})', sealed(data))[1].decode()
    stored = re.search(rb'checksum\\":\\"(.{8})', sound)[1].decode()
    assert refusal(path, data) == f"is damaged: its checksum is {right}, expected {stored}"


# ---- files of other kinds ----------------------------------------------------------------------------------


def safetensors(metadata):
    header = json.dumps(
        {"__metadata__": metadata, "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}
    )
    return len(header).to_bytes(8, "little") + header.encode() + bytes(4)


def test_other_kinds_of_files(path, tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones(3))
    kinds = {
        "is not a model file: it is not in the safetensors layout": [
            pickle.dumps(fastbp.Network([2, 1], seed=0)),
            (tmp_path / "a.npz").read_bytes(),
            b"epoch,loss,validation_loss\n",
            bytes(1000),
        ],
        "is not a model file: it is a safetensors file, but fastbp did not write it": [
            safetensors({}), safetensors({"format": "pt"}), b"\2" + bytes(7) + b"{}",
        ],
        "is not a model file: it has only 5 bytes": [b"hello"],
        "is an empty file": [b""],
    }  # fmt: skip
    for message, files in kinds.items():
        for data in files:
            assert refusal(path, data) == message


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in (tmp_path, tmp_path / "pipe", tmp_path / "socket", "/dev/null"):
            with pytest.raises(
                fastbp.ModelFileError, match=f"^{path} is not a model file: it is a folder, a de"
            ):
                Reader(path)
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "missing")


def test_a_pipe_that_takes_the_place_of_a_file_at_once(tmp_path, monkeypatch):
    """Opening does not wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    status = os.stat(tmp_path / "file")

    def late(number, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    try:
        monkeypatch.setattr(os, "stat", lambda path: status)
        with pytest.raises(fastbp.ModelFileError, match="is an empty file"):
            Reader(tmp_path / "pipe")
    finally:
        monkeypatch.undo()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("path", [None, 3, "", b"model", "a\0b", 0])
def test_what_is_no_path(path):
    with pytest.raises(
        fastbp.ParameterError, match=r"^path is .*, expected a path: a string or an os\.PathLike$"
    ):
        Reader(path)


# ---- files with the right checksum -------------------------------------------------------------------------

LONG = "9" * 5000
PART = '"dtype":"F32","shape":[2],"data_offsets":'
TWO = f'{{{{"a":{{{{{PART}{{}}}}}},"b":{{{{{PART}{{}}}}}}}}}}'

#: The JSON of arrays, and what is said of it.
ARRAYS = {
    '{"a":[]}': "'a' has [], expected dtype, shape, data_offsets",
    '{"a":null}': "'a' has None, expected dtype",
    '{"a":{}}': "'a' has {}, expected dtype",
    '{"a":{%s,"x":1}}' % F32: "expected dtype, shape, data_offsets",  # noqa: UP031
    '{"a":{"dtype":"F32","shape":[2]}}': "expected dtype, shape, data_offsets",
    '{"a":{%s},"a":{%s}}' % (F32, F32): "an object has two members of one name",  # noqa: UP031
    '{"a":{%s,"shape":[2]}}' % F32: "an object has two members of one name",  # noqa: UP031
    '{"__metadata__":{%s}}' % F32: "'__metadata__' has",  # noqa: UP031
    '{"\\ud800":{%s}}' % F32: "the name '\\ud800' is not Unicode",  # noqa: UP031
    "{}": "its arrays have 8 bytes, expected 0",
    '{"a":{%s}},' % F32: "not JSON",  # noqa: UP031
    '{"a":{%s}} 1 ' % F32: "not JSON",  # noqa: UP031
    entry(dtype="F31"): "'a' has the dtype 'F31'",
    entry(dtype="BOOL"): "'a' has the dtype 'BOOL'",
    entry(dtype="f4"): "'a' has the dtype 'f4'",
    entry(dtype="O" * 10**5): "'a' has the dtype 'OOO",
    entry(dtype=["F32"]): "'a' is described by",
    entry(shape=2): "'a' is described by",
    entry(shape="2"): "'a' is described by",
    entry(shape=None): "'a' is described by",
    entry(shape=[2.0]): "'a' is described by",
    entry(shape=[True, 2]): "'a' is described by",
    entry(shape=[-1, -2]): "'a' is described by",
    entry(shape=[[2]]): "'a' is described by",
    entry(shape=[3]): "'a' has the shape (3,) and 8 bytes",
    entry(shape=[]): "'a' has the shape () and 8 bytes",
    entry(shape=[0]): "'a' has the shape (0,) and 8 bytes",
    entry(shape=[2**63, 2**63, 2]): "'a' has the shape (9223372036854775808, 9223372036854775808, 2) and",
    entry(shape=[2**32, 2**32 + 1]): "'a' has the shape",
    entry(shape=[2] + [1] * 40): "'a' has the shape (2, 1, 1, 1, 1, 1, ...) and 8 bytes",
    entry(data_offsets=[0]): "'a' is described by",
    entry(data_offsets=[0, 8, 8]): "'a' is described by",
    entry(data_offsets=[0, 8.0]): "'a' is described by",
    entry(data_offsets=[False, 8]): "'a' is described by",
    entry(data_offsets=[-8, 0]): "'a' is described by",
    entry(data_offsets=[8, 0]): "'a' has the offsets [8, 0], expected 0 first",
    entry(data_offsets=[4, 8]): "'a' has the offsets [4, 8], expected 0 first",
    entry(data_offsets=[0, 7]): "its arrays have 8 bytes, expected 7",
    entry(data_offsets=[0, 9]): "is truncated: its arrays have 8 bytes, expected 9",
    entry(data_offsets=[0, 2**64]): "is truncated: its arrays have 8 bytes, expected 18446744073709551616",
    entry(data_offsets=[0, 10**400]): "is truncated",
    f'{{"a":{{"dtype":"F32","shape":[{LONG}],"data_offsets":[0,8]}}}}': "an integer has 5000 digits",
    f'{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,-{LONG}]}}}}': "an integer has 5001 digits",
    '{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}': "NaN is not JSON",
    '{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}': "beyond the largest float64",
    TWO.format([0, 8], [0, 8]): "'b' has the offsets [0, 8], expected 8 first",
    TWO.format([0, 8], [8, 4]): "'b' has the offsets [8, 4], expected 8 first",
    TWO.format([0, 8], [8, 8]): "'b' has the shape (2,) and 0 bytes",
    TWO.format([4, 8], [0, 4]): "'a' has the offsets [4, 8], expected 0 first",
    '{"a":' + "[" * 100_000 + "]" * 100_000 + "}": "nested too deeply",
}  # fmt: skip


def test_arrays_that_are_refused(path):
    put(path, assembled())
    Reader(path).close()
    for text, part in ARRAYS.items():
        assert part in refusal(path, assembled(text)), text[:200]


#: The JSON of descriptions, and what is said of it.
DESCRIPTIONS = {
    "{}": "its format is None, expected an integer >= 1",
    '{"format":0}': "its format is 0, expected an integer >= 1",
    '{"format":-1}': "its format is -1, expected",
    '{"format":true}': "its format is True, expected",
    '{"format":1.0}': "its format is 1.0, expected",
    '{"format":"1"}': "its format is '1', expected",
    '{"format":[1]}': "its format is [1], expected",
    '{"format":2,"version":"9.9"}': "was written by fastbp '9.9' in format 2, expected at most 1",
    '{"format":2}': "was written by fastbp None in format 2",
    '{"version":{},"format":99999999999999999999}': "was written by fastbp {} in format 99999999999999999999",
    '{"format":1,"format":1}': "two members of one name",
    '{"format":1,"checksum":"00000000"}': "two members of one name",
    '{"format":1,"x":{"a":1,"a":2}}': "two members of one name",
    '{"format":1,"x":[1,{"a":1,"\\u0061":2}]}': "two members of one name",
    '{"format":1,"x":NaN}': "NaN is not JSON",
    '{"format":1,"x":-Infinity}': "-Infinity is not JSON",
    '{"format":1,"x":1e309}': "beyond the largest float64",
    f'{{"format":{LONG}}}': "an integer has 5000 digits",
    '{"format":1,"x":' + "[" * 100_000 + "]" * 100_000 + "}": "nested too deeply",
    '{"format":1,"x":' + '{"":' * 50_000 + "1" + "}" * 50_000 + "}": "nested too deeply",
    '{"format":1,"x":"\n"}': "Invalid control character",
    '{"format":1,"x":"\\x"}': "escape",
    '{"format":1,,}': "not JSON",
    '{"format":1},}': "not JSON",
    "[1}": "not JSON",
}  # fmt: skip


def test_descriptions_that_are_refused(path):
    for text, part in DESCRIPTIONS.items():
        assert part in refusal(path, assembled(description=text)), text[:200]


def test_headers_that_are_refused(path, sound):
    """Changes of the text around arrays and description."""
    header = header_of(sound).rstrip()
    changes = {
        (b"{", b" {"): "not in the safetensors layout",
        (b'"}}', b'"} }'): "does not end with a checksum",
        (b'"}}', b'","x":"1"}}'): "does not end with a checksum",
        (b'"}}', b'"}}' + 8 * b" "): "does not end with a checksum",
        (b'"}}', b'"}}\n'): "does not end with a checksum",
        (b'"}}', b'"}}{}'): "does not end with a checksum",
        (b'"}}', b'"},"y":1}'): "does not end with a checksum",
        (b'"a', b'"\xff'): "not ASCII",
        (b'"a', "é".encode()): "not ASCII",
        (b'"a', b"\0"): "not JSON",
        (b"U8", b"U\n8"): "not JSON",
        (b'"__metadata__":{"fastbp":', b'"__metadata__":{"format":"pt","fastbp":'): "fastbp did not write it",
        (b',"__metadata__"', b'"__metadata__"'): "not JSON",
        (b',"__metadata__"', b',,"__metadata__"'): "not JSON",
        (b',"__metadata__"', b';"__metadata__"'): "not JSON",
        (b'{\\"format', b'{\\u0022format'): "not ASCII",
        (b'{\\"format', b'{\\\\\\"format'): "not JSON",
        (b'{\\"format', b'{"format'): "not JSON",
        (b'\\"checksum\\"', b'\\"x\\\\\\"checksum\\"'): "does not end with its checksum",
        (b'\\"checksum\\"', b'\\"Checksum\\"'): "does not end with a checksum",
    }  # fmt: skip
    assert with_header(sound, header) == sound
    for (old, new), part in changes.items():
        at = header.rindex(old) if old in (b'"}}', b"{\\") else header.index(old)
        data = with_header(sound, header[:at] + new + header[at + len(old) :])
        assert part in refusal(path, data), new
    odd = header + b" " * (len(header) % 8 == 0)
    assert "does not end with" in refusal(path, sealed(len(odd).to_bytes(8, "little") + odd))
    length = len(header_of(sound))
    for n in (0, 1, length - 8, length + 8, 2**63, 2**64 - 1):
        refusal(path, sealed(n.to_bytes(8, "little") + sound[8:]))


# ---- any bytes ---------------------------------------------------------------------------------------------


def accepted_or_refused(path, data):
    """Check that a file is refused, or can be read whole."""
    put(path, data)
    text = ""
    try:
        with Reader(path) as reader:
            for name, tensor in reader.tensors.items():
                assert reader.read(name).nbytes == tensor.stop - tensor.start <= len(data)
    except fastbp.ModelFileError as error:
        text = str(error)
    assert len(text) < 1000


@settings(max_examples=150)
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(min_size=1, max_size=4)), max_size=4
    )
)
def test_any_change_with_the_right_checksum(path, sound, changes):
    data = sound
    for share, length, new in changes:
        at = int(share * len(data))
        data = data[:at] + new + data[at + length :]
    accepted_or_refused(path, sealed(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "F64"]) | JSON,
        "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=3) | JSON,
        "data_offsets": st.just([0, 8]) | st.lists(st.integers(0, 16), min_size=2, max_size=2) | JSON,
    }
)


@settings(max_examples=150)
@given(arrays=st.dictionaries(st.text(max_size=3), ENTRIES | JSON, max_size=2), x=JSON)
def test_any_json(path, arrays, x):
    accepted_or_refused(path, assembled(json.dumps(arrays), json.dumps({"format": 1, "x": x})))


@settings(max_examples=100)
@given(data=st.binary(max_size=40), size=st.integers(0, 40))
def test_any_bytes(path, data, size):
    accepted_or_refused(path, data)
    accepted_or_refused(path, size.to_bytes(8, "little") + b"{" + data)
