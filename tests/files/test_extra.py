"""The member "extra" of the header: what parts above `Network` add to a file."""

import json

import numpy as np
import pytest

import fastbp
from fastbp.callbacks import Checkpoint
from helpers.inside import extra_tensors, read_extra, write_extra
from helpers.model_files import rewritten
from helpers.using import X

EXTRA = {
    "table": {"names": ["a", 'quo"te', "é\U0001f600", ""], "fill": [1.5, -0.0, 5e-324, 1e308], "n": 2**63},
    "nothing": None,
    "flags": [True, False, [], {}, [[1]]],
}


@pytest.fixture
def net():
    return fastbp.Network([3, 4, 2], seed=1)


def nested(depth):
    return [] if depth == 1 else [nested(depth - 1)]


def test_it_comes_back(net, tmp_path):
    path = tmp_path / "net.safetensors"
    for inference in (False, True):
        write_extra(path, net, EXTRA, inference=inference)
        assert json.dumps(read_extra(path)) == json.dumps(EXTRA)  # order, types and the sign of 0 as well
        assert fastbp.load(path).predict(X).tobytes() == net.predict(X).tobytes()
    write_extra(path, net, {})
    assert read_extra(path) == {}


def test_names_of_functions_are_shared(tmp_path):
    """A function of the network has the same name in the part; another one of its name gets another."""

    def squares(output, target):
        return 0.0, output

    first, second = squares, lambda: None
    second.__name__ = "squares"
    net, path = fastbp.Network([3, 2], loss=first), tmp_path / "net.safetensors"
    write_extra(path, net, lambda named: {"names": [named.name_of(first), named.name_of(second)]})
    with pytest.raises(fastbp.ParameterError, match="custom is empty, expected 'squares'"):
        read_extra(path)
    assert fastbp.load(path, custom={"squares": first}).loss.function is first
    write_extra(path, net, lambda named: {"names": [named.name_of(second)]}, inference=True)
    assert read_extra(path) == {"names": ["squares 2"]}


def test_tensors(net, tmp_path):
    path, array = tmp_path / "net.safetensors", np.array([1.5, np.nan, -0.0])
    write_extra(path, net, {"part": {}}, tensors={"extra.part.curve": array})
    assert extra_tensors(path)["extra.part.curve"].tobytes() == array.tobytes()
    assert fastbp.load(path).predict(X).tobytes() == net.predict(X).tobytes()
    rewritten(path, tmp_path / "bare.safetensors", lambda description, _: description.pop("extra"))
    with pytest.raises(fastbp.ModelFileError, match=r"tensor 'extra.part.curve' is unexpected"):
        fastbp.load(tmp_path / "bare.safetensors")


def test_networks_and_checkpoints_have_none(net, tmp_path):
    path = tmp_path / "net.safetensors"
    write_extra(path, net, EXTRA)
    twin = fastbp.load(path)
    twin.save(path)  # a network does not know what others have added
    assert read_extra(path) == {}
    net.save(tmp_path / "plain.safetensors")
    assert path.read_bytes() == (tmp_path / "plain.safetensors").read_bytes()
    net.fit(X, X[:, :2], epochs=1, callbacks=Checkpoint(path))
    assert read_extra(path) == {}


NOT_JSON = {
    r"extra\.a is \(1,\), expected what JSON has": {"a": (1,)},
    r"extra\.a\[1\]\.b is nan, ": {"a": [0, {"b": np.nan}]},
    r"extra\.a is -inf, ": {"a": -np.inf},
    r"extra\.a is (np\.float64\()?1\.0\)?, ": {"a": np.float64(1)},
    r"extra\.a is .*, expected .* at most 64 bits": {"a": 10**5000},
    r"extra\.a is '\\ud800', expected .* string of Unicode": {"a": "\ud800"},
    r"extra has the key '\\udfff', expected a string": {"\udfff": 1},
    r"extra\.a has the key 1, expected a string": {"a": {1: 2}},
    r"extra\.a is b'x', ": {"a": b"x"},
    r"extra\.a(\[0\])+ is nested too deeply": {"a": nested(50)},
}


@pytest.mark.parametrize("message", NOT_JSON)
def test_what_json_has_not_is_refused_before_the_file_changes(message, net, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(fastbp.ParameterError, match=message):
        write_extra(path, net, NOT_JSON[message])
    assert path.read_bytes() == b"old"


def test_the_deepest(net, tmp_path):
    path = tmp_path / "net.safetensors"
    write_extra(path, net, {"a": nested(49)})
    assert read_extra(path) == {"a": nested(49)}
    endless = []
    endless.append(endless)
    with pytest.raises(fastbp.ParameterError, match="nested too deeply"):
        write_extra(path, net, {"a": endless})


def test_a_large_one_is_refused_by_the_writer(net, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(fastbp.ModelFileError, match="a header that could need"):
        write_extra(path, net, {"a": ["x"] * 10**6})
    assert path.read_bytes() == b"old"


HOSTILE = {
    "extra is None, expected an object": None,
    r"extra is \[\], expected an object": [],
    r"extra\.a is '\\udcff', ": {"a": "\udcff"},
    r"extra has the key '\\ud800', ": {"\ud800": 1},
    r"extra\.a is <int of .*, expected .* 64 bits": {"a": 10**4000},
    r"extra\.a.* is nested too deeply": {"a": nested(90)},
}


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_files(message, net, tmp_path):
    """`fastbp.load`, which ignores it, refuses it as well."""
    honest, path = tmp_path / "honest.safetensors", tmp_path / "hostile.safetensors"
    net.save(honest)
    rewritten(honest, path, lambda description, _: description.update(extra=HOSTILE[message]))
    for read in (read_extra, fastbp.load):
        with pytest.raises(fastbp.ModelFileError, match=f"contains no valid network: {message}"):
            read(path)
