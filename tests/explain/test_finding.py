"""A finding of `diagnose` as HTML."""

from fastbp._explain.finding import finding_html, severity
from fastbp.inspect import Finding


def test_a_finding_has_all_its_texts_escaped():
    finding = Finding("unscaled inputs", 1, "a < b", "RMS of the input '<script>': 5 & more", 'x = "y"', 2)
    html = finding_html(finding, beside="<figure></figure>")
    assert "<script>" not in html
    for text in (
        "Unscaled inputs in layers[1]",
        "severity 2: learns worse",
        "a &lt; b",
        "&#x27;&lt;script&gt;&#x27;: 5 &amp; more",
        "x = &quot;y&quot;",
        "<figure></figure>",
    ):
        assert text in html
    assert " id=" not in html


def test_a_finding_of_the_whole_network_has_no_layer_and_can_have_an_anchor():
    html = finding_html(Finding("overfitting", None, "c", "e", "r", 1), anchor="finding-overfitting")
    assert "<h3>Overfitting <" in html
    assert '<article class="finding" id="finding-overfitting">' in html
    assert "severity 1: could be better" in html


def test_the_most_serious_findings_may_leave_a_part_that_learns():
    assert severity(Finding("dead relus", 1, "c", "e", "r", 3)) == "3: blocks learning"
