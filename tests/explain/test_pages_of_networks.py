"""Pages of four networks in a real browser: their figures are the networks', on every screen."""

import re
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import fastbp
from fastbp import inspect, io
from fastbp.callbacks import RecordPath
from fastbp.datasets import load_digits, penguins_path
from helpers import sick
from helpers.browser import opened

LARGEST = 2_000_000  # bytes


class Case(NamedTuple):
    net: object
    X: object
    y: object
    options: dict
    parts: list  # those that not every network has


def penguins():
    columns = io.read_columns(penguins_path())
    table = io.Table.learn(columns, target=["species"], drop=["year"], impute=True)
    X, y = table.inputs(columns), table.answers(columns)
    net = fastbp.Network([X.shape[1], 8, 3], loss="cross_entropy", seed=0)
    net.feature_names, net.class_names = table.feature_names, table.classes
    net.adapt(X)
    net.fit(X, y, epochs=15, batch_size=32)
    return Case(net, X, y, {}, ["graph", "importance", "classes"])


def regressor():
    X, y = sick.numbers(200)
    net = fastbp.Network([6, 8, 8, 1], activation="tanh", seed=0, optimizer=fastbp.Adam(0.01))
    X, y = X * 3 + 5, y * 10 + 100
    net.adapt(X, y)
    record = RecordPath()
    net.fit(X[:150], y[:150], epochs=60, batch_size=16, validation_data=(X[150:], y[150:]), callbacks=record)
    options = {"record": record, "X_val": X[150:], "y_val": y[150:], "title": "A regression"}
    return Case(net, X[:150], y[:150], options, ["graph", "importance", "residuals"])


def images():
    X, y = load_digits()
    net = fastbp.Network([64, 32, 10], loss="cross_entropy", seed=0)
    record = RecordPath()
    net.fit(X / 16, y, epochs=10, batch_size=32, callbacks=record)
    return Case(net, X / 16, y, {"record": record}, ["saliency", "classes"])


def plane():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 3 * np.pi, 240)
    y = np.arange(240) % 2
    X = (0.2 + angle / 10)[:, None] * np.c_[np.cos(angle + np.pi * y), np.sin(angle + np.pi * y)]
    net = fastbp.Network(
        [2, 12, 12, 1], activation="tanh", output_activation="sigmoid", loss="binary_cross_entropy", seed=0
    )
    net.fit(X, y[:, None], epochs=100, batch_size=16)
    return Case(net, X, y[:, None], {}, ["graph", "importance", "classes", "boundary"])


CASES = {make.__name__: make for make in (penguins, regressor, images, plane)}


@pytest.fixture(scope="module", params=CASES)
def case(request, browser, tmp_path_factory):
    """A network with its data, and the file of its page."""
    found = CASES[request.param]()
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    fastbp.explain(found.net, found.X, found.y, path=path, **found.options)
    return found, path


def table_of(page, section, nth=0):
    """Return the rows of a table on the page, as lists of texts."""
    rows = page.locator(f"#{section} table").nth(nth).locator("tr")
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_the_page_is_small_and_has_its_parts(browser, case):
    found, path = case
    assert path.stat().st_size < LARGEST
    with opened(browser, path) as page:
        ids = page.evaluate("[...document.querySelectorAll('section')].map((each) => each.id)")
        common = ["network", "diagnosis", "learning-curve", "gradient-flow", "slopes", "landscape"]
        assert [name for name in ids if name not in [*common, "rows", "chain-rule"]] == found.parts
        assert page.locator("text=cannot be computed").count() == 0
        doubled = "const ids = [...document.querySelectorAll('[id]')].map((each) => each.id)"
        assert page.evaluate(f"(() => {{ {doubled}; return ids.length - new Set(ids).size; }})()") == 0


def test_the_figures_are_those_of_the_network(browser, case):
    found, path = case
    net, options = found.net, found.options
    with opened(browser, path) as page:
        figures = table_of(page, "network", nth=2)
        measured = net.evaluate(found.X, found.y, list(net.loss.metrics[:2]))
        assert {name: float(value) for name, value, *_ in figures[1:]} == pytest.approx(measured, rel=1e-3)
        if "X_val" in options:
            held_out = net.evaluate(options["X_val"], options["y_val"])
            assert float(figures[1][2]) == pytest.approx(held_out["loss"], rel=1e-3)
        diagnosis = net.diagnose(
            found.X, found.y, **{name: options[name] for name in ("X_val", "y_val") if name in options}
        )
        assert page.inner_text(".lead") == diagnosis.verdict
        assert page.locator(".finding h3").all_inner_texts() == [
            each.kind if each.layer is None else f"{each.kind} in layers[{each.layer}]"
            for each in diagnosis.findings
        ]
        layers = table_of(page, "diagnosis")[1:]
        assert [row[0] for row in layers] == [state.name for state in diagnosis.layers]
        slopes = [state.mean_slope for state in diagnosis.layers]
        assert [float(row[5]) for row in layers] == pytest.approx(slopes, rel=1e-3)


def test_the_rows_and_the_chain_are_those_of_the_network(browser, case):
    found, path = case
    norms = inspect.per_sample_gradient_norms(found.net, found.X, found.y)
    first = int(norms.argmax())
    with opened(browser, path) as page:
        rows = table_of(page, "rows")
        at = rows[0].index("norm")
        assert [float(row[at]) for row in rows[1:]] == pytest.approx(np.sort(norms)[::-1][:8], rel=1e-3)
        assert int(rows[1][0].replace(",", "")) == first
        chain = table_of(page, "chain-rule")
        text = page.inner_text("#chain-rule")
        i, j = map(int, re.search(r"from input (\d+).* to unit (\d+)", text).groups())
        n_in = found.X.shape[1]
        exact = inspect.chain_rule(found.net, 1, i - 1, j - n_in - 1, found.X[first], found.y[first])
        assert float(chain[-1][1]) == pytest.approx(exact.value, rel=1e-3)
        assert [row[0] for row in chain[1:-1]] == [factor.name for factor in exact.factors]


def test_a_phone_shows_it_without_scrolling_sideways_and_it_prints(browser, case):
    _, path = case
    with opened(browser, path, viewport={"width": 360, "height": 740}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert page.locator("figure svg").first.is_visible()


def test_every_picture_has_a_name_and_text(browser, case):
    _, path = case
    with opened(browser, path, color_scheme="dark") as page:
        for picture in page.locator("figure svg").all():
            assert picture.get_attribute("aria-label")
            assert picture.locator("text").count() > 2
