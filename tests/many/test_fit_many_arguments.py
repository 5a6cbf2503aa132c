"""Arguments of `fit_many`: lists of one value per network, splits, and what is refused before anything."""

import inspect
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

import fastbp
from fastbp import DataError, DTypeError, ParameterError, ShapeError
from fastbp._many._calls import per_network
from fastbp.callbacks import Checkpoint, CSVLogger, EarlyStopping, TensorBoard
from helpers.errors import refuses

RNG = np.random.default_rng(3)
X = RNG.normal(size=(20, 3))
Y = RNG.normal(size=(20, 1))
W = RNG.uniform(0.5, 1.5, size=20)
TRAIN, HELD_OUT = np.arange(0, 20, 2), np.arange(1, 20, 4)


def make(n=3, **options):
    return [fastbp.Network([3, 4, 1], dtype="float64", seed=seed, **options) for seed in range(n)]


def test_it_takes_what_fit_takes():
    """With the same defaults, except what belongs to the whole call or replaces it."""
    ours = inspect.signature(fastbp.fit_many).parameters
    theirs = inspect.signature(fastbp.Network.fit).parameters
    assert ours.keys() - theirs.keys() == {"networks", "splits"}
    assert theirs.keys() - ours.keys() == {"self"}
    shared = ours.keys() & theirs.keys()
    assert {name: ours[name].default for name in shared} == {name: theirs[name].default for name in shared}


# ---- lists -------------------------------------------------------------------------------------------------


def test_every_option_may_be_a_list():
    nets, alone = make(), make()
    data = [(X[i:], Y[i:], W[i:]) for i in range(3)]
    batch_sizes, epochs = [5, 6, None], [1, 2, 3]
    results = fastbp.fit_many(
        nets,
        [x for x, _, _ in data],
        [y for _, y, _ in data],
        sample_weight=[w for _, _, w in data],
        epochs=epochs,
        batch_size=batch_sizes,
        metrics=["r2", ("r2", "mae"), None],
        validation_data=(X, Y),
        callbacks=[(), EarlyStopping("validation_loss"), [EarlyStopping("validation_r2"), nothing]],
    )
    for i, (net, result) in enumerate(zip(alone, results, strict=True)):
        x, y, w = data[i]
        history = net.fit(
            x, y, sample_weight=w, epochs=epochs[i], batch_size=batch_sizes[i], validation_data=(X, Y)
        )
        assert result.loss == history.loss
        assert net.parameters.tobytes() == nets[i].parameters.tobytes()
    assert [[*result][2:-2] for result in results] == [
        ["validation_r2"],
        ["validation_r2", "validation_mae"],
        ["validation_r2"],
    ]


def nothing(state):
    """Do nothing."""


LISTABLE = [
    *(
        name
        for name, p in inspect.signature(fastbp.fit_many).parameters.items()
        if "Each" in str(p.annotation)
    ),
    "splits",
]


def test_the_lists_are_all_options_but_two():
    assert {*inspect.signature(fastbp.fit_many).parameters} - {*LISTABLE} == {
        "networks",
        "max_seconds",
        "verbose",
    }


@pytest.mark.parametrize("name", LISTABLE)
def test_a_list_of_another_length_is_refused(name):
    nets = make()
    arguments = {"X": X, "y": Y} | {name: [None, None]}
    message = refuses(
        lambda: fastbp.fit_many(nets, **arguments), ParameterError, f"{name} is a list of 2 for 3 networks"
    )
    assert message.endswith("for all of them")
    assert all(len(net.history) == 0 for net in nets)


def test_one_network_has_lists_of_one():
    refuses(
        lambda: fastbp.fit_many(make(1), X, Y, callbacks=[nothing, nothing]),
        ParameterError,
        "callbacks is a list of 2 for 1 network, expected one entry per network, or a tuple of callbacks",
    )
    (result,) = fastbp.fit_many(make(1), X, Y, callbacks=[[nothing, nothing]])
    assert len(result) == 1


@pytest.mark.parametrize("name", ["max_seconds", "verbose"])
def test_some_are_of_the_whole_call(name):
    refuses(
        lambda: fastbp.fit_many(make(), X, Y, **{name: [1, 1, 1]}), ParameterError, f"{name} is [1, 1, 1]"
    )


def test_batches_of_each_network():
    nets, alone = make(2), make(2)
    batches = [[(X[:5], Y[:5]), (X[5:], Y[5:])], ((X[:9], Y[:9]),)]
    fastbp.fit_many(nets, batches, epochs=2)
    for net, twin, own in zip(nets, alone, batches, strict=True):
        twin.fit(own, epochs=2)
        assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_a_call_can_be_pickled():
    """As a cluster needs it."""
    calls = per_network(make(2), X, Y, [(TRAIN, HELD_OUT), (HELD_OUT, None)], {"epochs": [3, 4]})
    again = pickle.loads(pickle.dumps(calls))
    assert [call.epochs for call in again] == [3, 4]
    assert again[0].arguments(3)["X"].tobytes() == X[TRAIN].tobytes()
    assert "validation_data" in again[0].arguments(3)
    assert "validation_data" not in again[1].arguments(3)


# ---- networks ----------------------------------------------------------------------------------------------


def test_networks_that_are_none(monkeypatch):
    nets = make()
    refuses(lambda: fastbp.fit_many(nets[0], X, Y), ParameterError, "networks is", "an iterable")
    refuses(lambda: fastbp.fit_many(3, X, Y), ParameterError, "networks is 3")
    refuses(lambda: fastbp.fit_many([nets[0], None], X, Y), ParameterError, "networks[1] is a NoneType")
    refuses(
        lambda: fastbp.fit_many([*nets, nets[1]], X, Y),
        ParameterError,
        "networks[3] is networks[1] again, expected each network once",
    )
    assert all(len(net.history) == 0 for net in nets)


def test_an_estimator_says_where_its_network_is():
    estimator = SimpleNamespace(network_=make(1)[0])
    refuses(lambda: fastbp.fit_many([estimator], X, Y), ParameterError, "networks[0]", "network_")


# ---- splits ------------------------------------------------------------------------------------------------


def fitted(X, y, sample_weight, splits, n=2):
    nets = make(n)
    results = fastbp.fit_many(nets, X, y, splits=splits, sample_weight=sample_weight, epochs=3, batch_size=4)
    assert all(isinstance(result, fastbp.History) for result in results), results
    return [net.parameters.tobytes() for net in nets], [result.to_dict() for result in results]


def expected(splits):
    """Return the same of fits of the rows that the splits choose."""
    nets, histories = make(len(splits)), []
    for net, (train, held_out) in zip(nets, splits, strict=True):
        validation = None if held_out is None else (X[held_out], Y[held_out], W[held_out])
        history = net.fit(
            X[train], Y[train], sample_weight=W[train], validation_data=validation, epochs=3, batch_size=4
        )
        histories.append(history.to_dict())
    return [net.parameters.tobytes() for net in nets], histories


def same(found, wanted):
    for history in [*found[1], *wanted[1]]:
        history.pop("seconds", None)
    return found == wanted


PAIRS = [(TRAIN, HELD_OUT), (np.arange(15), np.arange(15, 20))]


def mask(rows):
    found = np.zeros(20, bool)
    found[rows] = True
    return found


@pytest.mark.parametrize(
    "form",
    [
        lambda pairs: pairs,
        iter,
        lambda pairs: [[rows.tolist() for rows in pair] for pair in pairs],
        lambda pairs: [tuple(map(mask, pair)) for pair in pairs],
        lambda pairs: [(train.astype(np.uint8), held_out) for train, held_out in pairs],
    ],
    ids=["arrays", "iterator", "lists", "masks", "bytes"],
)
def test_splits_choose_rows(form):
    assert same(fitted(X, Y, W, form(PAIRS)), expected(PAIRS))


def test_a_pair_may_be_shared_and_without_validation():
    assert same(fitted(X, Y, W, (TRAIN, HELD_OUT)), expected([(TRAIN, HELD_OUT)] * 2))
    assert same(fitted(X, Y, W, (TRAIN, None)), expected([(TRAIN, None)] * 2))


def test_rows_may_come_twice():
    again = np.array([3, 3, 1, 0, 19])
    assert same(fitted(X, Y, W, (again, again)), expected([(again, again)] * 2))


def test_rows_of_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    wanted = expected(PAIRS)
    for kind in (sparse.csr_array, sparse.csc_matrix):
        assert same(fitted(kind(X), Y, W, PAIRS), wanted)


def test_rows_of_memory_maps(tmp_path):
    np.save(tmp_path / "X.npy", X)
    assert same(fitted(np.load(tmp_path / "X.npy", mmap_mode="r"), Y, W, PAIRS), expected(PAIRS))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_rows_of_frames_keep_their_names(library):
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    make_frame = module.table if library == "pyarrow" else module.DataFrame
    columns = {name: X[:, i] for i, name in enumerate("cab")}
    nets = make(2)
    results = fastbp.fit_many(
        nets,
        make_frame(columns),
        make_frame({"t": Y[:, 0]}),
        splits=PAIRS,
        sample_weight=W,
        epochs=3,
        batch_size=4,
    )
    assert [net.feature_names for net in nets] == [("c", "a", "b")] * 2
    found = [net.parameters.tobytes() for net in nets], [result.to_dict() for result in results]
    assert same(found, expected(PAIRS))


def test_splits_of_scikit_learn():
    model_selection = pytest.importorskip("sklearn.model_selection", reason="scikit-learn is not installed")
    folds = model_selection.KFold(4)
    found = fitted(X, Y, W, folds.split(X), n=4)
    assert same(found, expected([*folds.split(X)]))


def test_a_split_of_all_networks_that_is_no_pair_has_no_number():
    for splits in (5, "ab"):
        refuses(
            lambda splits=splits: fastbp.fit_many(make(2), X, Y, splits=splits), ParameterError, "splits is"
        )


@pytest.mark.parametrize("splits", [[TRAIN, TRAIN], [(TRAIN,), (TRAIN,)], (1, 2, 3), "ab", 5, ["ab", "ab"]])
def test_splits_that_are_no_pairs(splits):
    refuses(
        lambda: fastbp.fit_many(make(2), X, Y, splits=splits),
        ParameterError,
        "splits",
        "expected a pair (train, validation) of row indices",
    )


BAD_ROWS = {
    "beyond": ([0, 20], DataError, "splits[1][0] has the row 20, expected 0 to 19"),
    "negative": ([0, -1], DataError, "splits[1][0] has the row -1, expected 0 to 19"),
    "none": ([], ShapeError, "splits[1][0] has no rows"),
    "empty mask": (np.zeros(20, bool), ShapeError, "splits[1][0] has no rows"),
    "short mask": (np.ones(5, bool), ShapeError, "splits[1][0] has 5 bools, expected 20, one per row of X"),
    "floats": ([0.0, 1.0], DTypeError, "splits[1][0] has dtype float64, expected integers or bool"),
    "table": ([[0, 1]], ShapeError, "splits[1][0] has shape (1, 2), expected (rows,)"),
    "text": (["a"], DTypeError, "splits[1][0] has dtype"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_rows_that_are_wrong_are_the_result_of_their_network(case):
    rows, error, message = BAD_ROWS[case]
    nets = make(2)
    good, bad = fastbp.fit_many(nets, X, Y, splits=[(TRAIN, None), (rows, None)])
    assert isinstance(good, fastbp.History)
    assert type(bad) is error
    assert message in str(bad)
    assert len(nets[1].history) == 0
    _, bad = fastbp.fit_many(nets, X, Y, splits=[(TRAIN, None), (TRAIN, rows)])
    assert message.replace("[0]", "[1]") in str(bad)


def test_data_of_different_lengths():
    for arguments, name in (((X, Y[:7]), "y"), ((X, Y), "sample_weight")):
        (error,) = fastbp.fit_many(make(1), *arguments, splits=(TRAIN, None), sample_weight=W[:7])
        assert isinstance(error, ShapeError)
        assert f"{name} has 7 rows, expected 20, as many as X" in str(error)
    (error,) = fastbp.fit_many(make(1), X, 3.0, splits=(TRAIN, None))
    assert "y is 3.0, expected one entry per row" in str(error)


def test_splits_beside_other_validation_data():
    nets = make(2)
    for name, value in {"validation_data": (X, Y), "validation_split": 0.5}.items():
        refuses(
            lambda name=name, value=value: fastbp.fit_many(nets, X, Y, splits=PAIRS, **{name: value}),
            ParameterError,
            f"{name} is",
            "beside splits[0]",
        )
    results = fastbp.fit_many(nets, X, Y, splits=(TRAIN, None), validation_data=(X, Y))
    assert all("validation_loss" in result for result in results)
    refuses(lambda: fastbp.fit_many(nets, [(X, Y)] * 2, splits=PAIRS), ParameterError, "splits without y")


# ---- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Checkpoint, CSVLogger, TensorBoard])
def test_two_networks_do_not_write_to_one_file(tmp_path, monkeypatch, kind):
    nets = make(2)
    monkeypatch.chdir(tmp_path)
    for callbacks in (kind("run"), (nothing, kind("run")), [kind("run"), [kind(tmp_path / "run")]]):
        refuses(
            lambda callbacks=callbacks: fastbp.fit_many(nets, X, Y, callbacks=callbacks),
            ParameterError,
            "callbacks has",
            "for networks 0 and 1, expected another path for each",
        )
    assert [*tmp_path.iterdir()] == []


def test_callbacks_of_two_kinds_do_not_write_to_one_file(tmp_path):
    callbacks = [CSVLogger(tmp_path / "run"), Checkpoint(tmp_path / "run")]
    refuses(lambda: fastbp.fit_many(make(2), X, Y, callbacks=callbacks), ParameterError, "networks 0 and 1")


def test_files_of_each_network(tmp_path):
    paths = [tmp_path / f"{i}.csv" for i in range(3)]
    fastbp.fit_many(make(), X, Y, epochs=[1, 2, 3], callbacks=[*map(CSVLogger, paths)])
    assert [len(path.read_text().splitlines()) for path in paths] == [2, 3, 4]
