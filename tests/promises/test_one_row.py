"""A new loss is one row and one value, a new activation one row and one entry, in a copy of the tree."""

import os
import shutil
import subprocess
import sys

import pytest

from helpers.paths import ROOT

LOSS_ROW = """
LOSS(squared_hinge, none, vmax(ZERO, ONE - t * h) * vmax(ZERO, ONE - t * h),
     REAL(-2) * t * vmax(ZERO, ONE - t * h), "max(0, 1 - t h)^2", blend(t * h < ONE, REAL(2) * t * t, ZERO))
"""
LOSS_VALUE = '''

class SquaredHinge(SumLoss):
    """The square of the hinge loss."""

    name = "squared_hinge"
    targets = OneOf(-1, 1)
    answers = Sign()

    def terms(self, h: Array, t: Array) -> Array:
        return np.square(np.maximum(1 - t * h, 0))

    def slopes(self, h: Array, t: Array) -> Array:
        return -2 * t * np.maximum(1 - t * h, 0)

    def curvatures(self, h: Array, t: Array, r: Array) -> Array:
        return np.where(t * h < 1, 2 * t * t, 0) * r
'''
LOSS_NAME = """
from fastbp.losses._classification import SquaredHinge

squared_hinge = SquaredHinge()

"""
ACTIVATION_ROW = """
ACTIVATION(squareplus, he_uniform, Y, 0, REAL(0.5) * (z + vsqrt(z * z + REAL(4))), y * y / (y * y + ONE),
           "y = (z + sqrt(z^2 + 4)) / 2",
           REAL(2) * y * y * y / ((y * y + ONE) * (y * y + ONE) * (y * y + ONE)))
"""
ACTIVATION_ENTRY = """
ACTIVATIONS["squareplus"] = Row(
    lambda z, a: (z + np.sqrt(z * z + 4)) / 2,
    lambda z, y, a: y * y / (y * y + 1),
    lambda z, y, a: 2 * (y / (y * y + 1)) ** 3,
)
"""

USE = """
import numpy as np
import pytest
import fastbp
from fastbp import Dense, Network, ParameterError, activations, losses, reference

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
y = np.where(X[:, 0] * X[:, 1] > 0, 1, -1)
kinds = Network, reference.Network
nets = [k([3, 16, 1], activation="squareplus", loss="squared_hinge", dtype="float64", seed=1) for k in kinds]

z = rng.normal(size=50)
assert activations.squareplus.formula == "y = (z + sqrt(z^2 + 4)) / 2"
row = reference.ACTIVATIONS["squareplus"]
f = row.function(z, 0)
np.testing.assert_allclose(activations.squareplus(z), f, rtol=1e-14)
np.testing.assert_allclose(activations.squareplus.derivative(z), row.derivative(z, f, 0), rtol=1e-14)
np.testing.assert_allclose(activations.squareplus.second_derivative(z), row.second(z, f, 0), rtol=1e-13)

assert activations.squareplus.initializer == "he_uniform"
drawn = Network([3, Dense(16, "squareplus", "he"), 1], seed=1, dtype="float64").weights[0]
assert (drawn == nets[0].weights[0]).all()

balanced = {"class_weight": "balanced"}
for options in ({}, balanced, {"class_weight": {-1: 0.5, 1: 2.0}}):
    fits = [net.fit(X, y, epochs=5, validation_data=(X, y), **options) for net in nets]
    np.testing.assert_allclose(fits[0].loss, fits[1].loss, rtol=1e-9)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-6, atol=1e-9)
    assert [*fits[0]] == ["loss", "validation_loss", "validation_accuracy", "learning_rate", "seconds"]
net = nets[0]
history = net.fit(X, y, epochs=200, batch_size=16, validation_data=(X, y), metrics=["accuracy", "f1", "auc"])
assert history.validation_accuracy[-1] > 0.9
classes = net.predict_classes(X)
assert {*classes.tolist()} == {-1, 1}
assert np.mean(classes == y) == net.evaluate(X, y)["accuracy"] == history.validation_accuracy[-1]
assert net.loss(net.predict(X), y) == pytest.approx(net.evaluate(X, y)["loss"])
for call in (lambda: net.fit(X, 7.5 * y), lambda: net.evaluate(X, 7.5 * y)):
    with pytest.raises(fastbp.DataError, match=r"y\\[0, 0\\] is -?7.5, expected -1 or 1|y\\[0\\] is -?7.5"):
        call()
with pytest.raises(ParameterError, match="expected one of: accuracy, f1, auc"):
    net.evaluate(X, y, metrics="r2")
with pytest.raises(ParameterError, match="or the loss hinge or squared_hinge"):
    Network([3, 1]).predict_classes(X)
assert losses.get("squared_hinge") is losses.squared_hinge is losses.LOSSES["squared_hinge"]
print("used", fastbp.__file__)
"""


def insert(file, text, before=None):
    """Put text into a file, before a line or at its end."""
    old = file.read_text()
    assert before is None or old.count(before) == 1
    file.write_text(
        old.rstrip() + "\n" + text if before is None else old.replace(before, text.lstrip() + before)
    )


@pytest.mark.slow
def test_a_loss_and_an_activation_of_ones_own(tmp_path):
    for name in ("fastbp", "src_c"):
        ignored = shutil.ignore_patterns("*.so", "*.c" if name == "fastbp" else "*.o", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (losses,), (activations,) = ([*tmp_path.glob(f"src_c/**/{n}.def")] for n in ("losses", "activations"))
    insert(losses, LOSS_ROW)
    insert(tmp_path / "fastbp/losses/_classification.py", LOSS_VALUE)
    insert(tmp_path / "fastbp/losses/__init__.py", LOSS_NAME, before="#: Every loss of")
    insert(activations, ACTIVATION_ROW)
    insert(tmp_path / "fastbp/reference/activations.py", ACTIVATION_ENTRY, before="def chain(")
    environment = os.environ | {"CFLAGS": "-O0 -w", "PYTHONPATH": str(tmp_path)}
    for command in (
        ["setup.py", "-q", "build_ext", "--inplace", "--build-temp", "build/tmp"],
        ["-W", "error", "-c", USE],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == f"used {tmp_path / 'fastbp/__init__.py'}"
