"""`ConfusionMatrixDisplay`: counts of classes, their names, and what is written into the cells."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastbp
from fastbp.exceptions import DataError, ParameterError, ShapeError
from fastbp.plot import ConfusionMatrixDisplay

NAMES = ("$x$", "two\nlines", "a long name of a class that has no end")


@pytest.fixture(scope="module")
def data():
    """Inputs (60, 4) and labels of three classes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 4)), rng.integers(0, 3, 60)


@pytest.fixture(scope="module")
def net():
    """A classifier with names that a plot could stumble over."""
    net = fastbp.Network([4, 5, 3], loss="cross_entropy", seed=0)
    net.class_names = NAMES
    return net


@pytest.fixture(scope="module")
def display(net, data):
    """The display of all rows."""
    return ConfusionMatrixDisplay.from_network(net, *data, ax=Figure().subplots())


def cells(display):
    """Return what is written into the cells, by (row, column)."""
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text for text in display.ax_.texts}


def test_cell_has_the_rows_of_its_class_that_were_taken_for_the_other(display, net, data):
    """Rows are true classes, columns are predictions; the picture has the shares, the cells the counts."""
    X, y = data
    predicted = net.predict_classes(X)
    counts = [[np.sum((y == i) & (predicted == j)) for j in range(3)] for i in range(3)]
    np.testing.assert_array_equal(display.counts, counts)
    assert {place: text.get_text() for place, text in cells(display).items()} == {
        (i, j): str(counts[i][j]) for i in range(3) for j in range(3)
    }
    shares = np.array(counts) / np.bincount(y)[:, None]
    np.testing.assert_allclose(display.ax_.images[0].get_array(), shares)


def test_title_has_the_accuracy_of_evaluate(display, net, data):
    """And the number of rows."""
    accuracy = net.evaluate(*data)["accuracy"]
    assert display.accuracy == pytest.approx(accuracy, rel=1e-12)
    assert display.ax_.get_title() == f"accuracy {100 * accuracy:.1f} % of 60 rows"


def test_axes_name_the_classes_in_one_short_line_each(display):
    """No name is a formula, and long ones are cut."""
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    expected = [r"\$x\$", "two lines", "a long n… no end"]
    for axis in (ax.xaxis, ax.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == expected
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {90.0}  # they would overlap


def test_weights_count_instead_of_rows(net, data):
    """The accuracy is that of evaluate, and the title says nothing of rows."""
    X, y = data
    w = np.random.default_rng(1).random(60)
    display = ConfusionMatrixDisplay.from_network(net, X, y, sample_weight=w, ax=Figure().subplots())
    np.testing.assert_allclose(display.counts.sum(axis=1), np.bincount(y, w))
    accuracy = net.evaluate(X, y, sample_weight=w)["accuracy"]
    assert display.ax_.get_title() == f"accuracy {100 * accuracy:.1f} %"


def test_unknown_labels_and_rows_without_weight_are_left_out(data):
    """As if they were not there."""
    X, y = data
    loss = fastbp.CrossEntropy(ignore_index=-1)
    net = fastbp.Network([4, 5, 3], loss=loss, seed=0)
    some = np.where(np.arange(60) % 2, y, -1)
    weights = np.arange(60) >= 20
    display = ConfusionMatrixDisplay.from_network(net, X, some, sample_weight=weights, ax=Figure().subplots())
    rest = ConfusionMatrixDisplay.from_network(net, X[21::2], y[21::2], ax=Figure().subplots())
    np.testing.assert_array_equal(display.counts, rest.counts)
    assert display.counts.sum() == 20


@pytest.mark.parametrize(
    ("loss", "labels", "named", "names"),
    [
        ("binary_cross_entropy", (0, 1), None, ("0", "1")),
        ("hinge", (-1, 1), None, ("-1", "1")),
        ("binary_cross_entropy", (0, 1), "ill", ("not ill", "ill")),
    ],
)
def test_one_output_tells_no_from_yes(ax, data, loss, labels, named, names):
    """The classes are named by their labels, or by the name of the output."""
    X, y = data
    net = fastbp.Network([4, 1], loss=loss, seed=0)
    net.class_names = None if named is None else [named]
    y = np.where(y > 0, *labels[::-1])
    display = ConfusionMatrixDisplay.from_network(net, X, y, ax=ax)
    assert display.names == names
    assert display.accuracy == pytest.approx(net.evaluate(X, y)["accuracy"])


def test_class_without_rows_has_shares_of_0(ax):
    """Not NaN."""
    display = ConfusionMatrixDisplay([[0, 0], [1, 3]]).plot(ax)
    np.testing.assert_array_equal(display.shares, [[0, 0], [0.25, 0.75]])
    assert display.ax_.get_title() == "accuracy 75.0 % of 4 rows"


@pytest.mark.parametrize(("k", "texts"), [(12, 144), (13, 13), (31, 0)])
def test_many_classes_have_fewer_numbers(ax, k, texts):
    """First zeros go, then all numbers."""
    assert len(ConfusionMatrixDisplay(np.eye(k)).plot(ax).ax_.texts) == texts


def test_of_very_many_classes_some_are_named(ax):
    """At most forty, at equal distances."""
    display = ConfusionMatrixDisplay(np.eye(100)).plot(ax)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == list(map(str, range(0, 100, 3)))


def test_number_is_readable_on_its_cell(display):
    """White on dark cells, the color of text on light ones."""
    for place, text in cells(ConfusionMatrixDisplay([[9, 1], [5, 5]]).plot(Figure().subplots())).items():
        assert text.get_color() == ("white" if place == (0, 0) else "black")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"loss": "mse"},
            r"net has the loss 'mse' and the output activation 'identity', expected .* classes",
        ),
        ({"loss": fastbp.Quantiles([0.1, 0.5, 0.9])}, r"net has the loss 'quantiles'"),
        ({"loss": "binary_cross_entropy"}, r"net has 3 outputs that each say yes or no, expected one"),
    ],
)
def test_network_without_classes_is_refused(data, options, message):
    """The error says what it has."""
    with pytest.raises(ParameterError, match=message):
        ConfusionMatrixDisplay.from_network(fastbp.Network([4, 3], **options), *data)


def test_what_is_no_network_is_refused(data):
    """Before anything is read from it."""
    with pytest.raises(ParameterError, match=r"net is a str, expected a fastbp\.Network"):
        ConfusionMatrixDisplay.from_network("net", *data)


def test_outputs_that_are_nan_are_refused(data):
    """The error names the row."""
    net = fastbp.Network([4, 3], loss="cross_entropy")
    net.parameters[:] = np.nan
    with pytest.raises(DataError, match=r"the outputs for X\[0\] are NaN, expected numbers to plot"):
        ConfusionMatrixDisplay.from_network(net, *data)


def test_targets_of_a_custom_loss_must_be_classes(data):
    """They may be anything else for the loss."""
    net = fastbp.Network(
        [4, 3], output_activation="softmax", loss=lambda h, t: (0.0, np.zeros_like(h)), seed=0
    )
    X, y = data
    assert ConfusionMatrixDisplay.from_network(net, X, y, ax=Figure().subplots()).counts.sum() == 60
    with pytest.raises(DataError, match=r"y\[0\] is \d, expected a class label, 0 to 2"):
        ConfusionMatrixDisplay.from_network(net, X, y + 3)
    with pytest.raises(ShapeError, match=r"y has shape \(60, 2\), expected labels \(60,\) or \(60, 3\)"):
        ConfusionMatrixDisplay.from_network(net, X, np.zeros((60, 2)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 2],), ShapeError, r"counts has shape \(2,\), expected \(classes, classes\)"),
        (([[1, -1], [0, 1]],), DataError, "counts has a negative or infinite number or only 0"),
        (([[0, 0], [0, 0]],), DataError, "counts has a negative or infinite number or only 0"),
        (([[1, 0], [0, 1]], ["a"]), ShapeError, "names has 1 entries, expected 2, one per class"),
    ],
)
def test_wrong_numbers_are_refused(arguments, error, message):
    """The error names the argument."""
    with pytest.raises(error, match=message):
        ConfusionMatrixDisplay(*arguments)
