"""Functions and classes of the user's: stored by name, asked for in `custom=`."""

import pickle

import numpy as np
import pytest

import fastbp
from fastbp import schedules
from fastbp._model_file.callables import Given, Named
from fastbp._model_file.parts import MisfitError
from fastbp._model_file.values import decode, encode
from helpers.inside import callables_of, state_of

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)
Y = X[:, :2]


def squares(output, target):
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def falling(epoch):
    return 0.05 / (1 + epoch)


class MyAdam(fastbp.Adam):
    pass


class SGD(fastbp.SGD):
    """A class of the user's with the name of one of fastbp's."""


class MyLoss(fastbp.CustomLoss):
    pass


class MyStep(schedules.Step):
    pass


class MyActivation(fastbp.LeakyReLU):
    pass


def bend(z):
    return z / (1 + np.abs(z))


def bend_slope(z):
    return 1 / (1 + np.abs(z)) ** 2


def bend_curvature(z):
    return -2 * np.sign(z) / (1 + np.abs(z)) ** 3


def other_falling():
    """Return another function of the name `falling`."""

    def falling(epoch):
        return 0.01

    return falling


NETWORKS = {
    "loss": (lambda: {"loss": squares}, {"squares": squares}),
    "rate": (lambda: {"optimizer": fastbp.SGD(falling, momentum=0.9)}, {"falling": falling}),
    "warm-up": (
        lambda: {"optimizer": fastbp.Adam(schedules.Warmup(falling, 5))},
        {"falling": falling},
    ),
    "both": (
        lambda: {"loss": fastbp.CustomLoss(squares, nan_targets=True), "optimizer": fastbp.SGD(falling)},
        {"squares": squares, "falling": falling},
    ),
    "optimizer": (lambda: {"optimizer": MyAdam(0.01, beta1=0.8)}, {"MyAdam": MyAdam(0.01, beta1=0.8)}),
    "class of the same name": (lambda: {"optimizer": SGD(0.1)}, {"SGD": SGD(0.1)}),
    "class of a loss": (lambda: {"loss": MyLoss(squares)}, {"MyLoss": MyLoss(squares)}),
    "schedule": (lambda: {"optimizer": fastbp.SGD(MyStep(0.1, 3))}, {"MyStep": MyStep(0.1, 3)}),
    "function of an activation": (
        lambda: {"activation": fastbp.CustomActivation(bend, bend_slope, "bend", check=True)},
        {"bend": bend, "bend_slope": bend_slope},
    ),
    "all functions": (
        lambda: {
            "activation": fastbp.CustomActivation(bend, bend_slope, second_derivative=bend_curvature),
            "output_activation": fastbp.CustomActivation(bend, np.cos, "wrong"),
            "loss": squares,
        },
        {f.__name__: f for f in (bend, bend_slope, bend_curvature, np.cos, squares)},
    ),
    "activation": (lambda: {"activation": MyActivation(0.2)}, {"MyActivation": MyActivation(0.2)}),
}


def trained(arguments):
    net = fastbp.Network([3, 4, 2], seed=1, **arguments)
    net.fit(X, Y, epochs=3, batch_size=3)
    return net


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip(name, path):
    arguments, custom = NETWORKS[name]
    net = trained(arguments())
    assert callables_of(net) == custom
    net.save(path)
    twin = fastbp.load(path, custom=custom | {"unused": 3})
    assert state_of(twin) == state_of(net)
    for one in (net, twin):
        one.fit(X, Y, epochs=3, batch_size=3)
    assert twin.parameters.tobytes() == net.parameters.tobytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_missing(name, path):
    arguments, custom = NETWORKS[name]
    trained(arguments()).save(path)
    for missing in custom:
        given = {other: thing for other, thing in custom.items() if other != missing}
        with pytest.raises(
            fastbp.ParameterError, match=rf"^custom .*, expected '{missing}': .* has only the name of its"
        ):
            fastbp.load(path, custom=given)
        with pytest.raises(fastbp.ParameterError, match=rf"^custom\['{missing}'\] is 3, expected an? .*: "):
            fastbp.load(path, custom=custom | {missing: 3})


def test_nothing_is_called(path):
    """Loading and saving call no function of the user's, and neither does an unpickler."""

    def rate(epoch):
        calls.append(epoch)
        return 0.1

    def loss(output, target):
        calls.append("loss")
        return squares(output, target)

    calls = []
    for arguments in (
        {"optimizer": fastbp.SGD(rate), "loss": loss},
        {"optimizer": fastbp.SGD(schedules.Warmup(rate, 3))},
    ):
        net = trained(arguments)
        assert calls
        calls.clear()
        net.save(path)
        fastbp.load(path, custom={"rate": rate, "loss": loss})
        net.clone()
        assert not calls


def test_two_of_one_name(path):
    net = trained({"optimizer": fastbp.SGD(falling)})
    net.optimizer = fastbp.SGD(schedules.Warmup(other_falling(), 3))
    net.save(path)
    assert [*callables_of(net)] == ["falling"]

    class falling_loss:  # noqa: N801
        def __init__(self):
            self.__name__ = "falling"

        def __call__(self, output, target):
            return squares(output, target)

    net = trained({"optimizer": fastbp.SGD(falling), "loss": falling_loss()})
    found = callables_of(net)
    assert [*found] == ["falling", "falling 2"]
    net.save(path)
    twin = fastbp.load(path, custom=found)
    assert twin.loss.function is net.loss.function
    assert twin.optimizer.learning_rate is falling
    with pytest.raises(
        fastbp.ParameterError, match=r"expected 'falling 2': .*optimizer.chosen.learning_rate"
    ):
        fastbp.load(path, custom={"falling": net.loss.function})


def test_the_loss_in_place_of_its_function(path):
    """It returns no derivative, so a fit would fail."""
    net = trained({"loss": squares})
    net.save(path)
    with pytest.raises(
        fastbp.ParameterError, match=r"^custom\['squares'\] is CustomLoss.*, expected a function"
    ):
        fastbp.load(path, custom={"squares": net.loss})


@pytest.mark.parametrize("wrong", [3, "squares", ["squares"], squares])
def test_custom_is_no_mapping(wrong, path):
    trained({}).save(path)
    with pytest.raises(
        fastbp.ParameterError, match=r"^custom is .*, expected a mapping of names to callables$"
    ):
        fastbp.load(path, custom=wrong)


def test_names_are_strings(path):
    trained({}).save(path)
    with pytest.raises(fastbp.ParameterError, match=r"^custom has the name 3, expected a string$"):
        fastbp.load(path, custom={3: squares})


NEEDED = ("schedule", "activation", "function of an activation", "all functions")
INFERENCE = [name for name in NETWORKS if name not in NEEDED]


@pytest.mark.parametrize("name", INFERENCE)
def test_inference_needs_no_custom(name, path):
    arguments, custom = NETWORKS[name]
    net = trained(arguments())
    net.save(path, inference=True)
    twin = fastbp.load(path)
    absent = "|".join(custom)
    for one in (twin, twin.clone(), pickle.loads(pickle.dumps(twin))):
        assert one.predict(X).tobytes() == net.predict(X).tobytes()
        with pytest.raises(
            fastbp.ParameterError, match=rf"is '({absent})', which the model file has only by name"
        ):
            one.fit(X, Y, epochs=3)
        repr(one), one.summary()
    twin.save(path)  # under the same names
    again = fastbp.load(path, custom=custom)
    assert (again.loss, again.optimizer) == (net.loss, net.optimizer)
    again.fit(X, Y, epochs=2)


def test_inference_needs_no_derivative(path):
    """Predictions call only the function itself; training calls the others."""
    net = trained(NETWORKS["all functions"][0]())
    net.save(path, inference=True)
    with pytest.raises(
        fastbp.ParameterError, match=r"expected 'bend': .*the name of its .*activation.f; call"
    ):
        fastbp.load(path, custom={"bend_slope": bend_slope})
    twin = fastbp.load(path, custom={"bend": bend})
    assert twin.predict(X).tobytes() == net.predict(X).tobytes()
    with pytest.raises(fastbp.ParameterError, match="is 'bend_slope', which the model file has only by name"):
        twin.forward(X)
    repr(twin), twin.summary()
    twin.save(path)
    custom = callables_of(net)
    again = fastbp.load(path, custom=custom)
    assert (again.layers, again.loss) == (net.layers, net.loss)
    again.fit(X, Y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "tanh"}, r"layers\[0\].activation .*name is 'tanh', expected printable text"),
        ({"name": 3}, "name is 3, expected"),
        ({"f": 3}, "f is 3, expected a callable"),
        ({"f": None}, "f is None, expected a callable"),
        ({"derivative": {"type": "Adam"}}, "derivative is .*, expected no object"),
        ({"check": True}, "check"),
    ],
)
def test_activations_in_damaged_files(change, message):
    node = encode(fastbp.CustomActivation(bend, bend_slope), Named()) | change
    given = Given({"bend": bend, "bend_slope": bend_slope}, "file")
    with pytest.raises(MisfitError, match=message):
        decode(node, "layers[0].activation", fastbp.activations.Activation, given)


def test_inference_with_custom(path):
    net = trained(NETWORKS["both"][0]())
    net.save(path, inference=True)
    twin = fastbp.load(path, custom=NETWORKS["both"][1])
    assert twin.optimizer == net.optimizer
    twin.fit(X, Y)


def test_single_steps_without_the_optimizer(path):
    net = trained({"optimizer": MyAdam()})
    net.save(path, inference=True)
    twin = fastbp.load(path)
    before = twin.parameters.copy()
    calls = (lambda: twin.train_on_batch(X, Y), lambda: setattr(twin, "learning_rate", 0.1))
    for call in calls:
        with pytest.raises(fastbp.ParameterError, match="'MyAdam', which the model file has only by name"):
            call()
    assert twin.parameters.tobytes() == before.tobytes()
    twin.optimizer = "adam"
    twin.fit(X, Y)


def test_long_names_are_abbreviated(path):
    def loss(output, target):
        raise AssertionError

    loss.__name__ = "x" * 10**5
    net = fastbp.Network([3, 2], loss=fastbp.CustomLoss(loss), seed=1)
    net.save(path, inference=True)
    with pytest.raises(fastbp.ParameterError, match="which the model file has only by name") as refused:
        fastbp.load(path).fit(np.zeros((4, 3)), np.zeros((4, 2)))
    assert len(str(refused.value)) < 1000
