"""Names in plots: `plain`."""

import re
from html import unescape
from io import StringIO

import pytest

from fastbp.exceptions import ParameterError
from fastbp.plot import style
from fastbp.plot._text import plain


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("height (cm)", "height (cm)"),
        ("two\n\t lines", "two lines"),
        ("\x00bell\x07", "\ufffdbell\ufffd"),
        ("\u202eright to left", "\ufffdright to left"),
        ("\ud800", "\ufffd"),  # half a surrogate pair
        (7, "7"),
        ("", ""),
        ("a" * 24, "a" * 24),
        ("a" * 30 + "b" * 30, "a" * 12 + "…" + "b" * 11),
    ],
)
def test_name_becomes_one_short_printable_line(name, drawn):
    """What cannot be printed is replaced, and what is long loses its middle."""
    assert plain(name) == drawn


def test_matplotlib_draws_dollars_as_they_are(ax):
    """No name is read as a formula, even one that is escaped already or is no formula."""
    names = ["$x$", r"\$x\$", r"\$", "$", "$$", "$x", r"$\frac$", "%_{^&#~"]
    ax.set_axis_off()
    for i, name in enumerate(names):
        ax.text(0, i / 10, plain(name))
    file = StringIO()
    with style():  # where text is text in an SVG
        ax.figure.savefig(file, format="svg")  # raises for a broken formula
    assert [unescape(text) for text in re.findall("<text[^>]*>(.*?)</text>", file.getvalue())] == names


def test_limit_counts_characters_in_the_picture():
    """An escape does not make a name longer."""
    assert plain("$" * 50, limit=3) == r"\$…\$"
    with pytest.raises(ParameterError, match="limit is 2, expected an integer >= 3"):
        plain("name", limit=2)
