"""Names in plots: `plain`."""

import pytest

from fastbp.exceptions import ParameterError
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


@pytest.mark.parametrize("name", ["$x$", r"\$x\$", r"\$", "$", "$$", "$x", r"$\frac$", "%_{^&#~"])
def test_matplotlib_draws_dollars_as_they_are(ax, name):
    """No name is read as a formula, even one that is escaped already or is no formula."""
    drawn, is_formula = ax.text(0, 0, plain(name))._preprocess_math(plain(name))
    assert (drawn, is_formula) == (name, False)
    ax.figure.canvas.draw()  # raises for a broken formula


def test_limit_counts_characters_in_the_picture():
    """An escape does not make a name longer."""
    assert plain("$" * 50, limit=3) == r"\$…\$"
    with pytest.raises(ParameterError, match="limit is 2, expected an integer >= 3"):
        plain("name", limit=2)
