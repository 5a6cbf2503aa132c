"""A network that was saved and loaded has the same state and goes on in the same bits."""

from itertools import count

import numpy as np
import pytest

import fastbp
from fastbp import CELU, ELU, Dense, LeakyReLU, callbacks, losses, reference, schedules
from helpers.inside import engine_of, remembered_by, state_of
from helpers.layered import LAYERED, make
from helpers.optimizers import OPTIMIZERS, batches
from helpers.problems import fitting, problem
from helpers.tables import DTYPES, ENGINES

SIZES = (3, 6, 5, 2)
X, Y = problem(SIZES, 20, "mse")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def through_file(net, path, kind=None, **options):
    net.save(path)
    return (kind or type(net)).load(path, **options)


def train(net, epochs=2, **options):
    net.fit(X, Y, epochs=epochs, batch_size=batches(net.optimizer, 7), **options)


def trained(kind, name, optimizer, dtype, **arguments):
    net = make(kind, SIZES, name, optimizer=optimizer, dtype=dtype, **arguments)
    net.adapt(X, Y)
    train(net, validation_split=0.2)
    return net


def check_goes_on(net, path):
    """Save and load the network; both go on alike."""
    twin = through_file(net, path)
    assert type(twin) is type(net)
    assert state_of(twin) == state_of(net)
    assert twin.predict(X).tobytes() == net.predict(X).tobytes()
    for one in (twin, net):
        train(one)
    different = "seconds"
    states = [state_of(one) for one in (twin, net)]
    for state in states:
        state["history"] = [column for column in state["history"][0] if column[0] != different]
    assert states[0] == states[1]


def test_every_optimizer(path):
    """With all options of layers, in both dtypes and both engines."""
    names, n = [*LAYERED], count()
    for kind in ENGINES:
        for dtype in DTYPES:
            for optimizer in OPTIMIZERS.values():
                check_goes_on(trained(kind, names[next(n) % len(names)], optimizer, dtype), path)
            for bayesian in (False, True):
                optimizer = fastbp.LevenbergMarquardt(bayesian=bayesian)
                check_goes_on(trained(kind, "no options", optimizer, dtype), path)


def test_every_loss_and_activation(path):
    for name, loss in losses.LOSSES.items():
        sizes = fitting((3, 4, 2), name)
        data = problem(sizes, 20, name)
        net = fastbp.Network([3, Dense(4, "gelu"), *sizes[2:]], loss=loss, seed=1)
        net.fit(*data, epochs=1)
        assert state_of(through_file(net, path)) == state_of(net)
    for activation in (*fastbp.activations.ACTIVATIONS.values(), LeakyReLU(0.3), ELU(0.3), CELU(1.3)):
        if activation.name != "softmax":
            net = fastbp.Network([3, Dense(4, activation, "orthogonal"), 2], seed=1, input_noise=0.1)
            assert state_of(through_file(net, path)) == state_of(net)


@pytest.mark.parametrize(
    "rate",
    [
        schedules.Cosine(0.05, 5, final=0.001, warmup=2, growth=2),
        schedules.OneCycle(0.05, 30),
        schedules.Warmup(schedules.Step(0.05, 3), 4),
        schedules.Warmup(0.05, 4),
    ],
    ids=repr,
)
def test_schedules(path, rate):
    check_goes_on(trained(fastbp.Network, "three rates", fastbp.SGD(rate, momentum=0.9), "float32"), path)


def test_another_learning_rate(path):
    """The optimizer that was set is kept beside the current one: `reset` returns to it."""
    net = trained(fastbp.Network, "regularized", "adam", "float32")
    net.learning_rate = 1e-5
    twin = through_file(net, path)
    assert twin.learning_rate == net.learning_rate == pytest.approx(1e-5)
    check_goes_on(net, path)
    for one in (net, twin):
        one.reset()
    assert twin.optimizer == net.optimizer
    assert twin.learning_rate == pytest.approx(1e-3)


def test_what_callbacks_remember(path):
    """Infinity and NaN, which JSON does not have, included."""
    net = fastbp.Network(SIZES, seed=1)
    plateau = callbacks.ReduceLROnPlateau("loss", patience=2, factor=0.5, min_delta=10, resume=True)
    net.fit(X, Y, epochs=4, callbacks=plateau)
    assert len(remembered_by(net)) == 1
    remembered_by(net)["made up"] = {"inf": np.inf, "nan": np.nan, "text": 'é"\\', "n": 3, "is": True}
    assert state_of(through_file(net, path)) == state_of(net)
    check_goes_on(net, path)


def test_dtypes_and_engines_are_interchangeable(path):
    for dtype in DTYPES:
        net = trained(fastbp.Network, "regularized", "adamw", dtype)
        twin = through_file(net, path, reference.Network)
        assert state_of(twin) == state_of(net)
        back = through_file(twin, path, fastbp.Network)
        assert state_of(back) == state_of(net)
        np.testing.assert_allclose(twin.predict(X), net.predict(X), rtol=1e-4, atol=1e-5)


def test_untrained(path):
    for layers in ([1, 1], [3, Dense(2, bias=False)], [5, 4, 3, 2, 1]):
        net = fastbp.Network(layers, seed=2**64 - 1)
        assert state_of(through_file(net, path)) == state_of(net)


def test_names(path):
    net = fastbp.Network([2, 3], loss="cross_entropy", seed=0)
    assert (net.feature_names, net.class_names) == (None, None)
    net.feature_names, net.class_names = ["größe", "x\ud800\n"], np.array(["a", "b", ""])
    assert (net.feature_names, net.class_names) == (("größe", "x\ud800\n"), ("a", "b", ""))
    assert all(type(name) is str for name in net.class_names)
    net.reset()
    for twin in (through_file(net, path), net.clone()):
        assert (twin.feature_names, twin.class_names) == (net.feature_names, net.class_names)
    other = net.replace_output(3)
    assert (other.feature_names, other.class_names) == (net.feature_names, None)
    net.feature_names = None
    assert through_file(net, path).feature_names is None


WRONG_NAMES = {
    "a string": ("ab", "expected None or a list of 2 strings, one per input"),
    "too few": (["a"], "expected None or a list of 2 strings, one per input"),
    "too many": (iter("abc"), "expected None or a list of 2 strings, one per input"),
    "no strings": (["a", 1], r"feature_names\[1\] is 1, expected a string"),
    "twice": (["a", "a"], r"feature_names\[1\] is 'a', as feature_names\[0\] is, expected another"),
    "a number": (3, "expected None or a list of 2 strings"),
    "a set": ({"a", "b"}, "expected None or a list of 2 strings"),
    "an array": (np.array([["a", "b"]]), "expected None or a list of 2 strings"),
}


@pytest.mark.parametrize("wrong", WRONG_NAMES)
def test_wrong_names(wrong):
    net = fastbp.Network([2, 3], seed=0)
    net.feature_names = "ab"[:1], "b"
    given, message = WRONG_NAMES[wrong]
    with pytest.raises(fastbp.ParameterError, match=message):
        net.feature_names = given
    assert net.feature_names == ("a", "b")


def test_inference(path):
    """The file has what predict needs and no more; training starts anew."""
    net = trained(fastbp.Network, "regularized", "adam", "float32")
    net.save(path)
    large = path.stat().st_size
    net.save(path, inference=True)
    assert path.stat().st_size < large
    twin = fastbp.load(path)
    assert twin.predict(X).tobytes() == net.predict(X).tobytes()
    assert (len(twin.history), engine_of(twin).t, engine_of(twin).state.any()) == (0, 0, False)
    assert twin.optimizer == net.optimizer
    train(twin)
    with pytest.raises(fastbp.ParameterError, match=r"^inference is 1, expected True or False$"):
        net.save(path, inference=1)


def test_subclasses_and_paths(tmp_path):
    class Mine(fastbp.Network):
        def __init__(self, color):
            super().__init__([2, 1], seed=0)
            self.color = color

    net = Mine("red")
    net.save(str(tmp_path / "a"))
    twin = Mine.load(tmp_path / "a")
    assert type(twin) is Mine
    assert not hasattr(twin, "color")
    assert type(fastbp.load(str(tmp_path / "a"))) is fastbp.Network
    for call in (net.save, net.export_arrays, fastbp.load):
        with pytest.raises(fastbp.ParameterError, match=r"^path is 3, expected a path"):
            call(3)
    with pytest.raises(FileNotFoundError):
        fastbp.load(tmp_path / "nothing")


def test_a_callback_saves(path):
    """The file of an epoch goes on as the fit does."""
    net = fastbp.Network(SIZES, seed=1, optimizer="rmsprop")

    def save_third(state):
        if state.epoch == 2:
            state.network.save(path)

    net.fit(X, Y, epochs=5, callbacks=save_third)
    twin = fastbp.load(path)
    assert 1 < len(twin.history) < 5
    twin.fit(X, Y, epochs=5 - len(twin.history))
    assert twin.parameters.tobytes() == net.parameters.tobytes()


def test_export_arrays(tmp_path):
    net = trained(fastbp.Network, "one bias", "adam", "float32")
    net.export_arrays(tmp_path / "arrays.npz")
    with np.load(tmp_path / "arrays.npz") as arrays:
        found = dict(arrays)
    scaled = ("inputs.mean", "inputs.scale", "targets.mean", "targets.scale")
    assert [*found] == [
        *(f"layers.{i}.weights" for i in (0, 1)),
        "layers.1.biases",
        "layers.2.weights",
        *scaled,
    ]
    for i in range(3):
        np.testing.assert_array_equal(found[f"layers.{i}.weights"], net.weights[i])
    np.testing.assert_array_equal(found["layers.1.biases"], net.biases[1])
    for name, array in zip(
        scaled, (net.input_mean, net.input_scale, net.target_mean, net.target_scale), strict=True
    ):
        np.testing.assert_array_equal(found[name], array)
