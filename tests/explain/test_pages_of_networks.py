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
PAPER = 718  # pixels, what A4 has between its margins


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
    X = rng.uniform(-1, 1, (240, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    options = {"output_activation": "sigmoid", "loss": "binary_cross_entropy", "optimizer": fastbp.Adam(0.01)}
    net = fastbp.Network([2, 12, 12, 1], activation="tanh", seed=0, **options)
    net.fit(X, y[:, None], epochs=60, batch_size=16)
    return Case(net, X, y[:, None], {}, ["graph", "importance", "classes", "boundary"])


CASES = {make.__name__: make for make in (penguins, regressor, images, plane)}


class Opened(NamedTuple):
    """A network with its data, the file of its page, and what a browser found in it."""

    case: Case
    path: object
    found: dict
    phone: dict


LOOK = """() => {
  const all = (within, selector) => [...within.querySelectorAll(selector)];
  const table = (each) => all(each, "tr").map((row) => texts(row, "th, td"));
  const picture = (svg) => [svg.getAttribute("aria-label"), texts(svg, "text").length];
  const texts = (within, selector) => all(within, selector).map((each) => each.innerText);
  return {
    ids: all(document, "[id]").map((each) => each.id),
    sections: all(document, "section").map((each) => each.id),
    text: document.body.innerText,
    lead: document.querySelector(".lead").innerText,
    findings: texts(document, ".finding h3"),
    tables: Object.fromEntries(
      all(document, "section").map((section) => [section.id, all(section, "table").map(table)]),
    ),
    pictures: all(document, "figure svg").map(picture),
    unscoped: texts(document, "th:not([scope])"),
    unreachable: texts(document, ".wide:not([tabindex='0'][role][aria-label])"),
  };
}"""


@pytest.fixture(scope="module", params=CASES)
def page(request, browser, tmp_path_factory):
    """A page, looked at once on a dark screen and once on a phone and in print."""
    case = CASES[request.param]()
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    fastbp.explain(case.net, case.X, case.y, path=path, **case.options)
    with opened(browser, path, color_scheme="dark") as shown:
        found = shown.evaluate(LOOK)
        shown.set_viewport_size({"width": 360, "height": 740})
        phone = {"width": shown.evaluate("document.documentElement.scrollWidth")}
        shown.emulate_media(media="print")
        phone["contents"] = shown.locator("nav").is_visible()
        phone["picture"] = shown.locator("figure svg").first.is_visible()
        shown.set_viewport_size({"width": PAPER, "height": 1000})
        phone["paper"] = shown.evaluate("document.documentElement.scrollWidth")
    return Opened(case, path, found, phone)


def test_the_page_is_small_and_has_its_parts(page):
    assert page.path.stat().st_size < LARGEST
    common = ["network", "diagnosis", "learning-curve", "gradient-flow", "slopes", "landscape"]
    common += ["rows", "chain-rule"]
    assert page.found["sections"][: len(common)] == common
    assert page.found["sections"][len(common) :] == page.case.parts
    assert "cannot be computed" not in page.found["text"]
    ids = page.found["ids"]
    assert sorted({*ids}) == sorted(ids)


def test_the_figures_are_those_of_the_network(page):
    net, X, y, options, _ = page.case
    _, *figures = page.found["tables"]["network"][2]
    measured = net.evaluate(X, y, list(net.loss.metrics[:2]))
    assert {name: float(value) for name, value, *_ in figures} == pytest.approx(measured, rel=1e-3)
    held_out = {name: options[name] for name in ("X_val", "y_val") if name in options}
    if held_out:
        assert float(figures[0][2]) == pytest.approx(net.evaluate(*held_out.values())["loss"], rel=1e-3)
    diagnosis = net.diagnose(X, y, **held_out)
    assert page.found["lead"] == diagnosis.verdict
    assert len(page.found["findings"]) == len(diagnosis.findings)
    for title, finding in zip(page.found["findings"], diagnosis.findings, strict=True):
        assert title.startswith(finding.kind.capitalize())
    _, *layers = page.found["tables"]["diagnosis"][0]
    assert [row[0] for row in layers] == [state.name for state in diagnosis.layers]
    slopes = [state.mean_slope for state in diagnosis.layers]
    assert [float(row[5]) for row in layers] == pytest.approx(slopes, rel=1e-3)


def test_the_rows_and_the_chain_are_those_of_the_network(page):
    net, X, y, *_ = page.case
    norms = inspect.per_sample_gradient_norms(net, X, y)
    row = int(norms.argmax())
    head, *rows = page.found["tables"]["rows"][0]
    shown = [float(cells[head.index("norm")]) for cells in rows]
    assert shown == pytest.approx(np.sort(norms)[::-1][:8], rel=1e-3)
    assert int(rows[0][0].replace(",", "")) == row
    _, *factors, total = page.found["tables"]["chain-rule"][0]
    i, j = map(int, re.search(r"leads from input (\d+).* to unit (\d+)", page.found["text"]).groups())
    exact = inspect.chain_rule(net, 1, i - 1, j - X.shape[1] - 1, X[row], y[row])
    assert float(total[1]) == pytest.approx(exact.value, rel=1e-3)
    assert [cells[0] for cells in factors] == [factor.name for factor in exact.factors]


def test_a_phone_shows_it_without_scrolling_sideways_and_it_prints(page):
    assert page.phone == {"width": 360, "contents": False, "picture": True, "paper": PAPER}


def test_tables_have_heads_and_scroll_with_the_keyboard(page):
    assert page.found["unscoped"] == page.found["unreachable"] == []


def test_every_picture_has_a_name_and_text(page):
    assert len(page.found["pictures"]) >= 7
    for label, texts in page.found["pictures"]:
        assert label
        assert texts > 2
