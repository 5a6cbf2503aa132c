"""Estimators over Dask on data frames: their columns, their index and types."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")

from fastbp.dask import DaskMLPClassifier, DaskMLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("in_this_process"),
]

SHORT = {"hidden_layer_sizes": (5,), "learning_rate_init": 0.01, "max_iter": 6, "random_state": 0}
ROWS = 90
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 4))
NUMBERS = np.tanh(X @ rng.normal(size=(4, 2)))
LABELS = np.array(["no", "perhaps", "yes"])[np.digitize(X[:, 0], [-0.5, 0.5])]


@pytest.fixture
def frames(da):
    """Two functions: one that makes a data frame of Dask with columns a to d and t, one of pandas."""
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed: pip install fastbp[dask]")

    def frame(targets=LABELS):
        return pd.DataFrame(X, columns=[*"abcd"], index=np.arange(ROWS) * 3).assign(t=targets)

    return (lambda targets=LABELS, n=4: dd.from_pandas(frame(targets), npartitions=n)), frame


def test_data_frames(frames):
    make, pandas = frames
    frame = make()
    columns = [*"abcd"]
    clf = DaskMLPClassifier(**SHORT).fit(frame[columns], frame["t"])
    np.testing.assert_array_equal(clf.feature_names_in_, columns)
    local = clf.to_local()
    expected = pandas()[columns]
    found = clf.predict(frame[columns])
    assert found.dtype == found.compute().dtype
    np.testing.assert_array_equal(found.compute().to_numpy(), local.predict(expected))
    np.testing.assert_array_equal(found.compute().index, expected.index)
    probabilities = clf.predict_proba(frame[columns])
    assert probabilities.shape[1] == 3
    np.testing.assert_array_equal(probabilities.compute(), local.predict_proba(expected))
    np.testing.assert_allclose(clf.score(frame[columns], frame["t"]), local.score(expected, pandas()["t"]))
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        clf.predict(frame[columns].to_dask_array())


def test_data_frames_of_other_types(frames):
    """Categories, columns of several types, and a partition without rows."""
    make, _ = frames
    frame = make(n=3).assign(e=lambda part: (part["a"] > 0).astype("int8"))
    frame["i"] = (frame["a"] == frame["a"]).cumsum() - 1
    y = frame["t"].astype("category")
    clf = DaskMLPClassifier(**SHORT).fit(frame[[*"abe"]], y)
    np.testing.assert_array_equal(clf.classes_, ["no", "perhaps", "yes"])
    few = frame[frame["i"] < 20]  # all in the first partition
    assert clf.predict(few[[*"abe"]]).compute().shape == (20,)
    assert DaskMLPClassifier(**SHORT).fit(few[[*"abe"]], few["t"]).n_features_in_ == 3


def test_targets_in_a_frame(frames):
    make, _ = frames
    frame = make(NUMBERS[:, 0])
    two = DaskMLPRegressor(**SHORT).fit(frame[[*"ab"]], frame[[*"cd"]])
    assert two.predict(frame[[*"ab"]]).compute().shape == (ROWS, 2)
    one = DaskMLPRegressor(**SHORT).fit(frame[[*"ab"]], frame[["t"]])
    assert one.predict(frame[[*"ab"]]).compute().shape == (ROWS,)
