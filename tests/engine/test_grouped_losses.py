"""Losses of several outputs per target: both engines in every layout, weights, threads, PyTorch."""

import pickle

import numpy as np
import pytest

import fastbp
from fastbp import GaussianNLL, Quantiles, reference
from fastbp.exceptions import DataError, DivergenceError, ParameterError, ShapeError
from helpers.differences import central_differences
from helpers.inside import engine_of, run_of
from helpers.isas import ISAS, using
from helpers.pytorch import assert_same_parameters, model_of
from helpers.tables import DTYPES, ENGINES

LOSSES = [
    GaussianNLL(),
    Quantiles(),
    Quantiles([0.3]),
    Quantiles([0.2, 0.7]),
    Quantiles(np.linspace(0.05, 0.95, 19)),  # more than lanes in a vector
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name}{loss.outputs_per_target}")
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def make(network_class, hidden, n_targets, loss, **options):
    sizes = [3, hidden, n_targets * loss.outputs_per_target]
    return network_class(sizes, **{"loss": loss, "optimizer": fastbp.SGD(1e-3), "seed": 1} | options)


def data(rng, rows, n_targets):
    return rng.standard_normal((rows, 3)), rng.standard_normal((rows, n_targets))


# ---- both engines ------------------------------------------------------------------------------------------


@every_dtype
@every_loss
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("hidden", [5, 40])
def test_both_engines_do_the_same(hidden, weighted, loss, dtype, rng):
    """Narrow networks and others; single rows, about a vector of rows, and several row blocks."""
    tolerance = 1e-10 if dtype == "float64" else 2e-5
    for n_targets in (1, 2, 3, 7):
        for rows, batch_size in ((1, 1), (9, 1), (17, 16), (40, None), (4096 + 33, None))[
            : 4 + (n_targets == 2)
        ]:
            X, y = data(rng, rows, n_targets)
            weights = rng.uniform(0.1, 2, rows) if weighted else None

            def found(network_class, X=X, y=y, weights=weights, batch_size=batch_size):
                net = make(network_class, hidden, y.shape[1], loss, dtype=dtype)
                value, gradients = net.loss_and_gradients(X, y, sample_weight=weights)
                results = value, gradients.copy()
                options = {"epochs": 3, "batch_size": batch_size, "sample_weight": weights}
                losses = [*net.fit(X, y, **options).loss, net.evaluate(X, y)["loss"]]
                return results, losses, net.parameters

            results, losses, parameters = found(reference.Network)
            for isa in ISAS:
                with using(isa):
                    native = found(fastbp.Network)
                    for a, b in zip(native[0], results, strict=True):
                        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
                    np.testing.assert_allclose(native[1], losses, rtol=tolerance)
                    np.testing.assert_allclose(native[2], parameters, rtol=0, atol=tolerance)


@pytest.mark.parametrize("output", ["sigmoid", "gelu", "softmax", "exponential"])
@pytest.mark.parametrize("hidden", [5, 40])
@pytest.mark.parametrize("batch_size", [1, 17])
def test_quantiles_with_any_output_activation(batch_size, hidden, output, isa, rng):
    X, y = data(rng, 40, 2)
    options = {"output_activation": output, "dtype": "float64"}
    nets = [make(each, hidden, 2, Quantiles([0.2, 0.7]), **options) for each in ENGINES]
    losses = [net.fit(X, y, epochs=3, batch_size=batch_size).loss for net in nets]
    np.testing.assert_allclose(*losses, rtol=1e-10)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=1e-10)


@every_loss
@pytest.mark.parametrize("n_targets", [1, 3])
def test_gradient_is_the_numerical_one(n_targets, loss, network_class, rng):
    X, y = data(rng, 6, n_targets)
    net = make(network_class, 5, n_targets, loss, activation="tanh", dtype="float64")
    weights = np.array([0.5, 0, 2, 1, 0, 3.5])
    gradients = net.loss_and_gradients(X, y, sample_weight=weights)[1].copy()
    numerical = central_differences(
        lambda: net.loss_and_gradients(X, y, sample_weight=weights)[0], net.parameters, 1e-6
    )
    np.testing.assert_allclose(gradients, numerical, rtol=1e-6, atol=1e-8)


@every_dtype
@every_loss
@pytest.mark.parametrize("hidden", [5, 300])
def test_threads_change_no_bit(hidden, loss, dtype, isa, rng):
    X, y = data(rng, 3 * 4096 + 5, 2)
    start, found = make(fastbp.Network, hidden, 2, loss, dtype=dtype), []
    for n in (1, 2 if dtype == "float32" else 3, 8):
        with fastbp.threads(n):
            net = start.clone()
            value, gradients = net.loss_and_gradients(X, y)
            history = net.fit(X, y, epochs=1, batch_size=5000)
            measured = net.evaluate(X, y)["loss"]
            found.append((value, gradients.tobytes(), history.loss, net.parameters.tobytes(), measured))
    assert found.count(found[0]) == 3


@every_dtype
@every_loss
@pytest.mark.parametrize("hidden", [5, 40])
@pytest.mark.parametrize("batch_size", [1, 2, 16, 33])
def test_fused_and_stored_have_the_same_bits(batch_size, hidden, loss, dtype, isa, rng):
    X, y = data(rng, 50, 1 if hidden == 5 and loss.outputs_per_target > 8 else 3)
    weights = rng.uniform(0.1, 2, 50)
    for options in ({}, {"sample_weight": weights}):
        fused, stored = (
            run_of(
                make(fastbp.Network, hidden, y.shape[1], loss, dtype=dtype),
                X,
                y,
                batch_size=batch_size,
                stored=mode,
                **options,
            )
            for mode in (False, True)
        )
        assert fused[:3] == stored[:3]


def test_a_fit_that_repeats_its_rows(network_class, rng):
    """The targets are gathered and repeated once: all epochs see the same."""
    X, y = data(rng, 20, 2)
    for loss in LOSSES:
        once, often = (make(network_class, 5, 2, loss, dtype="float64") for _ in range(2))
        history = once.fit(X, y, epochs=5, batch_size=None, shuffle=False)
        expected = [often.train_on_batch(X, y) for _ in range(5)]
        np.testing.assert_allclose(history.loss, expected, rtol=1e-13)
        np.testing.assert_allclose(once.parameters, often.parameters, rtol=1e-12)


@pytest.mark.parametrize("kind", ["float32", ">f8", "strided", "int8", "one dimension"])
def test_targets_of_any_layout(kind, network_class, rng):
    X, y = data(rng, 21, 1)
    plain = np.round(4 * y)
    given = {
        "float32": plain.astype("f4"),
        ">f8": plain.astype(">f8"),
        "strided": np.repeat(plain, 3, axis=0)[::3],
        "int8": plain.astype("i1"),
        "one dimension": plain[:, 0],
    }[kind]
    for loss in LOSSES:
        for hidden in (5, 40):
            net = make(network_class, hidden, 1, loss)
            assert net.loss_and_gradients(X, given)[0] == net.loss_and_gradients(X, plain)[0]
            assert net.evaluate(X, given) == net.evaluate(X, plain)


@pytest.mark.parametrize("loss", LOSSES[:2], ids=repr)
def test_minimize(loss, network_class, rng):
    pytest.importorskip("scipy")
    X, y = data(rng, 60, 2)
    net = make(network_class, 5, 2, loss, dtype="float64")
    before = net.evaluate(X, y)["loss"]
    fastbp.minimize(net, X, y, max_iterations=20)
    assert net.evaluate(X, y)["loss"] < before - 0.01


@every_loss
def test_copies_keep_the_loss(loss, network_class, rng):
    X, y = data(rng, 30, 2)
    net = make(network_class, 5, 2, loss)
    net.fit(X, y, epochs=2)
    for copy in (net.clone(), pickle.loads(pickle.dumps(net))):
        assert copy.loss == loss
        assert copy.train_on_batch(X, y) == net.clone().train_on_batch(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.predict(X))


# ---- extremes ----------------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("hidden", [None, 40])
def test_extreme_log_variances(hidden, dtype, network_class, isa):
    """The loss is what the formula says, or infinite, and not NaN where the mean meets the target."""
    sizes = [1, 2] if hidden is None else [1, hidden, 2]
    net = network_class(sizes, loss=GaussianNLL(), activation="identity", dtype=dtype, seed=0)
    bias = net.biases[-1]
    for W in net.weights:
        W[:] = 0
    for s in (1e4, 800.0, 150.0, -150.0, -800.0, -1e4):
        bias[:] = 2.0, s
        loss, _ = net.loss_and_gradients([[1.0]], [[2.0]])
        assert loss == s / 2
        assert net.evaluate([[1.0]], [[2.0]])["loss"] == s / 2
        np.testing.assert_array_equal(net.gradients[-2:], [0, 0.5])
    bias[:] = 2.0, -1e4
    assert net.evaluate([[1.0]], [[3.0]])["loss"] == np.inf
    with pytest.raises(DivergenceError, match="epoch 1"):
        net.fit([[1.0]], [[3.0]])
    bias[:] = 2.0, np.nan
    assert np.isnan(net.evaluate([[1.0]], [[3.0]])["loss"])


# ---- PyTorch -----------------------------------------------------------------------------------------------


def gaussian(torch, output, y):
    """PyTorch's loss of outputs in pairs; its smallest variance never counts here."""
    return torch.nn.GaussianNLLLoss(eps=1e-300)(output[:, ::2], y, output[:, 1::2].exp())


def pinball(torch, output, y):
    """The pinball loss in PyTorch's operations."""
    levels = torch.tensor(Quantiles().quantiles, dtype=torch.float64)
    error = y[:, :, None] - output.reshape(len(y), -1, len(levels))
    return torch.maximum(levels * error, (levels - 1) * error).mean()


@pytest.mark.parametrize(("loss", "theirs"), [(GaussianNLL(), gaussian), (Quantiles(), pinball)], ids=repr)
def test_training_is_pytorchs(loss, theirs, network_class, torch, rng):
    X, y = data(rng, 25, 2)
    net = make(network_class, 5, 2, loss, activation="tanh", dtype="float64", optimizer=fastbp.SGD(0.01))
    model = model_of(torch, net)
    steps = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(100):
        steps.zero_grad()
        value = theirs(torch, model(torch.tensor(X)), torch.tensor(y))
        value.backward()
        steps.step()
        assert net.train_on_batch(X, y) == pytest.approx(value.item(), rel=1e-9)
    assert_same_parameters(net, model)


# ---- what is refused ---------------------------------------------------------------------------------------


def test_outputs_are_whole_groups(network_class):
    with pytest.raises(
        ParameterError,
        match=r"layers\[2\] has 3 units with the loss GaussianNLL\(\), expected a multiple of 2",
    ):
        network_class([4, 8, 3], loss="gaussian_nll")
    with pytest.raises(
        ParameterError, match=r"layers\[1\] has 4 units .* a multiple of 3, the outputs per target"
    ):
        network_class([4, 4], loss="quantiles")
    with pytest.raises(
        ParameterError,
        match="'tanh' with the loss 'gaussian_nll', expected 'identity', which this loss is computed with",
    ):
        network_class([4, 2], loss="gaussian_nll", output_activation="tanh")


def test_targets_have_their_own_number_of_columns(network_class, state_of, rng):
    net = make(network_class, 5, 2, GaussianNLL())
    X, y = data(rng, 10, 4)
    before = state_of(net)
    for wrong in (y, y[:, 0], y[:, :1]):
        with pytest.raises(
            ShapeError, match=r"expected \(10, 2\), for 10 rows of X and 4 outputs of the network, 2 per"
        ):
            net.fit(X, wrong)
    assert state_of(net) == before


def test_what_does_not_go_with_them(network_class, rng):
    X, y = data(rng, 10, 1)
    for loss in LOSSES[:2]:
        net = make(network_class, 5, 1, loss)
        with pytest.raises(
            ParameterError, match=f"class_weight with the loss '{loss.name}', which has no classes"
        ):
            net.fit(X, y, class_weight={0: 1.0})
        with pytest.raises(ParameterError, match="expected mse or half_sse"):
            make(network_class, 5, 1, loss, optimizer=fastbp.LevenbergMarquardt()).fit(X, y, batch_size=None)
        with pytest.raises(ParameterError, match=r"expected .* classes"):
            net.predict_classes(X)
    net = make(network_class, 5, 1, Quantiles(), output_activation="sigmoid")
    with pytest.raises(
        ParameterError, match=r"loss is Quantiles\(.*\), expected one whose outputs are classes"
    ):
        net.predict_classes(X)
    with pytest.raises(DataError, match=r"y\[3, 0\] is nan"):
        net.fit(X, np.where(np.arange(10)[:, None] == 3, np.nan, y))


def test_the_engine_does_not_read_past_its_targets(rng):
    """It refuses arrays that the checks of `Network` would have refused."""
    net = make(fastbp.Network, 5, 2, GaussianNLL())
    X, y = (a.astype(np.float32) for a in data(rng, 10, 4))
    with pytest.raises(ShapeError, match=r"the targets have shape \(10, 4\), expected \(10, 2\)"):
        engine_of(net).loss_and_gradients(X, y)
