"""Fits on memory maps: the bits of fits on arrays, and bad numbers, which end the fit before their step."""

import numpy as np
import pytest

import fastbp
from fastbp.callbacks import Checkpoint, EarlyStopping
from helpers.callbacks import Kill, KillError
from helpers.inside import begun, engine_of
from helpers.maps import mapped
from helpers.odd_arrays import custom_loss
from helpers.weighted import IGNORING, LOSSES, make, problem_with_nan, weighted_problem

X = np.random.default_rng(0).normal(size=(23, 4))
Y = np.tanh(X[:, :2])


def network(network_class, **options):
    return network_class([4, 5, 2], **{"activation": "tanh", "seed": 3, "dtype": "float64"} | options)


# ---- the same bits -----------------------------------------------------------------------------------------


def test_losses_and_weights(network_class, rng, tmp_path, state_of):
    for loss in [*LOSSES, *IGNORING, fastbp.CrossEntropy(ignore_index=-1)]:
        for rows, batch_size, shuffle in [(41, 7, "blocks"), (9, 2, True), (9, None, False)]:
            with_nan = loss.ignore_nan
            inputs, y = (problem_with_nan if with_nan else weighted_problem)((3, 5, 2), loss, rows, rng)
            if loss.ignored_label is not None:
                y[1::3] = -1
            weights = rng.uniform(0.5, 2, rows)
            weights[1::3] = 0
            maps = mapped(tmp_path, inputs, "X"), mapped(tmp_path, y, "y")
            for sample_weight in (None, weights):
                options = {"batch_size": batch_size, "shuffle": shuffle, "sample_weight": sample_weight}
                found = []
                for data in ((inputs, y), maps):
                    net = make(network_class, (3, 5, 2), loss)
                    net.fit(*data, epochs=2, **options)
                    found.append(state_of(net))
                assert found[0] == found[1], (loss, options)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_blocks_of_rows(threads, isa, rng, tmp_path, state_of):
    X = rng.normal(size=(2500, 60)).astype(np.float32)
    y = mapped(tmp_path, X[:, :3].copy(), "y")
    for shuffle in (True, False, "blocks"):
        found = []
        with fastbp.threads(threads):
            for inputs in (X, mapped(tmp_path, X)):
                net = fastbp.Network([60, 150, 3], seed=1)
                net.fit(inputs, y, epochs=1, batch_size=1100, shuffle=shuffle)
                found.append(state_of(net))
        assert found[0] == found[1]


def test_everything_around_the_steps(network_class, tmp_path, state_of):
    """Validation, callbacks after steps and epochs, averages, a custom loss, full batches to the minimum."""
    maps = mapped(tmp_path, X, "X"), mapped(tmp_path, Y, "y")
    for made, options in (
        ({}, {"validation_data": (X, Y), "metrics": "r2"}),
        ({}, {"validation_split": 0.3}),
        ({"loss": custom_loss}, {}),
        ({}, {"callbacks": [fastbp.callbacks.StochasticWeightAveraging(start_epoch=1)]}),
        ({}, {"batch_size": None, "gradient_tol": 1e-12}),
        ({"optimizer": fastbp.LevenbergMarquardt()}, {"batch_size": None}),
        ({"input_noise": 0.1}, {"batch_size": None}),
    ):
        found = []
        for data in ((X, Y), maps):
            net = network(network_class, **made)
            net.fit(*data, **{"epochs": 4, "batch_size": 5} | options)
            found.append(state_of(net))
        assert found[0] == found[1], (made, options)


# ---- bad numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False, "blocks"])
@pytest.mark.parametrize("loss", ["mse", custom_loss])
def test_a_bad_number_ends_the_fit_before_its_step(network_class, loss, shuffle, tmp_path):
    """Of X or y, or of both, and then that of X is named; in float32, too, where 1e300 is not finite."""
    for bad, dtype in ((np.nan, "float64"), (-np.inf, "float64"), (1e300, "float32")):
        for name, row, column in (("X", 13, 2), ("y", 22, 1), ("X", 0, 0)):
            data = {"X": mapped(tmp_path, X, "X", "r+"), "y": mapped(tmp_path, Y, "y", "r+")}
            good = network(network_class, loss=loss, dtype=dtype)
            steps = []
            good.fit(**data, batch_size=4, shuffle=shuffle, callbacks=Recorder(steps, good))
            data[name][row, column] = bad
            if name == "X":
                data["y"][row, 0] = bad
            net = network(network_class, loss=loss, dtype=dtype)
            with pytest.raises(fastbp.DataError) as caught:
                net.fit(**data, batch_size=4, shuffle=shuffle, epochs=3)
            assert str(caught.value).startswith(f"{name}[{row}, {column}] is {bad}, expected a finite number")
            assert ("in float32, the network's dtype" in str(caught.value)) == (bad == 1e300)
            done = engine_of(net).t
            expected = [network(network_class, loss=loss, dtype=dtype).parameters.tobytes(), *steps][done]
            assert net.parameters.tobytes() == expected  # of a fit that has done so many steps
            if not shuffle:
                assert done == row // 4
            assert net.history.loss == []
            assert np.isfinite(net.predict(X)).all()
            net.fit(X, Y)
            assert len(net.history.loss) == 1


class Recorder:
    """A callback that keeps the parameters after each step."""

    def __init__(self, steps, net):
        self.steps, self.net = steps, net

    def on_batch_end(self, state):
        self.steps.append(self.net.parameters.tobytes())


class Spoil:
    """A callback that writes a bad number after an epoch."""

    def __init__(self, array, epoch):
        self.array, self.epoch = array, epoch

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            self.array[21, 3] = np.nan


@pytest.mark.parametrize("batch_size", [4, 23])
def test_complete_epochs_stay_in_the_history(network_class, batch_size, tmp_path):
    nets = [network(network_class) for _ in range(2)]
    data = mapped(tmp_path, X, "X", "r+"), Y
    options = {"batch_size": batch_size, "shuffle": False}
    history = nets[0].fit(*data, epochs=2, **options)
    for start in range(0, 20 if batch_size == 4 else 0, batch_size):
        nets[0].train_on_batch(X[start : start + batch_size], Y[start : start + batch_size])
    with pytest.raises(fastbp.DataError, match=r"^X\[21, 3\] is nan"):
        nets[1].fit(*data, epochs=5, callbacks=[Spoil(data[0], 1)], **options)
    assert nets[1].history.loss == history.loss
    assert nets[1].history.stopped == "interrupted"
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_what_a_callback_kept_comes_back(network_class, tmp_path):
    nets = [network(network_class) for _ in range(2)]
    data = mapped(tmp_path, X, "X", "r+"), Y
    best = EarlyStopping("loss", restore_best=True)
    nets[0].fit(*data, epochs=3, batch_size=4, callbacks=best)
    with pytest.raises(fastbp.DataError, match=r"^X\[21, 3\] is nan") as caught:
        nets[1].fit(*data, epochs=5, batch_size=4, callbacks=[best, Spoil(data[0], 2)])
    assert "a callback kept" in caught.value.__notes__[0]
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_the_error_tells_how_nan_may_be_given(network_class, tmp_path):
    y = Y.copy()
    y[9, 1] = np.nan
    found = []
    for targets in (y, mapped(tmp_path, y)):
        with pytest.raises(fastbp.DataError) as caught:
            network(network_class).fit(X, targets, batch_size=4)
        found.append(str(caught.value))
    assert found[0] == found[1]
    assert "ignore_nan" in found[0]


def test_rows_that_are_left_out_are_not_checked(network_class, tmp_path, state_of):
    """Rows of weight 0 may have any numbers, as nothing depends on them."""
    weights = np.ones(23)
    weights[[3, 17]] = 0
    spoilt = X.copy()
    spoilt[3, 1] = spoilt[17, 0] = np.nan
    for shuffle in (True, False, "blocks"):
        nets = [network(network_class) for _ in range(2)]
        for net, inputs in zip(nets, (X, mapped(tmp_path, spoilt)), strict=True):
            net.fit(inputs, Y, batch_size=4, shuffle=shuffle, sample_weight=weights)
        assert state_of(nets[0]) == state_of(nets[1])
    spoilt[5, 2] = np.inf
    with pytest.raises(fastbp.DataError, match=r"^X\[5, 2\] is inf"):
        network(network_class).fit(mapped(tmp_path, spoilt), Y, batch_size=4, sample_weight=weights)


class Forgiving:
    """Checks of a run that find nothing, as if the file had changed since the engine looked."""

    X, y = True, False

    def check(self, X, y, rows):
        assert X[rows].shape == (1, 4)


def test_a_number_that_is_finite_again_ends_the_fit(data):
    spoilt = X.copy()
    spoilt[13, 0] = np.nan
    net = network(fastbp.Network)
    run = begun(net, spoilt, Y, batch_size=4, epochs=1, shuffle=False, checks=Forgiving())
    with pytest.raises(fastbp.DataError, match=r"^row 13 had a number that was not finite, and has changed"):
        run.advance(1, 60)
    assert (run.epoch, run.step) == (0, 3)


# ---- stopped and resumed -----------------------------------------------------------------------------------


def test_fits_on_maps_resume(network_class, tmp_path, state_of):
    """With shuffled blocks, on a map or an array; not with another shuffle."""
    file, inputs = tmp_path / "fit.fbp", mapped(tmp_path, X)
    options = {"epochs": 4, "batch_size": 5, "shuffle": "blocks", "resume": file}
    whole = network(network_class)
    whole.fit(X, Y, **options)
    for steps in (5, 9, 15, 20):
        file.unlink(missing_ok=True)
        stopped = network(network_class)
        with pytest.raises(KillError):
            stopped.fit(inputs, Y, callbacks=[Checkpoint(file), Kill(steps)], **options)
        resumed = network(network_class)
        if steps >= 10:
            with pytest.raises(fastbp.ParameterError, match=r"^shuffle is True, expected 'blocks'"):
                resumed.fit(inputs, Y, **options | {"shuffle": True})
        resumed.fit(X if steps == 9 else inputs, Y, **options)
        assert state_of(resumed) == state_of(whole)


def test_a_fit_goes_on_when_the_file_is_mended(network_class, tmp_path, state_of):
    """What is done before a bad number is not lost."""
    whole, stopped, resumed = (network(network_class) for _ in range(3))
    file, inputs = tmp_path / "fit.fbp", mapped(tmp_path, X, mode="r+")
    options = {"epochs": 5, "batch_size": 4}
    whole.fit(X, Y, **options)
    with pytest.raises(fastbp.DataError, match=r"^X\[21, 3\]"):
        stopped.fit(inputs, Y, callbacks=[Checkpoint(file), Spoil(inputs, 2)], **options)
    inputs[21, 3] = X[21, 3]
    resumed.fit(inputs, Y, resume=file, **options)
    assert state_of(resumed) == state_of(whole)
