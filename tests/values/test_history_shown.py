"""Histories as data frames, and as notebooks show them."""

import math
import re
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest

from fastbp import History, ParameterError

NAN, INF = math.nan, math.inf


def history(n, **columns):
    return History({"loss": [1 / (k + 1) for k in range(n)]} | columns, stopped="epochs")


def rows_of(html):
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def curves_of(html):
    """Return the points of each curve."""
    paths = re.findall(r'<path d="M([\d.L -]+)" fill="none" stroke="#', html)
    return [[tuple(map(float, point.split())) for point in path.split("L")] for path in paths]


# ---- data frames -------------------------------------------------------------------------------------------


def test_a_frame_of_pandas(make, data):
    pytest.importorskip("pandas", reason="pandas is not installed")
    found = make().fit(*data, epochs=3, validation_data=data)
    frame = found.to_frame()
    assert {name: frame[name].tolist() for name in frame.columns} == found.to_dict()
    assert frame.index.tolist() == [0, 1, 2]
    assert History().to_frame().shape == (0, 3)


def test_a_frame_of_polars():
    polars = pytest.importorskip("polars", reason="Polars is not installed")
    frame = history(3).to_frame("polars")
    assert isinstance(frame, polars.DataFrame)
    assert frame.to_dict(as_series=False) == history(3).to_dict()


def test_the_library_is_the_one_that_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", SimpleNamespace(DataFrame=lambda columns: ("polars", columns)))
    assert history(2).to_frame("polars") == ("polars", {"loss": [1, 0.5]})


@pytest.mark.parametrize(("library", "name"), [("pandas", "pandas"), ("polars", "Polars")])
def test_a_missing_library_is_named(library, name, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    installed = rf'pip install "fastbp\[{library}\]", or pip install {library}'
    expected = rf"^History\.to_frame needs {name} \(.*\): {installed}$"
    with pytest.raises(ImportError, match=expected) as error:
        history(2).to_frame(library)
    assert error.value.name == library


@pytest.mark.parametrize("library", ["numpy", None, 3])
def test_another_library_is_refused(library):
    with pytest.raises(ParameterError, match=r"^library is .*, expected one of: pandas, polars$"):
        history(2).to_frame(library)


# ---- notebooks ---------------------------------------------------------------------------------------------


def test_no_epoch():
    assert "History: 0 epochs" in History()._repr_html_()


def test_one_epoch_has_no_curve():
    html = history(1)._repr_html_()
    assert rows_of(html) == [["epoch", "loss"], ["1", "1"]]
    assert "<svg" not in html


def test_short_histories_are_shown_as_a_whole():
    rows = rows_of(history(8, mae=[0.25] * 8)._repr_html_())
    assert rows[0] == ["epoch", "loss", "mae"]
    assert rows[1:] == [[f"{k + 1}", f"{1 / (k + 1):.5g}", "0.25"] for k in range(8)]


def test_long_ones_by_their_ends():
    rows = rows_of(history(20000)._repr_html_())
    assert [row[0] for row in rows] == [
        "epoch", "1", "2", "3", "4", "...", "19,997", "19,998", "19,999", "20,000"
    ]  # fmt: skip
    assert rows[-1] == ["20,000", "5e-05"]


def test_the_title_tells_the_end_and_the_time():
    assert "History: 3 epochs, stopped: epochs<" in history(3)._repr_html_()
    assert "History: 3 epochs in 4.5 s, stopped: epochs<" in history(3, seconds=[1.5] * 3)._repr_html_()


def test_names_are_escaped():
    html = history(2, **{"<b>&'\"": [1, 2]})._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;" in html


def test_curves_of_both_losses():
    """From the top left to the bottom right; the logarithms of powers are evenly spaced."""
    html = History({"loss": [1000, 100, 10, 1], "validation_loss": [1, 1, 1, 1]})._repr_html_()
    falling, flat = curves_of(html)
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(falling)]
    assert all(step == pytest.approx(steps[0], abs=0.11) and min(step) > 0 for step in steps)
    assert {y for _, y in flat} == {falling[-1][1]}
    assert [name in html for name in (">loss<", ">validation_loss<", ">log<")] == [True] * 3


def test_the_axis_is_linear_below_0_and_for_small_ratios():
    for loss in ([2, 0, -2], [0, 0, 5], [2, 1.5, 1]):
        assert ">log<" not in History({"loss": loss})._repr_html_()


@pytest.mark.parametrize(
    "loss",
    [[NAN] * 5, [INF, -INF], [1e308, -1e308, 0], [5e-324, 1, 2], [0, 0, 0], [3, NAN, NAN], [NAN, 1, INF, 2]],
    ids=str,
)
def test_all_kinds_of_numbers_can_be_drawn(loss):
    html = History({"loss": loss, "validation_loss": [NAN] * len(loss)})._repr_html_()
    finite = [x for x in loss if math.isfinite(x)]
    assert ("<svg" in html) == bool(finite)
    assert ("<circle" in html) == (len(finite) == 1)
    numbers = re.findall(r'd="M([^"]*)"', html)
    assert not any("nan" in path or "inf" in path for path in numbers)
    for x, y in [point for curve in curves_of(html) for point in curve]:
        assert 0 < x < 480
        assert 0 < y < 200


def test_a_curve_skips_epochs_without_validation():
    loss = [1.0] * 6
    html = History({"loss": loss, "validation_loss": [NAN, 2, NAN, 3, NAN, NAN]})._repr_html_()
    assert [len(curve) for curve in curves_of(html)] == [6, 2]


def test_long_curves_are_thinned_out():
    n = 100_003
    html = history(n, validation_loss=[1 + k if k % 7 == 3 else NAN for k in range(n)])._repr_html_()
    curves = curves_of(html)
    assert all(200 < len(curve) <= 401 for curve in curves)
    assert curves[0][-1] == (468, 176)  # the last epoch is the lowest one
    assert len(html) < 30_000


def test_it_grows_with_a_fit(make, data):
    """A callback may look at it, as a notebook does while a fit goes on."""
    net, titles = make(), []
    net.fit(*data, epochs=3, callbacks=lambda state: titles.append(state.history._repr_html_().count("<tr>")))
    assert titles == [2, 3, 4]
