"""The safetensors package and PyTorch read the files of all kinds of networks."""

import numpy as np
import pytest

import fastbp
from fastbp import Dense
from fastbp._model_file import container
from helpers.optimizers import OPTIMIZERS, batches

LAYERS = {
    "plain": {},
    "l1": {"l1": 0.01},
    "l2": {"l2": 0.01},
    "dropout": {"dropout": 0.2},
    "max_norm": {"max_norm": 1.0},
    "no bias": {"bias": False},
    "frozen": {"trainable": False},
    "factor": {"learning_rate_factor": 0.5},
    "leaky_relu": {"activation": fastbp.LeakyReLU(0.2)},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file for each option, optimizer and dtype."""
    folder = tmp_path_factory.mktemp("files")
    X = np.random.default_rng(0).normal(size=(12, 3))
    optimizers = OPTIMIZERS | {"levenberg_marquardt": fastbp.LevenbergMarquardt()}
    options = [("plain", row) for row in optimizers] + [(option, "adam") for option in LAYERS]
    for option, row in options:
        for dtype in ("float32", "float64"):
            layers = [3, Dense(4, **LAYERS[option]), 2]
            net = fastbp.Network(layers, optimizer=optimizers[row], dtype=dtype, seed=0)
            net.adapt(X, X[:, :2])
            size = None if row == "levenberg_marquardt" else batches(optimizers[row], 8)
            net.fit(X, X[:, :2], epochs=2, batch_size=size)
            net.save(folder / f"{option} {row} {dtype}.safetensors")
    found = [*folder.iterdir()]
    assert len(found) == 2 * (len(optimizers) + len(LAYERS) - 1)
    return found


def arrays_in(path):
    with container.Reader(path) as reader:
        return {name: reader.read(name) for name in reader.tensors}


def is_same(found, expected):
    """Tell whether arrays by name have the same dtypes, shapes and bytes."""
    return found.keys() == expected.keys() and all(
        found[name].dtype == expected[name].dtype
        and found[name].shape == expected[name].shape
        and found[name].tobytes() == expected[name].tobytes()
        for name in expected
    )


def test_the_safetensors_package(files):
    numpy = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    for path in files:
        assert is_same(numpy.load_file(path), arrays_in(path)), path.name


def test_pytorch(files):
    torch = pytest.importorskip("safetensors.torch", reason="safetensors or PyTorch is not installed")
    for path in files:
        found = {name: tensor.numpy() for name, tensor in torch.load_file(path).items()}
        assert is_same(found, arrays_in(path)), path.name
