"""Model files of the estimators."""

import warnings
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score, make_scorer

import fastbp
from fastbp import optimizers, schedules
from fastbp._model_file.container import Reader
from fastbp.sklearn import MLPClassifier, MLPRegressor
from helpers.model_files import parts, rewritten

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Training interrupted:UserWarning"
)

rng = np.random.default_rng(5)
X = rng.normal(size=(40, 3))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
Y = np.column_stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])])


def half_rate(epoch):
    return 0.01 * 0.5**epoch


def squares(output, target):
    error = output - target
    return float((error * error).mean()), 2 * error / error.size


def weighted(estimator, X, y):
    return 0.5


macro = make_scorer(f1_score, average="macro")
CUSTOM = {"half_rate": half_rate, "squares": squares, "weighted": weighted, "_Scorer": macro}


def classifier(**options):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 3} | options)


def regressor(**options):
    return MLPRegressor(**{"hidden_layer_sizes": [4, 3], "max_iter": 4, "random_state": 3} | options)


SCHEDULE = schedules.Warmup(schedules.Cosine(0.05, 6, growth=2), 3)
#: (estimator, y)
CASES = {
    "adam": (classifier(), LABELS),
    "float32": (classifier(), LABELS),
    "sgd, adaptive": (
        classifier(solver="sgd", learning_rate="adaptive", tol=10.0, n_iter_no_change=1),
        LABELS,
    ),
    "lbfgs": (classifier(solver="lbfgs", max_iter=3), LABELS > 0),
    "early stopping": (
        classifier(early_stopping=True, validation_fraction=0.3, tol=np.float64(0)),
        LABELS > 0,
    ),
    "values": (
        classifier(
            activation=[fastbp.LeakyReLU(0.2), "tanh"],
            hidden_layer_sizes=np.array([4, 3]),
            dropout=[0.1, 0.2],
            optimizer=optimizers.SGD(SCHEDULE, momentum=0.9, clip_norm=1.0),
            loss=fastbp.CrossEntropy(label_smoothing=0.1),
            class_weight={0: 1.0, np.int64(1): 2, 2: np.float32(0.1)},
            n_iter_no_change=np.inf,
        ),
        LABELS,
    ),
    "functions": (classifier(learning_rate=half_rate, scoring=weighted, early_stopping=True), LABELS),
    "a scorer": (classifier(scoring=macro, early_stopping=True), LABELS),
    "two outputs for two classes": (classifier(loss="cross_entropy"), np.array(["no", "yes"])[LABELS // 2]),
    "several labels": (classifier(class_weight=None), np.column_stack([LABELS > 0, LABELS > 1, X[:, 2] > 0])),
    "Levenberg-Marquardt": (regressor(optimizer=fastbp.LevenbergMarquardt(), alpha=0, max_iter=2), Y),
    "one target": (regressor(output_activation=fastbp.activations.get("identity")), Y[:, 0]),
    "custom loss": (regressor(loss=squares), Y),
    "Gaussian": (regressor(loss=fastbp.GaussianNLL()), Y),
}
ATTRIBUTES = ["coefs_", "intercepts_", "network_", "_own_weights"]  # that vars() cannot compare


def fitted(case, **options):
    estimator, y = CASES[case]
    data = X.astype(np.float32) if case == "float32" else X
    # a copy by hand: clone is scikit-learn's and copies values
    return type(estimator)(**estimator.get_params(deep=False) | {"warm_start": True} | options).fit(data, y)


def same(one, other):
    """Tell whether two values are equal and of the same types, down to the bits and the order."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and bool((one == other).all())
    return type(one) is type(other) and repr(one) == repr(other)


def assert_same(one, other):
    """Check that two estimators agree in parameters, attributes and weights."""
    assert vars(one).keys() == vars(other).keys()
    given = one.get_params(deep=False).keys()
    for name in vars(one).keys() - given - {*ATTRIBUTES}:
        assert same(vars(one)[name], vars(other)[name]), name
    assert one.network_.parameters.tobytes() == other.network_.parameters.tobytes()
    assert one.network_.dtype == other.network_.dtype


def plain(value):
    """Return a parameter as the file brings it back: NumPy's numbers and arrays as Python's."""
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


def predictions(estimator):
    outputs = [estimator.predict(X), estimator.predict(X.astype(np.float32))]
    if hasattr(estimator, "predict_proba"):
        outputs.append(estimator.predict_proba(X))
    return outputs


@pytest.mark.parametrize("case", CASES)
def test_what_comes_back(case, tmp_path):
    """Parameters, attributes, predictions; and a fit continues as that of the saved estimator."""
    before, path = fitted(case), tmp_path / "estimator.safetensors"
    y = CASES[case][1]
    before.save(path)
    after = type(before).load(path, custom=CUSTOM)
    assert type(after) is type(before)
    for name, value in before.get_params(deep=False).items():
        assert same(plain(value), getattr(after, name)), name
    assert_same(before, after)
    assert all(map(same, predictions(before), predictions(after)))
    data = X.astype(before.network_.dtype)
    for estimator in (before, after):
        estimator.fit(data, y)
    assert_same(before, after)
    after.save(tmp_path / "again.safetensors")
    assert_same(type(before).load(tmp_path / "again.safetensors", custom=CUSTOM), after)


def test_partial_fit_continues(tmp_path):
    """With early stopping, the best weights so far are in the file."""
    path = tmp_path / "estimator.safetensors"
    labels = np.array(["b", "a", "c"])[LABELS]
    data = {"X_val": X[30:], "y_val": labels[30:]}
    before = classifier(early_stopping=True, n_iter_no_change=3, learning_rate_init=0.3)
    before.partial_fit(X[:30], labels[:30], classes=["a", "b", "c"], **data)
    best = before._best_parameters.copy()
    before.save(path)
    after = MLPClassifier.load(path)
    assert same(after._best_parameters, best)
    for _ in range(12):
        for estimator in (before, after):
            estimator.partial_fit(X[:30], labels[:30], **data)
        assert_same(before, after)
        assert all(map(same, predictions(before), predictions(after)))
    assert before.converged_ or before._no_improvement_count


@pytest.mark.parametrize(
    "classes",
    [
        [-3, 0, 2**40],
        np.array([0, 200], np.uint8),
        [False, True],
        [0.0, 2.0, 5.0],
        np.array([1, 3], np.float32),
        ["é", "\U0001f600", ""],
        np.array(["x", "y", "z"], object),
    ],
    ids=str,
)
def test_classes(classes, tmp_path):
    classes, path = np.array(classes), tmp_path / "estimator.safetensors"
    y = np.sort(classes)[LABELS % len(classes)]
    before = classifier().fit(X, y)
    before.save(path)
    after = MLPClassifier.load(path)
    assert same(after.classes_, before.classes_)
    assert same(after.predict(X), before.predict(X))
    names = tuple(str(label) for label in before.classes_.tolist())
    assert fastbp.load(path).class_names == (names if len(names) > 2 else names[1:])


def test_the_file_is_one_of_a_network(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame, path = pandas.DataFrame(X, columns=["a", "b", "c"]), tmp_path / "estimator.safetensors"
    before = classifier().fit(frame, np.array(["no", "yes", "maybe"])[LABELS])
    own = before.network_
    own.feature_names = ("x", "y", "z")
    before.save(path)
    assert before.network_ is own
    assert (own.feature_names, own.class_names) == (("x", "y", "z"), None)
    net = fastbp.load(path)
    assert (net.feature_names, net.class_names) == (("a", "b", "c"), ("maybe", "no", "yes"))
    assert net.predict(frame[["c", "a", "b"]]).tobytes() == before.predict_proba(frame).tobytes()
    after = MLPClassifier.load(path)
    assert same(after.feature_names_in_, before.feature_names_in_)
    with pytest.raises(ValueError, match="feature names should match"):
        after.predict(frame.rename(columns={"a": "d"}))


def test_inference(tmp_path):
    whole, small = tmp_path / "whole.safetensors", tmp_path / "small.safetensors"
    before = fitted("functions")
    before.save(whole)
    before.save(small, inference=True)
    assert small.stat().st_size < whole.stat().st_size
    after = MLPClassifier.load(small)  # without the functions
    assert same(after.predict_proba(X), before.predict_proba(X))
    left_out = {"loss_curve_", "validation_scores_", "validation_loss_curve_", "_no_improvement_count"}
    assert vars(before).keys() - vars(after).keys() == left_out
    with pytest.raises(fastbp.ParameterError, match=r"half_rate.*custom="):
        after.fit(X, LABELS)
    after = MLPClassifier.load(small, custom=CUSTOM).fit(X, LABELS)
    assert len(after.loss_curve_) == after.n_iter_


def test_weights_of_the_user(tmp_path):
    """Arrays that were put into `coefs_` are saved, before anything else has used them."""
    before, path = fitted("adam"), tmp_path / "estimator.safetensors"
    before.coefs_[0] = np.full_like(before.coefs_[0], 0.25)
    before.save(path)
    assert (MLPClassifier.load(path).coefs_[0] == 0.25).all()


class Own(MLPClassifier):
    """A classifier of a user."""


def test_derived_classes(tmp_path):
    path = tmp_path / "estimator.safetensors"
    before = Own((2,), max_iter=2).fit(X, LABELS)
    before.note = "mine"
    before.save(path)
    for kind in (Own, MLPClassifier):
        after = kind.load(path)
        assert type(after) is kind
        assert not hasattr(after, "note")
        assert same(after.predict_proba(X), before.predict_proba(X))


def test_files_are_the_same_each_time(tmp_path):
    before = fitted("values")
    for name in "ab":
        before.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# ---- errors ------------------------------------------------------------------------------------------------


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "estimator.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(NotFittedError):
        classifier().save(path)
    for name, value in {
        "random_state": np.random.RandomState(1),
        "class_weight": {0: 1 + 2j},
        "verbose": b"x",
        "scoring": int,
        "alpha": fastbp.Adam(),
    }.items():
        estimator = fitted("adam").set_params(**{name: value})
        with pytest.raises(fastbp.ParameterError, match=f"^{name} is .*, which a model file cannot hold"):
            estimator.save(path)
    estimator = fitted("adam")
    with pytest.raises(fastbp.ParameterError, match="inference is 1, expected True or False"):
        estimator.save(path, inference=1)
    estimator.classes_ = np.array([0, 1, 2], "m8[s]")
    with pytest.raises(fastbp.ParameterError, match=r"classes_\.dtype is 'timedelta.*holds classes that are"):
        estimator.save(path)
    assert path.read_bytes() == b"old"


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "net.safetensors"
    fastbp.Network([3, 2], seed=0).save(path)
    with pytest.raises(fastbp.ModelFileError, match=r"contains a network without an estimator.*fastbp\.load"):
        MLPClassifier.load(path)
    fitted("one target").save(path)
    with pytest.raises(fastbp.ModelFileError, match="class is 'MLPRegressor', expected MLPClassifier"):
        MLPClassifier.load(path)
    fitted("functions").save(path)
    with pytest.raises(fastbp.ParameterError, match="custom is empty, expected 'half_rate'"):
        MLPClassifier.load(path)
    with pytest.raises(fastbp.ParameterError, match=r"expected 'weighted'.*parameters\.scoring"):
        MLPClassifier.load(path, custom={"half_rate": half_rate})
    with pytest.raises(FileNotFoundError):
        MLPClassifier.load(tmp_path / "none")


WRONG = [None, True, -1, 0, 1.5, 2**63, 1e308, "", "relu", "x" * 10**5, [], {}, [[]], [1], ["a", "a"]]
WRONG += [{"custom": "f"}, {"custom": 1}, {"float": "nan"}, {"float": "x"}, {"tuple": 1}, {"tuple": [[]]}]
WRONG += [{"dict": [[1]]}, {"dict": [[[], 1]]}, {"dict": 3}, {"value": 1}, {"value": {"type": "Adam"}}]
WRONG += [{"value": {"type": "Dense"}}, {"a": 1, "b": 2}, {"save": 1}, {"__class__": "x"}]


def use(estimator):
    """Use an estimator that came from a file; only errors of ours or of scikit-learn may occur."""
    repr(estimator)
    predictions(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(ValueError, TypeError):  # a parameter that is wrong
            estimator.set_params(max_iter=1, hidden_layer_sizes=2).fit(X, CASES["values"][1])


def crafted(kind, case, tmp_path, every):
    """Put wrong parts, every n-th, in each place of the description; check that they are refused or work."""
    honest, path = tmp_path / "honest.safetensors", tmp_path / "hostile.safetensors"
    before = fitted(case)
    before.save(honest)
    with Reader(honest) as reader:
        places = [*parts(reader.description["extra"])]
    count = 0
    for i, place in enumerate(places):
        for wrong in WRONG[i % every :: every]:

            def put(description, _, place=place, wrong=wrong):
                owner = description["extra"]
                for key in place[:-1]:
                    owner = owner[key]
                owner[place[-1]] = wrong

            path.unlink(missing_ok=True)
            rewritten(honest, path, put)
            try:
                after, message = kind.load(path), ""
            except (fastbp.ModelFileError, fastbp.ParameterError) as error:
                after, message = None, str(error)
            assert len(message) < 2000
            count += after is None
            if after is not None:
                use(after)
    assert count > 50


def test_hostile_parts(tmp_path):
    crafted(MLPClassifier, "values", tmp_path, 15)


@pytest.mark.slow
def test_more_hostile_parts(tmp_path):
    crafted(MLPClassifier, "values", tmp_path, 1)
    crafted(MLPClassifier, "two outputs for two classes", tmp_path, 1)


MESSAGES = {
    ("class",): ("os.system", r"estimator\.class is 'os\.system', expected MLPClassifier"),
    ("parameters", "evil"): (1, r"estimator\.parameters\.evil is unexpected"),
    ("parameters", "optimizer"): ({"value": {"type": "Popen"}}, r"optimizer\.value\.type is 'Popen'"),
    ("parameters", "alpha"): ({"value": {"type": "Adam"}}, r"parameters\.alpha\.value is unexpected"),
    ("fitted", "predict"): (1, r"estimator\.fitted\.predict is unexpected"),
    ("fitted", "n_iter_"): (1.5, r"fitted\.n_iter_ is 1\.5, expected an integer"),
    ("fitted", "loss_curve_"): ([1], r"fitted\.loss_curve_ is \[1\], expected null"),
    ("feature_names",): (["a", "b"], r"feature_names has 2 names, expected 3"),
    ("classes",): (None, r"classes is None, expected an object"),
    ("classes", "values"): ([2, 1, 0], r"classes\.values is \[2, 1, 0\], expected different classes in asc"),
    ("classes", "dtype"): ("int32x", r"classes\.dtype is 'int32x'"),
    ("classes", "kind"): ("continuous", r"classes\.kind is 'continuous', expected one of: binary"),
}


@pytest.mark.parametrize("place", MESSAGES)
def test_messages(place, tmp_path):
    wrong, message = MESSAGES[place]
    honest, path = tmp_path / "honest.safetensors", tmp_path / "hostile.safetensors"
    fitted("adam").save(honest)

    def put(description, _):
        owner = description["extra"]["estimator"]
        for key in place[:-1]:
            owner = owner[key]
        owner[place[-1]] = wrong

    rewritten(honest, path, put)
    with pytest.raises(fastbp.ModelFileError, match=f"contains no valid MLPClassifier: .*{message}"):
        MLPClassifier.load(path)


def test_classes_that_do_not_fit(tmp_path):
    """Numbers that their dtype cannot hold, more or fewer than outputs, and names that fill the memory."""
    honest, path = tmp_path / "honest.safetensors", tmp_path / "hostile.safetensors"
    fitted("adam").save(honest)
    for classes, message in {
        ("int8", (0, 1, 300)): "",
        ("int64", (0, 1.0, 2)): "expected an integer",
        ("bool", (0, 1)): "expected true or false",
        ("float32", (0.0, 0.1, 1.0)): "expected numbers of float32",
        ("int64", (0, 1)): "has 2 classes, multiclass, which do not fit 3 outputs",
        ("int64", ()): "expected different classes",
        ("str", ("a", "b\0", "b")): "expected different classes",
        ("str", ("a", "b", "x" * 3 * 10**6)): "expected less text",
    }.items():
        node = {"kind": "multiclass", "dtype": classes[0], "values": list(classes[1])}
        path.unlink(missing_ok=True)
        rewritten(
            honest,
            path,
            lambda description, _, node=node: description["extra"]["estimator"].update(classes=node),
        )
        with pytest.raises(
            fastbp.ModelFileError, match=f"no valid MLPClassifier: estimator.classes.*{message}"
        ):
            MLPClassifier.load(path)


def test_tensors_that_do_not_fit(tmp_path):
    honest, path = tmp_path / "honest.safetensors", tmp_path / "hostile.safetensors"
    fitted("adam").save(honest)
    for name, array in {
        "loss_curve_": np.zeros((2, 2)),
        "validation_scores_": np.zeros(2, np.float32),
        "_best_parameters": np.zeros(3),
        "predict": np.zeros(3),
    }.items():
        path.unlink(missing_ok=True)
        rewritten(
            honest,
            path,
            lambda _, arrays, name=name, array=array: arrays.update({f"extra.estimator.{name}": array}),
        )
        with pytest.raises(
            fastbp.ModelFileError, match=f"the tensor 'extra.estimator.{name}', .* is unexpected"
        ):
            MLPClassifier.load(path)
