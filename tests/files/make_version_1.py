"""Make the model files in `version_1`, and `predictions.json`: what their networks predict.

They were made once, when the format had the version 1, and are not made again: the test shows that later
versions of fastbp read them. Another format needs another folder, and a script like this one.
"""

import json
from pathlib import Path

import numpy as np

import fastbp
from fastbp import Dense, LeakyReLU, callbacks, schedules

FOLDER = Path(__file__).parent / "version_1"
X = np.linspace(-2, 2, 24).reshape(8, 3) ** 2 % 1.7
Y = np.column_stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])])
PLATEAU = callbacks.ReduceLROnPlateau(patience=9, resume=True)


def squares(output, target):
    """The loss of the network with a custom loss."""
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def plain():
    net = fastbp.Network([3, 5, 2], seed=1)
    net.fit(X, Y, epochs=3, batch_size=3)
    return net


def adapted():
    layers = [
        3,
        Dense(6, LeakyReLU(0.1), l2=1e-3, dropout=0.25, max_norm=3.0),
        Dense(4, "gelu", bias=False),
        2,
    ]
    optimizer = fastbp.SGD(
        schedules.Warmup(schedules.Cosine(0.05, 20, growth=2), 4), momentum=0.9, clip_norm=1.0
    )
    net = fastbp.Network(layers, loss="huber", optimizer=optimizer, dtype="float64", seed=2, input_noise=0.01)
    net.adapt(X, Y)
    net.feature_names, net.class_names = ("Länge", "width", "height"), ("first", "second")
    net.trainable = (True, False, True)
    net.fit(X, Y, epochs=4, batch_size=3, validation_split=0.25, callbacks=PLATEAU)
    return net


def levenberg_marquardt():
    net = fastbp.Network([3, Dense(3, "tanh"), 2], optimizer=fastbp.LevenbergMarquardt(bayesian=True), seed=3)
    net.fit(X, Y, epochs=3, batch_size=None)
    return net


def custom_loss():
    net = fastbp.Network(
        [3, Dense(4, "softplus"), 2], loss=squares, optimizer=fastbp.Adam(0.01, amsgrad=True), seed=4
    )
    net.fit(X, Y, epochs=3, batch_size=3)
    return net


def classes():
    net = fastbp.Network([3, Dense(4, "silu"), 2], loss="cross_entropy", seed=5)
    net.class_names = ("no", "yes")
    net.fit(X, (Y[:, 0] > 0.5).astype(int), epochs=3)
    return net


def half_done(path, resume=None):
    """Train for 6 epochs of 3 steps, with a checkpoint inside the fourth; return history and network."""

    class Stop:
        def on_batch_end(self, state):
            if (state.epoch, state.step) == (3, 2):
                state.stop()

    net = fastbp.Network([3, Dense(4, "tanh", dropout=0.25), 2], optimizer=fastbp.Adam(0.05), seed=6)
    training = [
        callbacks.ReduceLROnPlateau(patience=1, min_delta=0.1),
        callbacks.EarlyStopping(patience=4, restore_best=True),
        callbacks.ExponentialMovingAverage(0.8),
    ]
    watching = [] if resume else [callbacks.Checkpoint(path, keep=1), Stop()]
    data = {"validation_data": (X[:2], Y[:2]), "sample_weight": np.arange(8.0)}
    history = net.fit(X, Y, epochs=6, batch_size=3, **data, callbacks=[*training, *watching], resume=resume)
    return history, net


NETWORKS = {
    "plain": plain,
    "adapted": adapted,
    "levenberg_marquardt": levenberg_marquardt,
    "custom_loss": custom_loss,
}

if __name__ == "__main__":
    predictions = {}
    for name, make in NETWORKS.items():
        net = make()
        net.save(FOLDER / f"{name}.safetensors")
        predictions[name] = net.predict(X).astype(float).tolist()
    net = classes()
    net.save(FOLDER / "inference.safetensors", inference=True)
    predictions["inference"] = net.predict(X).astype(float).tolist()
    half_done(FOLDER / "checkpoint.safetensors")
    _, net = half_done(None, resume=FOLDER / "checkpoint.safetensors")
    predictions["checkpoint, continued"] = net.predict(X).astype(float).tolist()
    predictions["checkpoint"] = (
        fastbp.load(FOLDER / "checkpoint.safetensors").predict(X).astype(float).tolist()
    )
    (FOLDER / "predictions.json").write_text(json.dumps(predictions, indent=1) + "\n")
