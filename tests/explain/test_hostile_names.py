"""Names from models and tables are text on the page, whatever is in them."""

from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import fastbp
from helpers.browser import opened

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$x$ and $y_",
    "&lt;",
    "two\nlines",
    "a\0b",
    "\u202eright to left",
    "x" * 10_000,
    "]]></svg><script>alert(2)</script>",
    "\ud800",
    "${title} $title",
    "_hidden",
]
CLASSES = ["</style><script>alert(3)</script>", "$\\frac$", "' onclick='alert(4)"]


class Elements(HTMLParser):
    """Elements and attributes of a page, and its text."""

    def __init__(self, html):
        super().__init__()
        self.found, self.attributes, self.text = [], set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def html():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, len(NAMES)))
    X[:, 0] *= 5000  # a finding that names an input
    y = rng.integers(0, 3, 40)
    net = fastbp.Network([len(NAMES), 3, 3], loss="cross_entropy", seed=0)
    net.feature_names, net.class_names = NAMES, CLASSES
    return fastbp.explain(net, X, y, title=NAMES[0] + NAMES[1]).html


def test_names_make_no_elements(html):
    page = Elements(html)
    assert page.found.count("script") == page.found.count("style") - page.found.count("svg") + 1 == 2
    assert not {"img", "iframe", "object"} & {*page.found}
    assert not any(name.startswith("on") for name in page.attributes)
    assert "<script>alert(1)</script>" in page.text  # as text
    assert "x" * 200 not in html
    assert not {*"\0\u202e\ud800"} & {*html}
    html.encode("utf-8")


def test_names_run_no_script(browser, html, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(html, encoding="utf-8")
    with opened(browser, path) as page:
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.wait_for_timeout(200)
        assert page.evaluate("document.querySelectorAll('img, [onerror], [onclick]').length") == 0
        assert page.evaluate("document.scripts.length") == 2
        assert "<script>alert(1)</script>" in page.inner_text("h1")
        assert dialogs == []
