"""The section of the lesson about findings: each kind is there, found in a network and remedied."""

import html
import re

import numpy as np
import pytest

from fastbp._explain.lesson import findings, sick
from fastbp._explain.lesson.comparison import compare
from fastbp._explain.lesson.finding_pictures import slopes
from fastbp.inspect import diagnose
from fastbp.inspect._diagnosis.layer_states import SLOPE_EDGES
from helpers.browser import opened
from helpers.isas import ISAS, using


@pytest.fixture(scope="module")
def section():
    """The rows and articles, as text by kind."""
    values = findings.values()
    rows = re.findall(r"<tr>.*?</tr>", values["rows"])
    articles = re.findall(r"<article.*?</article>", values["articles"], re.DOTALL)
    assert int(values["n_kinds"]) == len(findings.ENTRIES)
    return {entry.kind: pair for entry, *pair in zip(findings.ENTRIES, rows, articles, strict=True)}


@pytest.mark.parametrize("isa", ISAS)
def test_every_network_has_its_finding_and_learns_better_with_the_remedy(isa):
    """On each instruction set, although some of the fits are chaotic."""
    with using(isa):
        for entry in findings.ENTRIES:
            both = compare(entry.make(), entry.kind)
            assert both is not None, entry.kind
            assert [each.kind for each in both.found.findings] == [entry.kind]
            assert entry.kind not in [each.kind for each in both.remedied.findings]
            before, after = both.losses
            assert both.failure or float(after) < 0.75 * float(before), entry.kind


def test_each_kind_has_a_row_that_leads_to_its_article(section):
    for entry in findings.ENTRIES:
        row, article = section[entry.kind]
        assert f'<a href="#{entry.anchor}">{entry.kind}</a>' in row
        assert html.escape(entry.meaning) in row
        assert f'<article class="finding" id="{entry.anchor}">' in article
        assert re.search(r'<svg role="img" aria-label="[^"]{20,}"', article)
        assert re.findall(r"<dt>(.*?)</dt>", article) == ["Example", "Cause", "Evidence", "Remedy", "Result"]


def test_texts_and_numbers_are_those_of_the_network(section):
    case = sick.dead_relus()
    (finding,) = case.net.diagnose(case.X, case.y).findings
    row, article = section["dead relus"]
    for text in (finding.cause, finding.evidence, finding.remedy, "Dead relus in layers[2]"):
        assert html.escape(text) in article
    remedied = finding.apply(case.net)
    for net in (case.net, remedied):
        case.train(net)
        found = diagnose(net, case.X, case.y)
        relative = f"{found.loss / found.baseline:#.2g}"
        assert f"<td>{relative}</td>" in row
        assert relative in article
    assert "<td>DivergenceError</td>" in section["exploding gradient"][0]
    assert "Training ends with DivergenceError." in section["exploding gradient"][1]


def test_results_are_those_of_the_rows_that_matter(section):
    case = sick.overfitting()
    found = diagnose(case.net, *case.validation)
    assert (
        f"the relative loss on other rows is {found.loss / found.baseline:.2g};" in section["overfitting"][1]
    )
    case = sick.constant_targets()
    case.train(case.net)
    found = diagnose(case.net, case.X, case.mended.y)
    relative = f"{found.loss / found.baseline:.2g}"
    assert f"the relative loss on the right targets is {relative};" in section["constant targets"][1]


def test_pictures_show_what_is_wrong(section):
    for kind, labels in {
        "not a number": ["0%", "6%", "100%"],
        "dead relus": ["0", "14", "0"],
        "symmetric weights": ["1", "1", "1"],
        "constant targets": ["0", "160", "0"],
    }.items():
        svg = section[kind][1].split("<svg", 1)[1]
        above = re.findall(r'<rect class="vermilion"[^>]*/><text[^>]*>([^<]*)</text>', svg)
        assert above[:3] == labels, kind
    assert "21 parameters in place of 435" in section["constant derivative"][1]
    for kind in ("learning rate too high", "loss oscillating", "loss not moving"):
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", section[kind][1])
        assert {"epoch", "relative loss", "as it is", "remedied", "constant output"} <= {*texts}


def test_slopes_are_counted_by_powers_of_ten():
    both = compare(sick.saturated_sigmoids(), "saturated sigmoids")
    sizes = [0, 0.9e-8, 1.1e-8, 0.9e-5, 1.1e-5, 0.09, 0.11, 0.9, 1, 5]
    counts = np.histogram(sizes, [*SLOPE_EDGES, np.inf])[0]
    layers = [state._replace(slope_counts=counts) for state in both.found.layers]
    svg = slopes(both._replace(found=both.found._replace(layers=layers)))
    heights = [float(h) for h in re.findall(r'<rect class="vermilion".*?height="([^"]+)"', svg)[:-1]]
    expected = np.array([2, 1, 0, 1, 1, 0, 0, 1, 2, 2])  # below 1e-8, from 1e-8, ..., from 1
    np.testing.assert_allclose(np.divide(heights, heights[0]), expected / 2, atol=0.02)


def test_a_kind_that_is_not_found_is_left_out(monkeypatch):
    """The page is made all the same."""

    def healthy():
        return sick.Case(sick.classifier(), *sick.classes())

    entries = [entry._replace(make=healthy) for entry in findings.ENTRIES[:1]] + [findings.ENTRIES[6]]
    monkeypatch.setattr(findings, "ENTRIES", entries)
    values = findings.values()
    assert values["n_kinds"] == "1"
    assert "not a number" not in values["rows"]
    assert 'id="finding-dead-relus"' in values["articles"]


def test_links_lead_to_articles_and_nothing_is_hidden(browser, lesson):
    with opened(browser, lesson, viewport={"width": 360, "height": 740}) as page:
        link = page.locator("#findings a", has_text="overfitting")
        link.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#finding-overfitting"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.locator("#findings details").count() == 0
        assert page.locator("#findings article svg").count() == len(findings.ENTRIES)
