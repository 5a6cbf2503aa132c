"""The page about a network: what is on it, what is left out, and that its figures are the network's."""

from html import escape

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import fastbp
import fastbp.reference
from fastbp import inspect
from fastbp._explain import about_answers, about_learning, about_network, about_rows
from fastbp._explain.subject import Subject
from helpers import sick

X, Y = sick.numbers(80)
LABELS = sick.classes(80)[1]


def regressor(**options):
    return fastbp.Network([6, 5, 1], **{"seed": 0, "activation": "tanh"} | options)


def classifier(**options):
    return fastbp.Network([6, 5, 3], **{"seed": 0, "loss": "cross_entropy"} | options)


def case_of(kind):
    """Return a network with its data that has this finding."""
    return next(make for make, found in sick.SICK.items() if found == kind)()


def parts(subject):
    return [topic.anchor for topic in about_network.TOPICS if topic.applies(subject)]


# ---- which parts there are ---------------------------------------------------------------------------------

ALWAYS = ["network", "diagnosis", "gradient-flow", "slopes", "landscape", "rows", "chain-rule"]


def square_loss(h, t):
    return float(np.mean((h - t) ** 2)), 2 * (h - t) / len(h)


PARTS = {
    "classifier": (classifier, LABELS, ["graph", "importance", "classes"]),
    "regressor": (regressor, Y, ["graph", "importance", "residuals"]),
    "custom loss": (lambda: regressor(loss=square_loss), Y, ["graph", "importance"]),
    "several questions": (
        lambda: fastbp.Network([6, 17, 2], loss="binary_cross_entropy", output_activation="sigmoid"),
        np.hstack([Y, -Y]) > 0,
        ["importance"],
    ),
    "reference": (lambda: fastbp.reference.Network([6, 20, 1], seed=0), Y, ["importance", "residuals"]),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_page_has_the_parts_that_go_with_the_network(name):
    make, y, more = PARTS[name]
    assert parts(Subject(make(), X, y)) == [*ALWAYS, *more]


def test_two_inputs_have_a_plane_and_square_inputs_without_names_are_images():
    plane = fastbp.Network([2, 3, 1], seed=0)
    assert parts(Subject(plane, X[:, :2], Y))[-1] == "boundary"
    wide = np.hstack([X] * 6)
    net = fastbp.Network([36, 20, 1], seed=0)
    assert "saliency" in parts(Subject(net, wide, Y))
    assert Subject(net, wide, Y, image_shape=(3, 12)).image_shape == (3, 12)
    net.feature_names = [f"column {i}" for i in range(36)]
    assert "saliency" not in parts(Subject(net, wide, Y))
    assert Subject(plane, X[:, :2], Y).image_shape is None


def test_a_trained_network_has_its_learning_curve():
    net = regressor()
    net.fit(X, Y, epochs=2)
    assert "learning-curve" in parts(Subject(net, X, Y))


def test_parameters_that_are_no_numbers_leave_the_diagnosis():
    case = case_of("not a number")
    page = fastbp.explain(case.net, case.X, case.y)
    assert parts(Subject(case.net, case.X, case.y)) == ["network", "diagnosis"]
    assert page.html.count("<section") == 2
    assert "Some parameters are not numbers" in page.html
    assert "not a number" in page.html


def test_a_part_that_fails_says_why(monkeypatch):
    def fails(_):
        raise fastbp.DataError("x is <b>, expected y")

    topics = [about_network.TOPICS[0]._replace(body=fails), about_network.TOPICS[1]]
    monkeypatch.setattr(about_network, "TOPICS", topics)
    html = fastbp.explain(regressor(), X, Y).html
    assert "cannot be computed for this network: x is &lt;b&gt;, expected y" in html
    assert "The network has" not in html
    assert 'id="diagnosis"' in html


def test_a_network_that_is_being_trained_has_no_page(monkeypatch):
    def fails(_):
        raise fastbp.BusyError("net is being trained")

    monkeypatch.setattr(about_network, "TOPICS", [about_network.TOPICS[0]._replace(body=fails)])
    with pytest.raises(fastbp.BusyError):
        fastbp.explain(regressor(), X, Y)


# ---- what they say -----------------------------------------------------------------------------------------


def test_findings_are_shown_in_full_and_with_what_apply_does():
    case = sick.vanishing_gradient()
    (finding, *_) = case.net.diagnose(case.X, case.y).findings
    html = about_learning.diagnosis(Subject(case.net, case.X, case.y))
    for text in ("Vanishing gradient in layers[1]", finding.cause, finding.evidence, finding.remedy):
        assert escape(text) in html
    assert "net.diagnose(X, y).findings[0].apply(net)</code> returns a new network:" in html
    assert "<li>the activation of layers 1, 2, 3, 4, 5, 6, 7, 8 is relu</li>" in html


def test_a_healthy_network_is_called_so():
    net = regressor(optimizer=fastbp.Adam(0.01))
    net.fit(X, Y, epochs=20)
    subject = Subject(net, X, Y)
    assert subject.diagnosis.is_healthy
    html = about_learning.diagnosis(subject)
    assert "Nothing was found that keeps the network from learning" in html
    assert "<article" not in html


def test_a_derivative_that_cancels_is_no_factor():
    assert "with softmax and cross_entropy its f&#x27;(z) cancels" in about_learning.slopes(
        Subject(classifier(), X, LABELS)
    )
    assert "cancels" not in about_learning.slopes(Subject(regressor(), X, Y))


@pytest.mark.parametrize(("make", "y"), [(regressor, Y), (classifier, LABELS)])
def test_answers_for_rows_that_may_have_been_trained_on_are_not_taken_for_those_for_new_ones(make, y):
    show = about_answers.numbers if y is Y else about_answers.classes
    assert "new rows are likely to be worse" in show(Subject(make(), X, y))
    assert "new rows are likely to be worse" not in show(Subject(make(), X, y, X_val=X, y_val=y))


def test_a_remedy_by_hand_is_called_so():
    case = case_of("constant targets")
    assert "This remedy is done by hand" in about_learning.diagnosis(Subject(case.net, case.X, case.y))


def test_the_figures_are_those_of_the_weighted_rows():
    net, w = regressor(), np.arange(80.0)
    html = about_network.what_it_is(Subject(net, X, Y, sample_weight=w))
    assert f">{net.evaluate(X, Y, sample_weight=w)['loss']:.4g}<" in html
    assert f">{net.evaluate(X, Y)['loss']:.4g}<" not in html


CHANGES = {
    "learning rate too high": "its learning rate is ",
    "exploding gradient": "its gradients are clipped to the norm ",
    "symmetric weights": "its weights are drawn again",
    "unscaled inputs": "it scales its inputs",
    "unscaled targets": "it scales its targets",
    "overfitting": "its weights have the penalty l2 = ",
    "constant derivative": "its linear layers are multiplied out",
    "dead relus": "the activation of layer 2 is LeakyReLU(alpha=0.01)",
}


@pytest.mark.parametrize("kind", CHANGES)
def test_remedies_are_told_in_words(kind):
    case = case_of(kind)
    held_out = dict(zip(("X_val", "y_val"), case.validation, strict=False))
    findings = case.net.diagnose(case.X, case.y, **held_out).findings
    finding = next(finding for finding in findings if finding.kind == kind)
    assert CHANGES[kind] in "; ".join(about_learning.changes(finding.action))


def test_where_random_directions_span_no_plane_the_landscape_is_along_parameters():
    """The random ones keep the size of the weights into each unit: of one weight, or of zeros."""
    subject = Subject(fastbp.Network([1, 1], seed=0), X[:, :1], Y)
    html = about_learning.landscape(subject)
    assert "Loss around the network&#x27;s parameters, along w12 and b2." in html
    assert ">w12</text>" in html
    zero = regressor()
    zero.parameters[:] = 0
    assert "along w17 and w18." in about_learning.landscape(Subject(zero, X, Y))
    line = fastbp.Network([1, fastbp.Dense(1, bias=False)], seed=0)
    assert "landscape" not in parts(Subject(line, X[:, :1], Y))


def test_the_rows_that_teach_most_come_first():
    net, w = regressor(), np.ones(80)
    norms = inspect.per_sample_gradient_norms(net, X, Y)
    subject = Subject(net, X, Y)
    np.testing.assert_array_equal(subject.norms, norms)
    order = np.argsort(-norms)[:5]
    np.testing.assert_array_equal(subject.teaching(5).numbers, order)
    np.testing.assert_array_equal(subject.teaching(5).X, X[order])
    w[order[0]] = 0
    weighted = Subject(net, X, Y, sample_weight=w)
    assert weighted.norms[order[0]] == 0
    np.testing.assert_array_equal(weighted.teaching(4).numbers, order[1:])


def test_a_loss_of_ones_own_is_asked_for_a_sample_of_rows():
    net = regressor(loss=square_loss)
    rows, targets = np.tile(X, (26, 1)), np.tile(Y, (26, 1))  # 2080
    subject = Subject(net, rows, targets)
    assert np.isnan(subject.norms).sum() == 80
    assert not np.isnan(subject.norms[subject.teaching(2000).numbers]).any()
    assert "On 2,000 of the 2,080 rows" in about_rows.teaching_rows(subject)


def test_answers_have_the_names_of_the_classes():
    net = classifier()
    net.class_names = ["low", "middle", "high"]
    subject = Subject(net, X, LABELS)
    targets, predictions = subject.answers(subject.data)
    assert targets == [net.class_names[i] for i in LABELS]
    assert predictions == [net.class_names[i] for i in net.predict_classes(X)]


def test_samples_are_fixed_and_leave_out_absent_rows():
    rows, targets = np.tile(X, (40, 1)), np.tile(Y, (40, 1))  # 3200
    w = np.ones(3200)
    w[::2] = 0
    subject = Subject(regressor(), rows, targets)
    few = subject.few()
    assert len(few.y) == 2000
    np.testing.assert_array_equal(few.X, rows[few.numbers])
    np.testing.assert_array_equal(few.numbers, Subject(regressor(), rows, targets).few().numbers)
    assert subject.sampled(few) == " On 2,000 of the 3,200 rows, drawn with seed 0."
    assert subject.sampled(subject.data) == ""
    present = Subject(regressor(), rows, targets, sample_weight=w).few()
    assert len(present.y) == 1600
    assert (present.numbers % 2 == 1).all()
    assert len(subject.few(10**9).y) == 50


# ---- arguments and files -----------------------------------------------------------------------------------

BAD = {
    "X alone": ({"X": X}, "y is None, expected both X and y, or neither"),
    "y alone": ({"y": Y}, "X is None, expected both X and y, or neither"),
    "no data": ({}, "net is given without X and y"),
    "X_val alone": ({"X": X, "y": Y, "X_val": X}, "y_val is None, expected both X_val and y_val, or neither"),
    "columns": ({"X": X[:, :5], "y": Y}, "X has 5 columns, expected 6"),
    "rows": ({"X": X, "y": Y[:9]}, r"^y has shape \(9, 1\)"),
    "held out": ({"X": X, "y": Y, "X_val": X[:, :5], "y_val": Y}, "X_val has 5 columns"),
    "held-out targets": ({"X": X, "y": Y, "X_val": X, "y_val": Y[:9]}, r"y_val has shape \(9, 1\)"),
    "image": ({"X": X, "y": Y, "image_shape": (2, 2)}, r"image_shape is \(2, 2\)"),
    "image as a number": ({"X": X, "y": Y, "image_shape": 6}, "image_shape is 6"),
    "seed": ({"X": X, "y": Y, "seed": -1}, "seed is -1"),
    "title": ({"X": X, "y": Y, "title": 7}, "title is 7"),
    "record": ({"X": X, "y": Y, "record": X}, "record is "),
    "record without a fit": (
        {"X": X, "y": Y, "record": fastbp.callbacks.RecordPath()},
        "record has no points",
    ),
    "progress": ({"X": X, "y": Y, "progress": 1}, "progress is 1"),
    "no weight": ({"X": X, "y": Y, "sample_weight": np.zeros(80)}, "weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused(name):
    options, message = BAD[name]
    with pytest.raises(fastbp.Error, match=message):
        fastbp.explain(regressor(), **options)


def test_the_record_of_another_network_is_refused():
    record, net = fastbp.callbacks.RecordPath(), fastbp.Network([6, 2, 1], seed=0)
    net.fit(X, Y, epochs=1, callbacks=record)
    with pytest.raises(fastbp.ShapeError, match="record has points of 17 parameters, expected 41"):
        fastbp.explain(regressor(), X, Y, record=record)


def test_no_network_goes_with_no_options():
    for options in ({"X": X}, {"title": "page"}, {"sample_weight": [1.0]}):
        with pytest.raises(fastbp.ParameterError, match="is given without net"):
            fastbp.explain(**options)
    with pytest.raises(fastbp.ParameterError, match="net is a list"):
        fastbp.explain([1], X, Y)


def test_a_path_that_cannot_be_written_is_an_error_before_the_work(tmp_path):
    for path in (tmp_path / "none" / "page.html", tmp_path):
        with pytest.raises(OSError, match=str(tmp_path)):
            fastbp.explain("no network", path=path)
    with pytest.raises(fastbp.ParameterError, match="path is"):
        fastbp.explain(path="")


def test_a_page_replaces_an_old_one_only_when_it_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")
    case = case_of("not a number")

    def fails(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("fastbp._model_file.atomic.os.replace", fails)
        with pytest.raises(OSError, match="the disk is full"):
            fastbp.explain(case.net, case.X, case.y, path=path)
    assert path.read_text() == "old"
    page = fastbp.explain(case.net, case.X, case.y, path=path)
    assert path.read_text(encoding="utf-8") == page.html
    assert page.path == path
    assert [*tmp_path.iterdir()] == [path]
