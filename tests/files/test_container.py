"""The container of model files: what is written comes back, and other programs can read it."""

import json
import os
import re
import threading
import zlib

import numpy as np
import pytest

import fastbp
from fastbp._model_file import atomic, container
from fastbp._model_file import header as headers
from fastbp._model_file.container import Reader
from helpers.memory import traced_peak
from helpers.model_files import ARRAYS, DESCRIPTION, assembled, entry, header_of, written


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def same(a, b):
    """Tell whether two arrays are the same, bit for bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_what_is_written_comes_back(path):
    written(path)
    with Reader(path) as reader:
        assert reader.description == DESCRIPTION
        assert {*reader.tensors} == {*ARRAYS}
        for name, array in ARRAYS.items():
            assert same(reader.read(name), array), name
            out = np.ones_like(array)
            reader.read_into(name, out)
            assert same(out, array), name


def test_a_file_without_arrays(path):
    written(path, {}, {"format": 1})
    with Reader(path) as reader:
        assert (reader.description, reader.tensors) == ({"format": 1}, {})


def test_arrays_of_any_layout_are_stored_in_c_order(path, rng):
    base = rng.normal(size=(6, 8))
    arrays = {
        "transposed": base.T,
        "strided": base[::2, ::-1],
        "big-endian": base.astype(">f8"),
        "misaligned": np.frombuffer(bytearray(base.nbytes + 1), np.uint8)[1:].view(np.float64).reshape(6, 8),
        "broadcast": np.broadcast_to(np.float32(2.0), (3, 2)),
    }
    written(path, arrays)
    with Reader(path) as reader:
        for name, array in arrays.items():
            native = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="))
            assert same(reader.read(name), native), name


@pytest.mark.parametrize("size", [-8, 0, 8])
def test_arrays_around_the_size_of_a_piece(path, rng, size):
    arrays = {"a": rng.bytes(2 * container.PIECE + size), "b": b"1"}
    arrays = {name: np.frombuffer(data, np.uint8) for name, data in arrays.items()}
    written(path, arrays)
    with Reader(path) as reader:
        assert all(same(reader.read(name), array) for name, array in arrays.items())


def test_the_bytes_are_as_documented(path):
    data = written(path)
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    text = header.pop("__metadata__")["fastbp"]
    description = json.loads(text)
    assert n % 8 == 0
    assert data[8 : 8 + n].isascii()
    assert [*description][-1] == "checksum"
    digits = description.pop("checksum")
    assert description == DESCRIPTION
    at = data.rindex(digits.encode(), 0, 8 + n)
    assert zlib.crc32(data[:at] + data[at + 8 :]) == int(digits, 16)
    end = 0
    for name, listed in header.items():
        first, last = listed["data_offsets"]
        array = ARRAYS[name]
        assert (first, last) == (end, end + array.nbytes)
        assert (8 + n + first) % array.itemsize == 0
        assert data[8 + n + first : 8 + n + last] == array.tobytes()
        assert listed["shape"] == [*array.shape]
        end = last
    assert end == len(data) - 8 - n
    assert (header["a"]["dtype"], header["steps"]["dtype"]) == ("F32", "U64")


def test_the_same_network_makes_the_same_bytes(path):
    assert written(path) == written(path)


def test_the_safetensors_package_reads_it(path):
    safetensors = pytest.importorskip("safetensors")
    numpy = pytest.importorskip("safetensors.numpy")
    written(path)
    found = numpy.load_file(path)
    assert {*found} == {*ARRAYS}
    assert all(same(found[name], array) for name, array in ARRAYS.items())
    with safetensors.safe_open(path, "numpy") as file:
        description = json.loads(file.metadata()["fastbp"])
    assert description.pop("checksum")
    assert description == DESCRIPTION


def test_torch_reads_it(path):
    load_file = pytest.importorskip("safetensors.torch").load_file
    written(path)
    found = load_file(path)
    assert {*found} == {*ARRAYS}
    assert all(same(found[name].numpy(), array) for name, array in ARRAYS.items())


# ---- writing -----------------------------------------------------------------------------------------------


class Reluctant:
    """A file whose writes take a few bytes each, and fail after some."""

    def __init__(self, file, most=1000, room=None):
        self.file, self.most, self.room = file, most, room

    def write(self, data):
        if self.room is not None and self.file.tell() >= self.room:
            raise OSError(28, "No space left on device")
        return self.file.write(data[: self.most])

    def seek(self, place):
        return self.file.seek(place)

    def fileno(self):
        return self.file.fileno()


def test_writes_that_take_only_a_part_are_continued(path):
    data = written(path)
    with open(path, "wb", buffering=0) as file:
        container.write(Reluctant(file, most=7), ARRAYS, DESCRIPTION)
    assert path.read_bytes() == data


def test_a_full_disk_is_an_os_error_and_the_old_file_stays(path):
    data = written(path)
    with pytest.raises(OSError, match="No space"), atomic.replacing(str(path)) as file:
        container.write(Reluctant(file, room=300), ARRAYS, DESCRIPTION)
    assert path.read_bytes() == data
    assert os.listdir(path.parent) == [path.name]


def test_large_files_are_written_in_a_thread(path, rng, monkeypatch):
    """With the same bytes and errors; pieces are short here, so that there are many."""
    arrays = ARRAYS | {"large": rng.normal(size=1000), "c": np.arange(999, dtype=np.float32)[::-1]}
    data = written(path, arrays)
    monkeypatch.setattr(container, "PIECE", 128)
    monkeypatch.setattr(container, "LARGE", 0)
    assert written(path, arrays) == data
    with open(path, "wb", buffering=0) as file:
        container.write(Reluctant(file, most=7), arrays, DESCRIPTION)
    assert path.read_bytes() == data
    with pytest.raises(OSError, match="No space"), atomic.replacing(str(path)) as file:
        container.write(Reluctant(file, room=3000), arrays, DESCRIPTION)
    assert path.read_bytes() == data


@pytest.mark.parametrize(("code", "is_written"), [(95, True), (28, False)])
def test_disks_that_cannot_reserve_room(path, monkeypatch, code, is_written):
    """Because they have no such operation, or no room."""

    def fail(*args):
        raise OSError(code, os.strerror(code))

    data = written(path)
    monkeypatch.setattr(os, "posix_fallocate", fail)
    if is_written:
        assert written(path) == data
    else:
        with pytest.raises(OSError, match="No space"):
            written(path)


def test_arrays_may_change_while_they_are_written(path):
    """The checksum belongs to the bytes of the file, whatever they were a moment later."""
    array, is_done = np.zeros(1 << 20, np.uint8), threading.Event()

    def change():
        while not is_done.is_set():
            array[:] += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(20):
            written(path, {"a": array})
            Reader(path).close()
    finally:
        is_done.set()
        thread.join()


def test_neither_writing_nor_opening_needs_memory_for_arrays(path):
    array = np.zeros(1 << 20)
    assert (
        traced_peak(lambda: written(path, {"a": array}, {"format": 1})) < array.nbytes + 2e6
    )  # it is read here
    assert traced_peak(lambda: Reader(path).close()) < 1e6


@pytest.mark.parametrize(
    "array", [np.zeros(2, bool), np.zeros(2, complex), np.array(["a"]), np.array([None])]
)
def test_dtypes_that_a_file_cannot_hold(path, array):
    with pytest.raises(
        fastbp.DTypeError, match=f"^a has dtype {re.escape(str(array.dtype))}, expected one of: f"
    ):
        written(path, {"a": array})
    assert not os.listdir(path.parent)


@pytest.mark.parametrize("x", [float("nan"), float("inf")])
def test_descriptions_that_are_not_json(path, x):
    with pytest.raises(fastbp.ModelFileError, match="JSON compliant"):
        written(path, {}, {"format": 1, "x": x})


def test_what_no_reader_would_take_is_not_written(path):
    with pytest.raises(
        fastbp.ModelFileError, match=r"header that could need .* expected at most 32 MB: 32 MB and twice"
    ):
        written(path, {}, {"format": 1, "names": [[]] * 300_000})
    names = [f"feature {i}" for i in range(130_000)]
    written(path, {}, {"format": 1, "names": names})
    with Reader(path) as reader:
        assert reader.description["names"] == names


def test_a_thousand_layers_can_be_read(path):
    """With as much text per layer as there is."""
    layer = {f"option {i}": {"type": "Dense", "x": [0.1, 1, None]} for i in range(6)}
    arrays = {f"layers.{i}.{part}": np.ones((1, 1)) for i in range(1000) for part in ("weights", "biases")}
    written(path, arrays, {"format": 1, "layers": [layer] * 1000})
    with Reader(path) as reader:
        assert len(reader.tensors) == 2000


# ---- reading -----------------------------------------------------------------------------------------------


def test_arrays_that_do_not_fit(path):
    written(path)
    with Reader(path) as reader:
        for out in (np.empty((3, 2), np.float32), np.empty((2, 3)), np.empty((2, 3), ">f4")):
            with pytest.raises(
                fastbp.ModelFileError, match=r"has 'a' of shape \(2, 3\) and dtype float32, exp"
            ):
                reader.read_into("a", out)


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_file_that_becomes_shorter_while_it_is_open(path, keep):
    data = written(path)
    with Reader(path) as reader:
        os.truncate(path, keep % len(data))
        with pytest.raises(fastbp.ModelFileError, match=f"^{path} is truncated: another program"):
            reader.read("bytes")  # the last one


def test_a_file_that_becomes_shorter_while_it_is_checked(path, monkeypatch):
    written(path)

    def shorten(length, header):
        os.truncate(path, 8 + len(header))
        return split(length, header)

    split = headers.split
    monkeypatch.setattr(headers, "split", shorten)
    with pytest.raises(fastbp.ModelFileError) as refused:
        Reader(path)
    assert str(refused.value).startswith(f"{path} is truncated: another program")


def test_a_file_that_is_replaced_while_it_is_open(path):
    written(path)
    with Reader(path) as reader:
        written(path, {}, {"format": 1})
        assert same(reader.read("a"), ARRAYS["a"])


def test_files_are_closed(path):
    written(path)
    before = os.listdir("/proc/self/fd")
    with Reader(path):
        pass
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(3):
        with pytest.raises(fastbp.ModelFileError):
            Reader(path)
    assert os.listdir("/proc/self/fd") == before


def test_shapes_of_zeros_can_be_read(path):
    path.write_bytes(assembled(entry(shape=[0, 2**40, 3], data_offsets=[0, 0]), payload=b""))
    with Reader(path) as reader:
        assert reader.read("a").shape == (0, 2**40, 3)


def test_a_number_in_a_string_that_looks_like_a_checksum(path):
    """Only the last one counts."""
    names = ['"checksum":"12345678"}"}}', 'checksum\\":\\"12345678\\"}"}}', '"__metadata__":{"fastbp":"']
    written(path, {name: np.ones(2) for name in names}, {"format": 1, "names": names, names[0]: names[1]})
    with Reader(path) as reader:
        assert [*reader.tensors] == names
        assert reader.description["names"] == names
    assert header_of(path.read_bytes()).isascii()


def test_a_header_that_is_too_long_is_not_read(path):
    """The file has its bytes, but they take no room on the disk: reading them would take it in memory."""
    n = 2**36
    path.write_bytes((n - 8).to_bytes(8, "little") + b"{")
    os.truncate(path, n)
    with pytest.raises(fastbp.ModelFileError, match="has a header that could need"):
        Reader(path)
