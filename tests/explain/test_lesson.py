"""The page without data: what is in the file, without a browser."""

import re
from html.parser import HTMLParser

import pytest

import fastbp
from fastbp._explain.page import FOLDER, asset, embedded, page

VOID = {"meta", "input", "br", "hr", "img", "link", "wbr"}
TEXTS = ("ink", "soft", "blue", "vermilion", "green", "purple")  # colors that text has


class Outline(HTMLParser):
    """What a page consists of: unbalanced tags, ids, links, headings, and labels of pictures and inputs."""

    def __init__(self, html):
        super().__init__()
        self.open, self.wrong, self.ids, self.links = [], [], [], []
        self.headings, self.unlabeled, self.refers, self.restored = [], [], [], []
        self.feed(html)
        self.wrong += self.open

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src", "srcset", "xlink:href") if name in given]
        self.refers += [id for name in ("for", "aria-labelledby") for id in given.get(name, "").split()]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if (
            tag == "svg" and not {"role", "aria-hidden", "id"} & given.keys()
        ):  # those with ids: scripts fill them
            self.unlabeled.append(self.get_starttag_text())
        if tag in ("input", "select") and given.get("autocomplete") != "off":
            self.restored.append(given.get("id"))
        if tag in ("input", "select") and "label" not in self.open and "aria-label" not in given:
            if given.get("id") not in self.refers:
                self.unlabeled.append(self.get_starttag_text())
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"/{tag} at line {self.getpos()[0]}")


@pytest.fixture(scope="module")
def html(lesson):
    return lesson.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(html):
    return Outline(html)


def test_the_file_is_what_explain_returns(html, lesson):
    assert fastbp.explain().html == html
    assert html.startswith("<!DOCTYPE html>")


def test_tags_are_balanced_and_ids_unique(outline):
    assert outline.wrong == []
    assert len(set(outline.ids)) == len(outline.ids)
    assert set(outline.refers) <= set(outline.ids)


def test_headings_are_in_order(outline):
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(
        after <= before + 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False)
    )


def test_pictures_and_inputs_have_labels(outline):
    assert outline.unlabeled == []


def test_browsers_do_not_restore_controls_behind_the_back_of_the_scripts(outline):
    assert outline.restored == []


def test_nothing_is_loaded_from_elsewhere(html, outline):
    assert [link for link in outline.links if not link.startswith("#")] == []
    assert {link[1:] for link in outline.links} <= set(outline.ids)
    assert re.findall(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|\bimport\(", html) == []


def test_the_page_is_small(html):
    assert len(html.encode()) < 400_000


def test_no_script_makes_html_of_text(html):
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", html) == []


def test_data_cannot_end_its_script():
    text = embedded({"name": "</script><script>alert(1)</script> & <!--"})
    assert not set("<>&") & set(text)
    found = Outline(page("<b>", "&", [], data={"</script>": "<script>"}))
    assert found.wrong == []
    assert "b" not in found.open


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_data_that_json_has_not_is_refused(number):
    with pytest.raises(ValueError, match="JSON compliant"):
        embedded({"x": number})


def test_every_rule_of_the_style_is_used():
    files = [file for file in FOLDER.rglob("*") if file.suffix in (".html", ".js", ".py")]
    words = {word for file in files for word in re.findall(r"[\w-]+", file.read_text(encoding="utf-8"))}
    style = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "{}", asset("page.css"), flags=re.DOTALL)
    names = set(re.findall(r"[.#]([a-z][\w-]*)", style))
    assert {"chip", "worked-graph", "bars"} <= names
    assert names - words == set()


def luminance(color):
    """Return the relative luminance of WCAG 2 of a color such as #1a2b3c or #000."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    low, high = sorted(map(luminance, (a, b)))
    return (high + 0.05) / (low + 0.05)


def themes():
    """Return the colors by name: light, dark, and in print on light."""
    roots = re.findall(r":root \{(.*?)\}", asset("page.css"), re.DOTALL)
    light, dark, printed = (dict(re.findall(r"--(\w+): (#\w+)", root)) for root in roots)
    return {"light": light, "dark": dark, "print": light | printed}


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_is_readable_on_the_page_and_on_panels(theme):
    colors = themes()[theme]
    for ground in ("paper", "panel"):
        for text in TEXTS:
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
        assert contrast(colors["grey"], colors[ground]) >= 3  # lines that carry meaning
