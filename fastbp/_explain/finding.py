"""`finding_html`: a finding of `diagnose` as an element of a page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from fastbp._explain.page import fill
from fastbp.inspect import Finding

#: What the levels of `Finding.severity` mean.
SEVERITIES = {3: "cannot learn", 2: "learns worse", 1: "could be better"}


def finding_html(
    finding: Finding,
    *,
    anchor: str | None = None,
    more: Mapping[str, str] | None = None,
    beside: str = "",
) -> str:
    """Return an article with kind, layer, severity, cause, evidence and remedy, which are escaped.

    Parameters
    ----------
    finding : Finding
    anchor : str, optional
        The id of the article: letters, digits and hyphens.
    more : mapping of str to str, optional
        Further texts by their names, which are escaped.
    beside : str
        HTML that stands beside the texts, or below them on narrow pages, such as a figure.
    """
    place = "" if finding.layer is None else f" in layers[{finding.layer}]"
    texts = {"Cause": finding.cause, "Evidence": finding.evidence, "Remedy": finding.remedy} | dict(
        more or {}
    )
    return fill(
        "finding.html",
        anchor="" if anchor is None else f' id="{anchor}"',
        kind=escape(finding.kind.capitalize() + place),
        severity=escape(severity(finding)),
        texts="".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in texts.items()),
        beside=beside,
    )


def severity(finding: Finding) -> str:
    """Return the severity with what it means, such as "3: cannot learn"."""
    return f"{finding.severity}: {SEVERITIES[finding.severity]}"
