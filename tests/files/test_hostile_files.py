"""Hostile model files: refusing them needs little memory, whatever they say."""

import pytest

import fastbp
from fastbp._model_file.container import Reader
from helpers.memory import traced_peak
from helpers.model_files import F32, assembled, entry, put, refusal, with_header

CONSTANT = 33 << 20  # bytes that a refusal may need, in addition to twice the size of the file


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "model.safetensors"


def hostile(n):
    """Yield files whose headers have about n bytes of text that needs as much memory as possible."""
    lists = "[" + "[[],[]]," * (n // 8) + "0]"
    members = "{" + ",".join(f'"{i:x}":[]' for i in range(n // 11)) + "}"
    escapes = '"' + "a" * n + '\\ud83d\\ude00"'
    for text in (lists, members, escapes, "[" * n, '"' * n, "[" + " " * n + "]"):
        yield assembled(f'{{"a":{text}}}')
        yield assembled(description=f'{{"format":0,"x":{text}}}')
    yield assembled(description='{"format":0,"x":"' + "\\\\" * (n // 4) + '"}')
    yield assembled("{" + ",".join(f'"{i:x}":{{{F32}}}' for i in range(n // 60)) + "}")
    for text in (lists, members, escapes):
        header = f'{{"__metadata__":{{"fastbp":{text[:-1]},"\\"checksum\\":\\"00000000\\"}}"}}}}'
        yield with_header(assembled("{}", payload=b""), header.encode())
    yield (n + 8).to_bytes(8, "little") + b"{" + b'"' * (n + 7)
    yield (2**62).to_bytes(8, "little") + b"{" + b" " * n


def check_costs(path, n):
    for data in hostile(n):
        size = len(data)
        put(path, data)
        del data

        def refused():
            with pytest.raises(fastbp.ModelFileError):
                Reader(path)

        assert traced_peak(refused) < 2 * size + CONSTANT


def test_refusals_need_little_memory(path):
    check_costs(path, 3 << 20)


@pytest.mark.slow
def test_refusals_of_large_headers_need_little_memory(path):
    check_costs(path, 64 << 20)


def test_shapes_that_numpy_does_not_have(path):
    for shape in ([0, 2**63], [2**31, 0, 2**31, 4], [0] * 33):
        data = assembled(entry(shape=shape, data_offsets=[0, 0]), payload=b"")
        assert "is damaged: 'a' has the shape" in refusal(path, data)


def test_sizes_in_the_file_are_not_trusted(path):
    """No memory is asked for before the file is known to have the bytes."""
    data = assembled(entry(shape=[2**40], data_offsets=[0, 2**42]))
    assert traced_peak(lambda: refusal(path, data)) < 1e6
