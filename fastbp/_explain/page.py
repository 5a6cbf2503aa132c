"""Pages of HTML: one file with everything in it, made of the templates and assets beside this module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent


class Section(NamedTuple):
    """A part of a page, which the table of contents leads to.

    Parameters
    ----------
    anchor : str
        The id of its element: letters, digits and hyphens.
    title : str
        Text, which is escaped.
    body : str
        HTML.
    """

    anchor: str
    title: str
    body: str


def page(
    title: str,
    lead: str,
    sections: Sequence[Section],
    *,
    scripts: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> str:
    """Return a page without links to other files.

    Parameters
    ----------
    title, lead : str
        Heading, and the sentence below it, which are escaped.
    sections : sequence of Section
    scripts : sequence of str
        Names of assets that end in .js, in the order in which they run, after the page is there.
    data : mapping, optional
        What the scripts find as `fastbp.data`: anything that JSON can hold, so NaN is refused.
    """
    contents = "".join(f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in sections)
    body = "".join(
        fill("section.html", anchor=each.anchor, title=escape(each.title), body=each.body)
        for each in sections
    )
    return fill(
        "page.html",
        title=escape(title),
        lead=escape(lead),
        contents=contents,
        sections=body,
        style=asset("page.css"),
        script="\n".join(map(asset, scripts)),
        data=embedded({} if data is None else data),
    )


def fill(name: str, **values: str) -> str:
    """Return a template with HTML in its places; the caller has escaped what is text."""
    return template(name).substitute(values)


@cache
def template(name: str) -> Template:
    """Return a file of the folder `templates`."""
    return Template((FOLDER / "templates" / name).read_text(encoding="utf-8"))


@cache
def asset(name: str) -> str:
    """Return a file of the folder `assets`."""
    return (FOLDER / "assets" / name).read_text(encoding="utf-8")


def embedded(data: Any) -> str:
    """Return JSON that can stand inside a script element: no text in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
