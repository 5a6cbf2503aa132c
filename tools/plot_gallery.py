"""All plots of `fastbp.plot` on one sheet, for the guide: of the digits, of a spiral, and of a table."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fastbp
from fastbp import plot
from fastbp.callbacks import RecordPath
from fastbp.datasets import load_digits, stratified_split

Draw = Callable[[Axes], Any]


def digits_panels() -> list[Draw]:
    """Return the plots of a network that reads digits."""
    images, labels = load_digits()
    X, X_new, y, y_new = stratified_split(images / 16, labels, test_fraction=0.3, seed=0)
    net = fastbp.Network([64, 32, 10], loss="cross_entropy", optimizer="adam", seed=0)
    path = RecordPath()
    net.fit(X, y, epochs=25, batch_size=32, validation_data=(X_new, y_new), callbacks=path)
    return [
        lambda ax: plot.LearningCurveDisplay.from_history(net.history, ax=ax),
        lambda ax: plot.ConfusionMatrixDisplay.from_network(net, X_new, y_new, ax=ax),
        lambda ax: plot.CalibrationDisplay.from_network(net, X_new, y_new, ax=ax),
        lambda ax: plot.SaliencyDisplay.from_network(net, X_new, y_new, limit=3, ax=ax),
        lambda ax: plot.GradientNormsDisplay.from_network(net, X, y, ax=ax),
        lambda ax: plot.FeatureImportanceDisplay.from_network(net, X_new, y_new, limit=8, n_repeats=3, ax=ax),
        lambda ax: plot.GradientFlowDisplay.from_network(net, X, y, path=path, ax=ax),
    ]


def spiral_panels() -> list[Draw]:
    """Return the plots of a network with two inputs."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 120)
    turn = np.tile(np.linspace(0.25, 1, 120), 2)
    angle = 5 * turn + np.pi * y
    X = np.column_stack([turn * np.cos(angle), turn * np.sin(angle)]) + 0.03 * rng.standard_normal((240, 2))
    net = fastbp.Network([2, 16, 16, 2], activation="tanh", loss="cross_entropy", optimizer="adam", seed=0)
    net.fit(X, y, epochs=400, batch_size=32)
    return [
        lambda ax: plot.DecisionBoundaryDisplay.from_network(net, X, y, ax=ax),
        lambda ax: plot.SlopesDisplay.from_network(net, X, y, ax=ax),
    ]


def xor_panels() -> list[Draw]:
    """Return the plots of the network with eleven parameters that the documentation begins with."""
    X = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    y = np.where(X[:, 0] != X[:, 1], 0.9, 0.1)
    layers = [3, fastbp.Dense(2, "sigmoid"), fastbp.Dense(1, "sigmoid")]
    net = fastbp.Network(layers, loss="half_sse", optimizer=fastbp.SGD(1.0), dtype="float64", seed=3)
    start = net.clone()
    path = RecordPath(every=20)
    net.fit(X, y, epochs=3000, batch_size=None, callbacks=path)
    return [
        lambda ax: plot.ActivationDisplay.from_activation("tanh", ax=ax),
        lambda ax: plot.NetworkDisplay.from_network(net, X, y, ax=ax),
        lambda ax: plot.LandscapeDisplay.from_network(net, X, y, path=path, ax=ax),
        lambda ax: plot.LandscapeDisplay.from_network(net, X, y, path=path, kind="surface", ax=ax),
        lambda ax: plot.LearningRateDisplay.from_network(start, X, y, ax=ax),
    ]


def table_panels() -> list[Draw]:
    """Return the plots of a regression."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    y = 20 + 5 * np.tanh(2 * X[:, 0]) + 3 * X[:, 1] * X[:, 2] + rng.standard_normal(300)
    net = fastbp.Network([4, 16, 1], optimizer="adam", seed=0)
    net.adapt(X, y)
    net.fit(X, y, epochs=200, batch_size=32)
    return [lambda ax: plot.ResidualsDisplay.from_network(net, X, y, ax=ax)]


def gallery(theme: str) -> Figure:
    """Return all plots on one figure, for a light or a dark page."""
    panels = [*xor_panels(), *spiral_panels(), *digits_panels(), *table_panels()]
    with plot.style(theme):
        figure = Figure(figsize=(21, 23), dpi=55, layout="constrained")
        parts = figure.subfigures(5, 3, hspace=0.03, wspace=0.03).flat
        for draw, part in zip(panels, parts, strict=True):
            draw(part.subplots())
    return figure
