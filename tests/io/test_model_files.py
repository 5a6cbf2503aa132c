"""Networks and their tables in one file; weights for categories that training did not see."""

import json

import numpy as np
import pytest

import fastbp
from fastbp import ModelFileError, ParameterError, ShapeError
from fastbp.io import Column, Table, average_unseen
from helpers.errors import refuses
from helpers.inside import write_extra

TABLE = Table([Column("x"), Column("c", ["a", "b"], "(unknown)")], ["y"], ["p", "q"])


@pytest.fixture
def net():
    return fastbp.Network([4, 3, 2], loss="cross_entropy", seed=1)


def test_a_network_and_its_table_come_back(net, tmp_path):
    path = tmp_path / "model.safetensors"
    for inference in (False, True):
        fastbp.io.save(path, net, TABLE, inference=inference)
        other, table = fastbp.io.load(path)
        assert table == TABLE
        assert type(other) is fastbp.Network
        assert other.parameters.tobytes() == net.parameters.tobytes()
        assert fastbp.load(path).parameters.tobytes() == net.parameters.tobytes()
    net.save(path)
    assert fastbp.io.load(path)[1] is None


def test_a_network_without_its_functions(net, tmp_path):
    path = tmp_path / "model.safetensors"
    net.optimizer = fastbp.Adam(learning_rate=one_tenth)
    fastbp.io.save(path, net, TABLE)
    refuses(lambda: fastbp.io.load(path), ParameterError, "one_tenth")
    assert fastbp.io.load(path, custom={"one_tenth": one_tenth})[1] == TABLE


def one_tenth(epoch):
    return 0.1


def test_what_does_not_go_together(net, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    wide = Table([*TABLE.columns, Column("z")], ["y"], ["p", "q"])
    named = fastbp.Network([4, 2], loss="cross_entropy", seed=1)
    named.feature_names, named.class_names = TABLE.feature_names, TABLE.classes
    for arguments, message in [
        ((net, wide), "table has 5 inputs, expected 4, as the network has"),
        ((net, Table(TABLE.columns, ["y"], ["p", "q", "r"])), "table has 3 classes, expected 2"),
        ((net, Table(TABLE.columns, ["y"])), "table has 1 target, expected 2, as the network has"),
        ((named, Table(TABLE.columns, ["y"], ["q", "p"])), "table has the classes ('q', 'p'), expected"),
        ((named, Table(TABLE.columns[::-1], ["y"], ["p", "q"])), "table has the inputs ('c=a', "),
        ((TABLE, TABLE), "net is "),
        ((net, None), "table is None, expected a Table"),
        ((net, TABLE, 1), "inference is 1"),
    ]:
        refuses(lambda arguments=arguments: fastbp.io.save(path, *arguments), ParameterError, message)
    assert path.read_bytes() == b"old"


def test_files_with_another_table_are_refused(net, tmp_path):
    path = tmp_path / "model.safetensors"
    good = TABLE.describe()
    wide = Table([*TABLE.columns, Column("z")], ["y"], ["p", "q"]).describe()
    more = {**good, "classes": ["p", "q", "r"]}
    for table in [7, [], {**good, "targets": []}, {**good, "columns": [{}]}, wide, more]:
        write_extra(path, net, {"table": json.loads(json.dumps(table))})
        refuses(lambda: fastbp.io.load(path), ModelFileError, f"{path} contains no valid table: ")
        fastbp.load(path)  # the network is fine


def test_an_unseen_category_acts_as_the_average_row(net):
    X = np.zeros((8, 4))  # 6 rows of a, 2 of b
    X[:, 0] = np.arange(8)
    X[:6, 1] = X[6:, 2] = 1
    y = [0, 1] * 4
    for is_scaled in (False, True):
        if is_scaled:
            net.adapt(X)
        net.fit(X, y, epochs=3, verbose=0)
        before = net.parameters.copy()
        average_unseen(net, TABLE, X)
        changed = net.parameters.reshape(-1) != before
        assert changed.sum() == 3
        assert changed[9:12].all()  # weights of the unknown input
        alike = np.repeat([[2.5, 0, 0, 0]], 3, axis=0)
        alike[[0, 1, 2], [1, 2, 3]] = 1
        a, b, unknown = first_sums(net, alike)
        np.testing.assert_allclose(unknown, 0.75 * a + 0.25 * b, rtol=1e-5, atol=1e-6)


def test_an_unseen_category_acts_as_the_average_row_on_any_scale(net):
    X = np.zeros((8, 4))
    X[[*range(8)], [1, 1, 1, 1, 2, 2, 3, 3]] = 1
    net.adapt(X)
    before = net.parameters.copy()
    average_unseen(net, TABLE, X)
    assert (net.parameters == before).all()  # training changes all of these weights
    average_unseen(net, TABLE, X[:6])
    a, b, unknown = first_sums(net, np.eye(4)[1:])
    np.testing.assert_allclose(unknown, (2 * a + b) / 3, rtol=1e-5, atol=1e-6)


def first_sums(net, X):
    """Return z of the first layer."""
    if net.input_mean is not None:
        X = (X - net.input_mean) / net.input_scale
    return X @ net.weights[0]


def test_average_unseen_checks_its_arguments(net):
    for X in (np.zeros(4), np.zeros((0, 4)), np.zeros((2, 3))):
        refuses(lambda X=X: average_unseen(net, TABLE, X), ShapeError, "expected (n, 4) with n >= 1")
    refuses(lambda: average_unseen(net, None, np.zeros((1, 4))), ParameterError, "table is None")
