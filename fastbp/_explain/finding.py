"""`finding_html`: a finding of `diagnose` as an element of a page."""

from __future__ import annotations

from html import escape

from fastbp._explain.page import fill
from fastbp.inspect import Finding

#: What the levels of `Finding.severity` mean.
SEVERITIES = {3: "blocks learning", 2: "learns worse", 1: "could be better"}


def finding_html(
    finding: Finding,
    *,
    anchor: str | None = None,
    example: str = "",
    beside: str = "",
) -> str:
    """Return an article with kind, layer, severity, cause, evidence and remedy, which are escaped.

    Parameters
    ----------
    finding : Finding
    anchor : str, optional
        The id of the article: letters, digits and hyphens.
    example : str
        What was done to the network, which is escaped; "": nothing is said.
    beside : str
        HTML that stands beside the texts, or below them on narrow pages, such as a figure.
    """
    place = "" if finding.layer is None else f" in layers[{finding.layer}]"
    texts = {
        "Example": example,
        "Cause": finding.cause,
        "Evidence": finding.evidence,
        "Remedy": finding.remedy,
    }
    return fill(
        "finding.html",
        anchor="" if anchor is None else f' id="{anchor}"',
        kind=escape(finding.kind.capitalize() + place),
        severity=escape(severity(finding)),
        texts="".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in texts.items() if text),
        beside=beside,
    )


def severity(finding: Finding) -> str:
    """Return the severity with what it means, such as "2: learns worse"."""
    return f"{finding.severity}: {SEVERITIES[finding.severity]}"
