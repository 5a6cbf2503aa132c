"""The callback `Diagnose`: what it records and reports during a fit, and on which rows."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import fastbp
from fastbp import DivergenceError, ParameterError
from fastbp.callbacks import Checkpoint, Diagnose
from helpers import sick
from helpers.isas import using


def quiet(**options):
    """Return a callback that only records."""
    return Diagnose(on_finding=lambda finding, state: None, **options)


# ---- records -----------------------------------------------------------------------------------------------


def test_it_records_the_measures_of_the_diagnosis(network_class, data, state_of):
    X, y = data
    net, twin = (network_class([4, 5, 2], activation="tanh", seed=1) for _ in range(2))
    looked, seen, diagnose = [], [], quiet(every=2)

    def look(state):
        looked.append(state.network.diagnose(X, y, history=state.history))
        seen.append([W.copy() for W in state.network.weights])

    net.fit(X, y, epochs=5, batch_size=8, callbacks=[diagnose, look])
    twin.fit(X, y, epochs=5, batch_size=8)
    assert state_of(net) == state_of(twin)
    np.testing.assert_array_equal(diagnose.epochs, [0, 2, 4])
    for name in ("gradient_norm", "delta_norm", "mean_slope", "least_slope", "saturated", "dead_units"):
        measured = diagnose.measures[name]
        assert measured.shape == (3, 2)
        for row, epoch in ((1, 2), (2, 4)):
            expected = [getattr(layer, name) for layer in looked[epoch - 1].layers]
            np.testing.assert_array_equal(measured[row], expected)
    moved = diagnose.measures["moved"]
    assert np.isnan(moved[0]).all()
    pairs = zip(seen[3], seen[2], strict=True)
    expected = [np.linalg.norm(W - before) / np.linalg.norm(before) for W, before in pairs]
    np.testing.assert_allclose(moved[2], expected, rtol=1e-6)
    assert str(diagnose.diagnosis) == str(looked[3])
    assert diagnose.findings == []


def test_before_a_fit_there_is_nothing_and_each_fit_starts_anew(data):
    diagnose = quiet()
    assert diagnose.epochs.shape == (0,)
    assert diagnose.measures == {}
    assert diagnose.diagnosis is None
    net = fastbp.Network([4, 3, 2])
    for epochs in (3, 2):
        net.fit(*data, epochs=epochs, callbacks=diagnose)
        np.testing.assert_array_equal(diagnose.epochs, range(epochs + 1))


class Spy(fastbp.Network):
    """A network that notes the length of the history that it is diagnosed with."""

    def diagnose(self, X, y, **options):
        self.lengths = [*getattr(self, "lengths", ()), len(options["history"])]
        return super().diagnose(X, y, **options)


def test_the_history_is_that_of_the_fit(data):
    net = Spy([4, 3, 2])
    for epochs in (2, 1):
        net.fit(*data, epochs=epochs, callbacks=quiet())
    assert net.lengths == [0, 1, 2, 0, 1]


def test_it_has_what_it_recorded_after_an_error(data):
    diagnose = quiet()
    net = fastbp.Network([4, 8, 2], optimizer=fastbp.SGD(1e4))
    with pytest.raises(DivergenceError):
        net.fit(*data, epochs=50, callbacks=diagnose)
    assert diagnose.epochs[0] == 0
    assert diagnose.findings[0][1].kind == "learning rate too high"


# ---- findings ----------------------------------------------------------------------------------------------


def dead():
    case = sick.dead_relus()
    return case.net, case.X, case.y


def test_each_finding_is_reported_once():
    (net, X, y), diagnose = dead(), Diagnose()
    with pytest.warns(UserWarning, match="before the first step: dead relus in layers") as caught:
        net.fit(X, y, epochs=3, callbacks=diagnose)
    assert len(caught) == len(diagnose.findings) == 1
    epoch, finding = diagnose.findings[0]
    assert (epoch, finding.kind, finding.layer) == (0, "dead relus", 2)
    assert finding.evidence in str(caught[0].message)
    assert caught[0].filename == __file__
    assert len(diagnose.epochs) == 4  # and was found each time


def test_findings_can_be_printed(capsys):
    net, X, y = dead()
    net.fit(X, y, epochs=2, callbacks=Diagnose(on_finding="print"))
    out = capsys.readouterr().out
    assert out.startswith("before the first step: dead relus in layers[2]\n  cause: ")
    assert out.count("dead relus in") == 1


def test_copies_and_pickles_keep_the_findings(capsys):
    case = sick.saturated_sigmoids()
    diagnose = Diagnose(on_finding="print")
    case.net.fit(case.X, case.y, epochs=1, callbacks=diagnose)
    for copied in (copy.deepcopy(diagnose), pickle.loads(pickle.dumps(diagnose))):
        assert copied.findings == diagnose.findings != []
        assert str(copied.diagnosis) == str(diagnose.diagnosis)


def test_a_finding_can_stop_the_fit():
    net, X, y = dead()
    before = net.parameters.copy()
    with pytest.warns(UserWarning, match="dead relus"):
        history = net.fit(X, y, epochs=3, callbacks=Diagnose(on_finding="stop"))
    assert (len(history), history.stopped) == (0, "dead relus")
    np.testing.assert_array_equal(net.parameters, before)


def test_a_function_may_answer_in_the_middle_of_a_fit():
    """At a rate that is too high the losses go up and down; after the answer they go down."""
    X, y = sick.numbers()
    answered = []

    def lower(finding, state):
        answered.append((finding.kind, len(state.history)))
        if finding.kind == "loss oscillating":
            state.learning_rate /= 10

    with using("baseline"):  # such a fit is chaotic: here it has the same bits on every processor
        net = fastbp.Network([6, 16, 16, 1], activation="tanh", seed=2, optimizer=fastbp.Adam(0.1))
    history = net.fit(X, y, epochs=60, batch_size=4, callbacks=Diagnose(every=30, on_finding=lower))
    assert {("learning rate too high", 0), ("loss oscillating", 30)} <= {*answered}
    assert history.learning_rate[29:31] == pytest.approx([0.1, 0.01])
    assert max(history.loss[-10:]) < 0.3 * min(history.loss[25:30])


def test_an_error_of_the_function_ends_the_fit():
    net, X, y = dead()

    def answer(finding, state):
        raise KeyError(finding.kind)

    with pytest.raises(KeyError, match="dead relus"):
        net.fit(X, y, callbacks=Diagnose(on_finding=answer))


def test_a_fit_that_continues_reports_nothing_twice(tmp_path):
    path, reported = tmp_path / "run.safetensors", []
    for epochs in (2, 4):
        net, X, y = dead()
        watch = Diagnose(on_finding=lambda finding, state: reported.append(finding.kind))
        net.fit(X, y, epochs=epochs, callbacks=[watch, Checkpoint(path)], resume=path)
    assert reported == ["dead relus"]
    np.testing.assert_array_equal(watch.epochs, [2, 3, 4])


# ---- data --------------------------------------------------------------------------------------------------


def sampled(net, *data, rows=512, **options):
    """Return what `EpochState.sample` gives a callback in a fit on these data."""
    found = []
    net.fit(*data, callbacks=lambda state: found.append(state.sample(rows)), **options)
    return found[0]


def test_a_sample_has_the_rows_that_are_trained_on(data):
    X, y = data
    net = fastbp.Network([4, 2], seed=5)
    for split, n in ((None, 23), (0.25, 17)):
        found = sampled(net, X, y, validation_split=split)
        np.testing.assert_array_equal(found[0], X[:n])
        np.testing.assert_array_equal(found[1], y[:n])
        assert found[2] is None
        assert not np.shares_memory(found[0], X)
    weights = np.arange(23.0) % 3
    X_in, y_in, weights_in = sampled(net, X, y, sample_weight=weights)
    np.testing.assert_array_equal(X_in, X[weights > 0])
    np.testing.assert_array_equal(y_in, y[weights > 0])
    np.testing.assert_array_equal(weights_in, weights[weights > 0])


def test_a_sample_is_spread_over_the_rows_and_the_same_for_a_seed():
    X = np.arange(10_000.0)[:, None]
    first, again, other = (
        sampled(fastbp.Network([1, 1], seed=seed), X, X, rows=100)[0][:, 0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    for rows in (first, other):
        assert len(rows) == 100
        np.testing.assert_array_equal(rows // 100, range(100))
    part = sampled(fastbp.Network([1, 1]), X[:23], X[:23], rows=20)[0][:, 0]
    assert len(set(part)) == len(part) >= 12


def test_a_sample_of_sparse_rows_labels_and_class_weights():
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.random(50, 6, 0.3, "csr", random_state=0)
    y = np.arange(50) % 3
    net = fastbp.Network([6, 3], loss="cross_entropy")
    X_in, y_in, weights = sampled(net, X, y, class_weight={1: 2.0, 2: 0.0})
    np.testing.assert_array_equal(X_in.toarray(), X.toarray()[y < 2])
    np.testing.assert_array_equal(y_in, y[y < 2])
    np.testing.assert_array_equal(weights, 1.0 + y[y < 2])
    watch = quiet()
    net.fit(X, y, callbacks=watch, class_weight="balanced")
    assert len(watch.epochs) == 2


def test_a_fit_on_a_file_is_looked_at(tmp_path, rng):
    X, y = rng.normal(size=(200, 4)), rng.normal(size=(200, 2))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    watch, same = quiet(rows=50), quiet(rows=50)
    for data, callback in ((mapped, watch), (X, same)):
        fastbp.Network([4, 3, 2], seed=1).fit(data, y, callbacks=callback)
    np.testing.assert_array_equal(watch.measures["gradient_norm"], same.measures["gradient_norm"])


def test_batches_need_data_of_their_own(data):
    X, y = data
    net = fastbp.Network([4, 2])
    before = net.parameters.copy()
    with pytest.raises(ParameterError, match=r"a fit on batches from an iterable, expected Diagnose\(X, y\)"):
        net.fit([(X, y)], callbacks=quiet())
    np.testing.assert_array_equal(net.parameters, before)
    watch = quiet(X=X, y=y, sample_weight=np.ones(23))
    net.fit([(X, y)], callbacks=watch)
    np.testing.assert_array_equal(watch.epochs, [0, 1])


def test_custom_losses_and_levenberg_marquardt(data):
    def loss(h, t):
        return float(np.mean((h - t) ** 2)), 2 * (h - t) / h.size

    for options in ({"loss": loss}, {"optimizer": fastbp.LevenbergMarquardt()}):
        watch = quiet()
        batch = {} if "loss" in options else {"batch_size": None}
        fastbp.Network([4, 3, 2], **options).fit(*data, epochs=2, callbacks=watch, **batch)
        assert watch.measures["gradient_norm"].shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"X": [[1.0]]}, "y is None, expected both X and y, or neither"),
        ({"y": [1.0]}, "X is None, expected both X and y, or neither"),
        ({"sample_weight": [1.0]}, "sample_weight without X and y, expected None"),
        ({"every": 0}, "every is 0"),
        ({"rows": 2.5}, "rows is 2.5"),
        ({"on_finding": "shout"}, "on_finding is 'shout', expected one of: warn, print, stop, or a function"),
        ({"on_finding": ["warn"]}, r"on_finding is \['warn'\], expected one of"),
    ],
)
def test_bad_arguments(options, said):
    with pytest.raises(ParameterError, match=said):
        Diagnose(**options)


def test_a_sample_is_of_a_fit_under_way(data):
    states = []
    fastbp.Network([4, 2]).fit(*data, callbacks=states.append)
    with pytest.raises(fastbp.Error, match="sample of a fit that is over"):
        states[0].sample()


def test_a_healthy_fit_is_silent(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X, y = sick.numbers()
        sick.regression().fit(X, y, epochs=20, callbacks=Diagnose(every=5))
