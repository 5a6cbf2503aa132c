"""Model files of the estimators: what cannot be saved, and files that are wrong or hostile."""

import warnings
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from sklearn.exceptions import NotFittedError

import fastbp
from fastbp._model_file.container import Reader
from fastbp.sklearn import MLPClassifier
from helpers.model_files import parts, rewritten
from helpers.saved_estimators import LABELS, X, classifier, fitted, half_rate, predictions

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Training interrupted:UserWarning"
)


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
            estimator.set_params(max_iter=1, hidden_layer_sizes=2).fit(X, LABELS)


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
