"""Averages of the weights: their formulas, every kind of plan, and where the mean replaces the parameters."""

from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp import SGD, Adam, Dense, DivergenceError, ParameterError, reference
from fastbp._training import snapshot
from fastbp.callbacks import EarlyStopping, ExponentialMovingAverage, StochasticWeightAveraging
from helpers.callbacks import stop_after
from helpers.engines_agree import assert_parity
from helpers.inside import engine_of
from helpers.optimizers import OPTIMIZERS
from helpers.pytorch import assert_same_parameters, model_of
from helpers.tables import DTYPES

EMA, SWA = ExponentialMovingAverage(0.9), StochasticWeightAveraging(2)
BOTH = pytest.mark.parametrize("average", [EMA, SWA], ids=str)


class Raw:
    """A callback that records the parameters after each step, before the mean takes their place."""

    def __init__(self):
        self.steps, self.ends = [], []

    def on_batch_end(self, state):
        self.steps.append(state.network.parameters.copy())
        if state.step == state.steps_per_epoch:
            self.ends.append(self.steps[-1])


def mean_of(raw, average):
    """Return the mean that these parameters have."""
    if average.decay is None:
        return np.mean(raw.ends[average.start_epoch :], axis=0)
    mean = raw.steps[0]
    for parameters in raw.steps[1:]:
        mean = average.decay * mean + (1 - average.decay) * parameters
    return mean


# ---- the formulas ------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_the_network_ends_with_the_mean(make, data, average, batch_size):
    raw, net = Raw(), make(optimizer=Adam(0.02))
    net.fit(*data, epochs=4, batch_size=batch_size, callbacks=[raw, average])
    expected = mean_of(raw, average)
    np.testing.assert_allclose(net.parameters, expected, rtol=1e-12, atol=1e-15)
    assert np.abs(expected - raw.steps[-1]).max() > 1e-3


@BOTH
def test_training_is_as_without(make, data, average):
    """The losses are those of the raw parameters, and the optimizer's state is the same."""
    net, twin = make(optimizer=Adam(0.02)), make(optimizer=Adam(0.02))
    net.fit(*data, epochs=6, batch_size=8, callbacks=average)
    twin.fit(*data, epochs=6, batch_size=8)
    assert net.history.loss == twin.history.loss
    assert (engine_of(net).state == engine_of(twin).state).all()
    assert (net.parameters != twin.parameters).any()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_moving_averages_are_pytorchs(make, data, torch, optimizer, decay):
    net = make(optimizer=OPTIMIZERS[optimizer])
    theirs = torch.optim.swa_utils.AveragedModel(
        model_of(torch, net), multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
    )
    raw = Raw()
    net.fit(*data, epochs=100, batch_size=None, callbacks=[raw, ExponentialMovingAverage(decay)])
    compare(torch, make(), theirs, raw.steps)
    assert_same_parameters(net, theirs.module)


def test_means_over_epochs_are_pytorchs(make, data, torch):
    net = make(optimizer=Adam(0.01))
    theirs = torch.optim.swa_utils.AveragedModel(model_of(torch, net))
    raw = Raw()
    net.fit(*data, epochs=100, batch_size=8, callbacks=[raw, StochasticWeightAveraging(40)])
    compare(torch, make(), theirs, raw.ends[40:])
    assert_same_parameters(net, theirs.module)


def compare(torch, shown, theirs, series):
    """Let PyTorch average models with these parameters."""
    for parameters in series:
        shown.parameters[:] = parameters
        theirs.update_parameters(model_of(torch, shown))


# ---- every kind of plan ------------------------------------------------------------------------------------


def custom(output, target):
    """Half the mean of the squared errors."""
    error = output - target
    return 0.5 * float((error * error).mean()), error / error.size


# layers, rows, rows of a batch, options of the network, options of fit
PLANS = {
    "narrow": ([3, 7, 2], 40, 16, {}, {}),
    "narrow, single rows": ([3, 7, 2], 20, 1, {}, {}),
    "narrow, several row blocks": ([3, 7, 2], 2 * 4096 + 3, 2 * 4096 + 1, {}, {}),
    "fused": ([3, 33, 2], 40, 16, {}, {}),
    "fused, single rows": ([3, 33, 2], 20, 1, {}, {}),
    "the same rows again": ([3, 33, 2], 20, 20, {}, {"shuffle": False}),
    "several row blocks": ([3, 133, 2], 1100, 1050, {}, {}),
    "clipped": ([3, 33, 2], 40, 16, {"optimizer": SGD(0.1, clip_norm=0.1)}, {}),
    "stored": ([3, 33, 2], 40, None, {}, {"gradient_tol": 1e-30}),
    "max_norm": ([3, Dense(33, max_norm=0.5), 2], 40, 16, {}, {}),
    "dropout": ([3, Dense(33, dropout=0.2), 2], 40, 16, {}, {}),
    "custom loss": ([3, 33, 2], 40, 16, {"loss": custom}, {}),
}


def averaged(network_class, plan, dtype, average=EMA):
    sizes, n, batch_size, options, more = PLANS[plan]
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, 3)).astype(np.float32), rng.random((n, 2)).astype(np.float32)
    options = {"activation": "tanh", "seed": 3, "optimizer": SGD(0.1, momentum=0.5), **options}
    net = network_class(sizes, dtype=dtype, **options)
    net.parameters[:] = np.random.default_rng(1).standard_normal(net.parameters.size).astype(np.float32) / 4
    net.fit(X, y, epochs=4, batch_size=batch_size, callbacks=average, **more)
    return net.parameters.astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("plan", PLANS)
def test_parity(plan, dtype, isa):
    truth, rounded = (averaged(reference.Network, plan, each) for each in ("float64", "float32"))
    assert_parity([averaged(fastbp.Network, plan, dtype)], [truth], [rounded], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("plan", PLANS)
def test_any_number_of_threads_gives_the_same_bits(plan, dtype, isa):
    found = set()
    for threads in (1, 2, 3, 8):
        with fastbp.threads(threads):
            found.add(averaged(fastbp.Network, plan, dtype).tobytes())
    assert len(found) == 1


def test_means_of_weights_that_fade_are_not_subnormal(network_class):
    """They would make every later step slower."""
    net = network_class([1, 1], optimizer=SGD(0.5), loss="half_sse", dtype="float32", seed=0)
    net.parameters[:] = 0.5, 0.5
    net.fit([[1.0]], [0.0], epochs=200, callbacks=ExponentialMovingAverage(0.5))
    assert (net.parameters == 0).all()


# ---- where the mean is used --------------------------------------------------------------------------------


@BOTH
def test_validation_and_callbacks_see_the_mean(make, data, average):
    net, raw, seen = make(optimizer=Adam(0.02)), Raw(), []

    def look(state):
        assert net.evaluate(*data)["loss"] == state.metrics["validation_loss"]
        seen.append(net.parameters.copy())

    net.fit(*data, epochs=5, batch_size=8, validation_data=data, callbacks=[raw, average, look])
    assert (seen[-1] == net.parameters).all()
    first = 0 if average is EMA else average.start_epoch
    for epoch in range(5):
        assert (seen[epoch] == raw.ends[epoch]).all() == (
            epoch < first or (average is SWA and epoch == first)
        )


@BOTH
def test_restore_best_keeps_the_mean(make, data, state_of, average):
    net, seen = make(optimizer=Adam(0.3)), []
    stopping = EarlyStopping("validation_loss", patience=3, restore_best=True)

    def look(state):
        seen.append(state_of(net)[:3])

    history = net.fit(
        *data, epochs=99, batch_size=8, validation_data=data, callbacks=[average, stopping, look]
    )
    column = history.validation_loss
    assert history.stopped == "early_stopping"
    assert state_of(net)[:3] == seen[column.index(min(column))]
    assert net.evaluate(*data)["loss"] == min(column)


@BOTH
def test_a_fit_that_is_stopped_or_interrupted_ends_with_the_mean(make, data, average):
    ends = []
    for last in (stop_after(4), fail_after(4)):
        net = make(optimizer=Adam(0.02))
        with suppress(KeyboardInterrupt):
            net.fit(*data, epochs=99, batch_size=8, callbacks=[average, last])
        ends.append(net.parameters.tobytes())
    net = make(optimizer=Adam(0.02))
    net.fit(*data, epochs=4, batch_size=8, callbacks=average)
    assert ends == [net.parameters.tobytes()] * 2


def fail_after(epochs):
    def callback(state):
        if state.epoch == epochs - 1:
            raise KeyboardInterrupt

    return callback


def test_an_interruption_within_an_epoch_leaves_the_mean_of_the_steps(make, data):
    net, raw = make(optimizer=Adam(0.02)), Raw()

    class Interrupting:
        def on_batch_end(self, state):
            if (state.epoch, state.step) == (1, 2):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=9, batch_size=8, callbacks=[raw, EMA, Interrupting()])
    np.testing.assert_allclose(net.parameters, mean_of(raw, EMA), rtol=1e-12)
    assert len(net.history) == 1


@BOTH
def test_the_next_epoch_begins_with_the_mean_in_place(make, data, average, monkeypatch):
    """Whether a snapshot of the raw parameters was due or not, which the clock decides."""
    monkeypatch.setattr(snapshot, "SNAPSHOT_INTERVAL", 0.0)
    monkeypatch.setattr(snapshot, "SNAPSHOT_SHARE", 1e9)
    seen = []

    class Look:
        def on_epoch_begin(self, state):
            seen.append(state.network.parameters.copy())

        on_epoch_end = on_epoch_begin

    make(optimizer=Adam(0.02)).fit(*data, epochs=6, callbacks=[average, Look()])
    np.testing.assert_array_equal(seen[1:-1:2], seen[2::2])


@BOTH
def test_a_divergence_returns_to_raw_parameters(make, data, state_of, average):
    net, twin = make(optimizer=SGD(0.01)), make(optimizer=SGD(0.01))

    def spoil(state):
        if state.epoch == 3:
            state.learning_rate = 1e300

    for each, callbacks in ((net, [average, spoil]), (twin, [spoil])):
        with pytest.raises(DivergenceError):
            each.fit(*data, epochs=9, batch_size=8, callbacks=callbacks)
    if len(net.history) == len(twin.history):  # snapshots are taken by the clock
        assert state_of(net)[:3] == state_of(twin)[:3]
    assert np.isfinite(net.parameters).all()
    assert net.learning_rate == 0.01


def test_the_next_fit_averages_anew_and_without_the_callback_not_at_all(make, data, state_of):
    net = make(optimizer=Adam(0.02))
    net.fit(*data, epochs=3, batch_size=8, callbacks=EMA)
    twin, raw = net.clone(), Raw()
    net.fit(*data, epochs=2, batch_size=8, callbacks=[raw, EMA])
    np.testing.assert_allclose(net.parameters, mean_of(raw, EMA), rtol=1e-12)
    twin.fit(*data, epochs=2, batch_size=8)
    assert (twin.parameters == raw.steps[-1]).all()
    plain, again = twin.clone(), twin.clone()
    twin.train_on_batch(*data)
    plain.train_on_batch(*data)
    assert state_of(twin) == state_of(plain) != state_of(again)


@BOTH
def test_layers_that_are_not_trained_stay_as_they_are(network_class, rng, average):
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    net = network_class([3, Dense(33, trainable=False), 2], dtype="float32", seed=0)
    W = net.weights[0].copy()
    net.fit(X, y, epochs=9, batch_size=5, callbacks=average)
    assert (net.weights[0] == W).all()


def test_a_mean_that_never_begins_leaves_the_parameters(make, data, state_of):
    net, twin = make(), make()
    net.fit(*data, epochs=3, callbacks=StochasticWeightAveraging(3))
    twin.fit(*data, epochs=3)
    assert state_of(net) == state_of(twin)


# ---- refused -----------------------------------------------------------------------------------------------

REFUSED = {
    "two": ({}, [EMA, SWA], r"^callbacks\[0\] \(.*\) and callbacks\[1\] \(.*\) each average the weights, "),
    "no steps": (
        {"optimizer": fastbp.LevenbergMarquardt()},
        [EMA],
        r"^callbacks\[0\] is Exp.* with the optimizer L",
    ),
}


@pytest.mark.parametrize(("options", "callbacks", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(make, data, state_of, options, callbacks, message):
    net = make(**options)
    before = state_of(net)
    with pytest.raises(ParameterError, match=message):
        net.fit(*data, batch_size=None, callbacks=callbacks)
    assert state_of(net) == before


@pytest.mark.parametrize("decay", [1, -0.1, "x", np.nan])
def test_decays_that_are_refused(decay):
    with pytest.raises(ParameterError, match=r"decay is .*, expected a finite number >= 0 and < 1"):
        ExponentialMovingAverage(decay)


def test_the_native_engine_refuses_other_arrays(data):
    engine = engine_of(fastbp.Network([4, 2]))
    for wrong in (
        np.zeros(3, np.float32),
        np.zeros(10),
        np.zeros((5, 2), np.float32),
        np.float32([3]).reshape(()),
    ):
        with pytest.raises(fastbp.ShapeError, match="the average has shape"):
            engine.set_average(wrong, 0.5)
    assert engine.average is None
    run = engine.begin(
        data[0], data[1], batch_size=8, shuffle=False, seed=0, first_epoch=0, epochs=2, stored=False
    )
    engine.set_average(np.zeros(10, np.float32), 0.5)
    with pytest.raises(fastbp.Error, match="the average was set during a run"):
        run.advance(1, 1.0)
