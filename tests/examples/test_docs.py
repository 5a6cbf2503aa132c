"""The documentation: programs run and print what the page shows, tables are complete and up to date."""

import io
import re
import runpy
from contextlib import redirect_stdout
from itertools import zip_longest

import pytest

from fastbp import _core
from helpers.paths import ROOT

if not (ROOT / "docs").is_dir():
    pytest.skip("the documentation is not beside these tests", allow_module_level=True)

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONAL = ("scipy",)  # packages that some of the programs need
PROGRAM = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def same_words(printed, shown):
    """Tell whether two texts agree word for word, where numbers may differ by 5 % (as between ISA paths)."""
    words = (re.split(r"[\s,\[\]()]+", text) for text in (printed, shown))
    for a, b in zip_longest(*words, fillvalue=""):
        try:
            same = float(a) == pytest.approx(float(b), rel=0.05, nan_ok=True)
        except ValueError:
            same = a == b
        if not same:
            return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_run_and_print_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}  # the programs of a page are one session
    missing = set()
    for program, shown in PROGRAM.findall(page.read_text()):
        printed = io.StringIO()
        with redirect_stdout(printed):
            try:
                exec(compile(program, page.name, "exec"), names)
            except ImportError as error:
                if error.name not in OPTIONAL:
                    raise
                missing.add(error.name)
                continue
        assert same_words(printed.getvalue(), shown), printed.getvalue()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; the programs that need it did not run")


def test_same_words_can_tell_texts_apart():
    assert same_words("loss [1.01, nan]", "loss [1.00, nan]")
    assert not same_words("loss 1.10", "loss 1.00")
    assert not same_words("loss 1.0", "error 1.0")
    assert not same_words("loss", "loss 1.0")


@pytest.mark.parametrize("page", ["README.md", "docs/activations.md"])
def test_generated_blocks_are_fresh(page):
    pytest.importorskip("matplotlib")
    generate = runpy.run_path(str(ROOT / "tools/generate.py"))
    assert (ROOT / page).read_text() == generate["renewed"](page)


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("activations.md", _core.ACTIVATIONS),
        ("losses_optimizers.md", _core.LOSSES),
        ("losses_optimizers.md", _core.OPTIMIZERS),
        ("schedules.md", [(name,) for name in _core.SCHEDULES]),
    ],
    ids=["activations", "losses", "optimizers", "schedules"],
)
def test_every_row_of_the_native_tables_is_documented(page, table):
    text = (ROOT / "docs" / page).read_text()
    assert [row[0] for row in table if f"| `{row[0]}` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
