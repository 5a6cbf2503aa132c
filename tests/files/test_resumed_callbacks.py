"""What callbacks see and remember in a fit that is continued from a checkpoint."""

from contextlib import suppress

import numpy as np
import pytest

import fastbp
from fastbp.callbacks import (
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    ExponentialMovingAverage,
    StochasticWeightAveraging,
    Watcher,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = X[:, :2] * 0.5


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.safetensors")


def make(**options):
    return fastbp.Network([3, 5, 2], **{"seed": 1} | options)


def killed(path, *callbacks, epoch=2, every=1, **options):
    """Train until the end of an epoch, as if the program was killed there: its file is not written."""

    def kill(state):
        if state.epoch == epoch:
            raise LookupError

    with suppress(LookupError):
        make().fit(X, Y, epochs=6, **options, callbacks=[*callbacks, kill, Checkpoint(path, every=every)])


@pytest.mark.parametrize("averaging", [ExponentialMovingAverage(0.7), StochasticWeightAveraging()])
def test_the_average_is_in_place_between_epochs(path, averaging):
    """The first `on_epoch_begin` after the stop sees the mean, as without a stop."""

    class Look:
        def __init__(self):
            self.seen = []

        def on_epoch_begin(self, state):
            self.seen.append(state.network.parameters.tobytes())

    expected, found = Look(), Look()
    make().fit(X, Y, epochs=6, callbacks=[averaging, expected])
    killed(path, averaging)
    make().fit(X, Y, epochs=6, callbacks=[averaging, found], resume=path)
    assert found.seen == expected.seen[2:]


def test_a_log_of_another_file_stays(path, tmp_path):
    """Only lines of the same logger are dropped; a file with other columns is refused as it is."""
    log = tmp_path / "log.csv"
    logger = CSVLogger(log, append=True)
    make().fit(X, Y, epochs=9, callbacks=logger)
    before = log.read_text()
    killed(path)  # without the logger
    make().fit(X, Y, epochs=6, callbacks=[logger, Checkpoint(path)], resume=path)
    assert log.read_text().startswith(before)
    assert len(log.read_text().splitlines()) == 10 + 4
    make().fit(X, Y, epochs=8, callbacks=[logger, Checkpoint(path)], resume=path)  # with it
    assert len(log.read_text().splitlines()) == 10 + 6
    log.write_text("a,b\n" * 20)
    with pytest.raises(fastbp.ParameterError, match="a file with the columns"):
        make().fit(X, Y, epochs=9, callbacks=logger, resume=path)
    assert log.read_text() == "a,b\n" * 20


def test_a_log_with_a_column_of_two_lines(path, tmp_path):
    def odd(output, target):
        return 1.0

    odd.__name__ = "a\nb"
    logger, options = CSVLogger(tmp_path / "log.csv"), {"validation_split": 0.3, "metrics": odd}
    killed(path, logger, **options)
    make().fit(X, Y, epochs=6, **options, callbacks=logger, resume=path)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2 + 6


def test_rows_are_held_out_by_the_seed_of_the_file(path):
    """A network without a seed of its own holds out the same rows as the one before."""
    options = {"validation_split": fastbp.ShuffledSplit(0.3), "resume": path}
    net = make(seed=None)
    first = net.fit(X, Y, epochs=2, **options, callbacks=Checkpoint(path))
    other = make(seed=None)
    history = other.fit(X, Y, epochs=4, **options)
    assert history.validation_loss[:2] == first.validation_loss
    net.fit(X, Y, epochs=2, validation_split=options["validation_split"])
    assert (net.parameters == other.parameters).all()


class Halving:
    """A callback that lowers the rate at the start of each epoch."""

    def on_epoch_begin(self, state):
        state.learning_rate = state.learning_rate / 2


def test_an_epoch_begins_once(path):
    """After a stop in `on_epoch_begin`, the fit goes on behind it."""

    class Stop:
        def on_epoch_begin(self, state):
            if state.epoch == 2:
                state.stop()

    expected, net = make(), make()
    expected.fit(X, Y, epochs=6, callbacks=Halving())
    for every in (9, 1):
        callbacks = [Halving(), Checkpoint(f"{path} {every}", every=every)]
        history = make().fit(X, Y, epochs=6, callbacks=[*callbacks, Stop()])
        assert (len(history), history.stopped) == (2, "callback")
        net = make()
        net.fit(X, Y, epochs=6, callbacks=callbacks, resume=f"{path} {every}")
        assert (net.parameters == expected.parameters).all()
        assert net.history.learning_rate == expected.history.learning_rate


def test_a_stop_before_the_first_epoch(path):
    """It ends this call alone: an unfinished fit goes on later, and a complete one stays complete."""

    class Busy:
        def on_fit_begin(self, state):
            state.stop("busy")

    early = EarlyStopping("loss", patience=1, min_delta=1.0)
    killed(path)
    for callbacks, stopped in (([Busy()], "busy"), ([], "epochs"), ([Busy()], "epochs")):
        history = make().fit(X, Y, epochs=6, callbacks=[*callbacks, Checkpoint(path)], resume=path)
        assert history.stopped == stopped
    other = f"{path} 2"
    for callbacks in ([], [Busy()], []):
        history = make().fit(X, Y, epochs=6, callbacks=[early, *callbacks, Checkpoint(other)], resume=other)
        assert (history.stopped, len(history)) == ("early_stopping", 2)


class Diary(Watcher):
    """A watcher whose entries change their kind, come and go."""

    def __init__(self):
        super().__init__()
        self.state |= {"text": 0, "number": 0, "at first": 1}

    def on_epoch_end(self, state):
        self.state.pop("at first", None)
        self.state |= {"text": f"epoch {state.epoch}", "number": float("inf"), str(state.epoch): 1}


def test_a_watcher_may_remember_anything(path):
    expected, found = Diary(), Diary()
    make().fit(X, Y, epochs=6, callbacks=expected)
    killed(path, Diary())
    make().fit(X, Y, epochs=6, callbacks=found, resume=path)
    assert found.state == expected.state


def test_a_callback_that_resumes_is_continued(path):
    """Its `begin` may return an object of any class, with a dict `state`."""

    class Counter:
        def __init__(self):
            self.state = {"epochs": 0}

        def on_epoch_end(self, state):
            self.state["epochs"] += 1

    class Counting:
        resume = True

        def __repr__(self):
            return "Counting()"

        def begin(self, columns):
            self.counter = Counter()
            return self.counter

    killed(path, Counting())
    callback, net = Counting(), make()
    net.fit(X, Y, epochs=6, callbacks=callback, resume=path)
    assert callback.counter.state == {"epochs": 6}
    net.fit(X, Y, callbacks=callback)
    assert callback.counter.state == {"epochs": 7}


def test_a_share_of_any_type(path):
    killed(path, validation_split=np.float64(0.25))
    assert len(make().fit(X, Y, epochs=6, validation_split=0.25, resume=path)) == 6
