"""Files of every version of the format can be read by this version of fastbp.

`make_version_1.py` has made those of version 1, and shows what is in them.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp import reference, schedules
from helpers.inside import remembered_by

FOLDERS = sorted(Path(__file__).parent.glob("version_*"))
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.safetensors"))]
X = np.linspace(-2, 2, 24).reshape(8, 3) ** 2 % 1.7
Y = np.column_stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])])


def squares(output, target):
    """The loss of the network with a custom loss."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def loaded(name, kind=fastbp.Network, version=1):
    path = Path(__file__).parent / f"version_{version}" / f"{name}.safetensors"
    return kind.load(path, custom={"squares": squares} if name == "custom_loss" else None)


def test_they_are_there():
    assert [path.stem for path in FILES] == [
        "adapted",
        "checkpoint",
        "custom_loss",
        "inference",
        "levenberg_marquardt",
        "plain",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_they_predict(path):
    """The same numbers as when the file was made, up to what other instruction sets round."""
    expected = np.array(json.loads((path.parent / "predictions.json").read_text())[path.stem])
    for kind in (fastbp.Network, reference.Network):
        net = loaded(path.stem, kind)
        np.testing.assert_allclose(net.predict(X), expected, rtol=1e-5, atol=1e-6)
        labels = (Y[:, 0] > 0.5).astype(int)
        net.fit(X, labels if path.stem == "inference" else Y, epochs=1, batch_size=None)
        assert np.isfinite(net.parameters).all()


@pytest.mark.filterwarnings("ignore:the checkpoint .* was written on:UserWarning")
@pytest.mark.parametrize("version", [1])
def test_the_fit_of_a_checkpoint_continues(version):
    folder = Path(__file__).parent
    spec = importlib.util.spec_from_file_location("make", folder / f"make_version_{version}.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    history, net = make.half_done(None, resume=folder / f"version_{version}" / "checkpoint.safetensors")
    assert (len(history), history.stopped) == (6, "epochs")
    expected = json.loads((folder / f"version_{version}" / "predictions.json").read_text())
    expected = np.array(expected["checkpoint, continued"])
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-4, atol=1e-5)


def test_what_they_are():
    net = loaded("adapted")
    layers = [
        fastbp.layers.Layer(3, 6, fastbp.LeakyReLU(0.1), l2=1e-3, dropout=0.25, max_norm=3.0),
        fastbp.layers.Layer(6, 4, "gelu", bias=False, trainable=False),
        fastbp.layers.Layer(4, 2, "identity"),
    ]
    assert net.layers == tuple(layers)
    rates = schedules.Warmup(schedules.Cosine(0.05, 20, growth=2), 4)
    assert net.optimizer == fastbp.SGD(rates, momentum=0.9, clip_norm=1.0)
    assert (net.loss, net.dtype, net.seed, net.input_noise) == (fastbp.Huber(), np.float64, 2, 0.01)
    assert (net.feature_names, net.class_names) == (("Länge", "width", "height"), ("first", "second"))
    assert [*net.history] == ["loss", "validation_loss", "validation_r2", "learning_rate", "seconds"]
    assert (len(net.history), net.history.stopped) == (4, "epochs")
    assert [*remembered_by(net)] == [repr(fastbp.callbacks.ReduceLROnPlateau(patience=9, resume=True))]
    np.testing.assert_allclose(net.input_mean, X.mean(axis=0))

    assert loaded("levenberg_marquardt").optimizer == fastbp.LevenbergMarquardt(bayesian=True)
    assert loaded("custom_loss").loss == fastbp.CustomLoss(squares)
    assert loaded("inference").class_names == ("no", "yes")
    assert len(loaded("inference").history) == 0
