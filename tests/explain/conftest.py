"""Fixtures of the tests of pages: a browser, and the lesson as a file."""

import pytest

import fastbp
from helpers import browser as browsers


@pytest.fixture(scope="session")
def browser():
    """A real browser, or a skipped test that says what is missing."""
    if reason := browsers.missing():
        pytest.skip(reason)
    with browsers.running() as found:
        yield found


@pytest.fixture(scope="session")
def lesson(tmp_path_factory):
    """The file with the page that `explain` writes without a network."""
    path = tmp_path_factory.mktemp("explain") / "lesson.html"
    fastbp.explain(path=path)
    return path
