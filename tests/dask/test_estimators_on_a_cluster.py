"""Estimators over a cluster of processes: the bits of this process, the client in context, and tasks."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
pytest.importorskip("distributed", reason="distributed is not installed: pip install fastbp[dask]")

import dask
import dask.array as da
from distributed.scheduler import KilledWorker
from sklearn.base import clone

import fastbp
from fastbp.dask import DaskMLPClassifier, DaskMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"hidden_layer_sizes": (5,), "learning_rate_init": 0.01, "max_iter": 4, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4))
NUMBERS = np.tanh(X @ rng.normal(size=(4, 2)))
LABELS = np.array(["no", "perhaps", "yes"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def chunked(array):
    return da.from_array(array, chunks=((20, 0, 45, 25), *((n,) for n in array.shape[1:])))


@pytest.mark.parametrize("mode", ["synchronous", "local"])
@pytest.mark.parametrize(("kind", "y"), [(DaskMLPClassifier, LABELS), (DaskMLPRegressor, NUMBERS)])
def test_a_cluster_gives_the_bits_of_this_process(cluster_of, monkeypatch, kind, y, mode):
    data = chunked(X), chunked(y)
    held_out = {"X_val": data[0], "y_val": data[1]}
    estimator = kind(**SHORT, mode=mode, early_stopping=True)
    client = cluster_of(2)
    with client.as_current():
        over_dask = estimator.fit(*data, **held_out)
        assert over_dask.client_ is client
        predictions, score = over_dask.predict(data[0]).compute(), over_dask.score(*data)
    monkeypatch.setattr(kind, "client_", None)
    with dask.config.set(scheduler="synchronous"):
        here = clone(estimator).fit(*data, **held_out)
        np.testing.assert_array_equal(here.predict(data[0]).compute(), predictions)
        assert here.score(*data) == score
    assert over_dask.network_.parameters.tobytes() == here.network_.parameters.tobytes()
    assert over_dask.loss_curve_ == here.loss_curve_
    assert over_dask.validation_scores_ == here.validation_scores_


def test_a_client_of_ones_own(cluster_of):
    client, other = cluster_of(2), cluster_of(1)
    for one in (client, other):
        clf = DaskMLPClassifier(**SHORT, client=one).fit(chunked(X), chunked(LABELS))
        assert clf.client_ is one
        assert clone(clf).client is one


def fitted_inside(X, y, options):
    """Fit in a task, where the client is that of its worker."""
    from fastbp.dask import DaskMLPClassifier

    clf = DaskMLPClassifier(**options).fit(X, y)
    return clf.client_ is not None, clf.network_.parameters, clf.score(X, y)


@pytest.mark.parametrize("as_data", [np.asarray, chunked], ids=["arrays", "collections"])
def test_inside_a_task(cluster_of, as_data):
    """The task leaves the only thread there is to those that it waits for."""
    client, data = cluster_of(1), (as_data(X), as_data(LABELS))
    inside = client.submit(lambda: fitted_inside(*data, SHORT), pure=False)
    has_client, parameters, score = inside.result(timeout=30)
    assert has_client
    here = DaskMLPClassifier(**SHORT, client=client).fit(*data)
    np.testing.assert_array_equal(parameters, here.network_.parameters)
    assert here.score(*data) == score


def test_partitions_that_are_lost_with_their_workers():
    class Dying:
        """A client whose workers die."""

        compute = list

        def gather(self, futures):
            raise KilledWorker("labels_in-1", SimpleNamespace(address="tcp://there"), 3)

    with pytest.raises(fastbp.ShardError, match=r"partition was lost with its workers.*labels_in-1"):
        DaskMLPClassifier(**SHORT, client=Dying()).fit(chunked(X), chunked(LABELS))
