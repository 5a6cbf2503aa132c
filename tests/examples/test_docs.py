"""The documentation: programs print what the pages show, tables are complete, links lead somewhere."""

import io
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import fastbp
from fastbp import _core
from helpers.paths import ROOT
from helpers.printed import same_words

if not (ROOT / "docs").is_dir():
    pytest.skip("the documentation is not beside these tests", allow_module_level=True)

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = [*PAGES, ROOT / "fastbp/datasets/README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
# packages that some of the programs need
OPTIONAL = (
    "dask",
    "distributed",
    "joblib",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "safetensors",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "torch",
)
PROGRAM = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_run_and_print_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}  # the programs of a page are one session
    missing, unset = set(), set()
    for text, shown in PROGRAM.findall(page.read_text()):
        program = compile(text, name_of(page), "exec")
        printed = io.StringIO()
        with redirect_stdout(printed):
            try:
                exec(program, names)
            except (ImportError, NameError) as error:
                package = (error.name or "").partition(".")[0]  # a module may be missing in an older version
                if package not in OPTIONAL and error.name not in unset:
                    raise
                if isinstance(error, ImportError):
                    missing.add(error.name)
                unset.update(program.co_names)  # later programs that use these do not run either
                continue
        assert same_words(printed.getvalue(), shown), printed.getvalue()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; the programs that need it did not run")


def sessions(page):
    """Return the console blocks of a page, each a list of (command, what the page shows below it)."""
    blocks = re.findall(r"^```console\n(.*?)^```\n", page.read_text(), re.DOTALL | re.MULTILINE)
    return [re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE) for block in blocks]


def run_in_shell(commands, folder):
    """Run commands in one shell session in a folder, and return what each printed, errors included."""
    script = "".join(f"{command}\nprintf '\\0'\n" for command in commands)
    ours = f'python() {{ "{sys.executable}" -P "$@"; }}; fastbp() {{ python -m fastbp "$@"; }}\n'
    environment = os.environ | {"PYTHONPATH": str(Path(fastbp.__file__).parents[1])}
    ran = subprocess.run(
        ["bash", "-c", ours + script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return ran.stdout.split("\0")[:-1]


PAGES_WITH_COMMANDS = [page for page in PAGES if sessions(page)]


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=name_of)
def test_commands_run_and_print_what_the_page_shows(page, tmp_path):
    pytest.importorskip("matplotlib")  # for the pictures that the commands say they have drawn
    commands = [command for block in sessions(page) for command in block]
    printed = run_in_shell([command for command, _ in commands], tmp_path)
    assert len(printed) == len(commands)
    for (command, shown), text in zip(commands, printed, strict=True):
        assert same_words(text, shown), f"$ {command}\n{text}"


def test_same_words_can_tell_texts_apart():
    assert same_words("loss [1.01, nan]", "loss [1.00, nan]")
    assert not same_words("loss 1.10", "loss 1.00")
    assert not same_words("loss 1.0", "error 1.0")
    assert not same_words("loss", "loss 1.0")
    assert not same_words("0 16", "0.0 16.0")
    assert same_words("a b c d 1.0 e", "a ... 1.01 e")
    assert not same_words("a b c d 1.0 e", "a ... 1.1 e")
    assert not same_words("a b", "a b c ...")
    assert same_words("in /tmp/x.csv", "in .../x.csv")
    assert not same_words("in /tmp/x.csv", "in .../y.csv")


@pytest.mark.parametrize(
    "page", ["README.md", "docs/guide/activations.md", "docs/guide/dask.md", "docs/internals/performance.md"]
)
def test_generated_blocks_are_fresh(page, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(ROOT / "tools")
    generate = runpy.run_path(str(ROOT / "tools/generate.py"))
    assert (ROOT / page).read_text() == generate["renewed"](page)


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("activations.md", _core.ACTIVATIONS),
        ("losses.md", _core.LOSSES),
        ("optimizers.md", _core.OPTIMIZERS),
        ("schedules.md", [(name,) for name in _core.SCHEDULES]),
    ],
    ids=["activations", "losses", "optimizers", "schedules"],
)
def test_every_row_of_the_native_tables_is_documented(page, table):
    text = (ROOT / "docs/guide" / page).read_text()
    assert [row[0] for row in table if f"| `{row[0]}` |" not in text] == []


def without_code(text):
    """Return a page without its fenced programs, whose brackets and number signs mean something else."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """Return the anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page):
    """Return the links of a page to files, or to headings of pages, that do not exist."""
    dead = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)", without_code(page.read_text())):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_links_between_files_lead_somewhere(page):
    assert dead_links(page) == []


def test_dead_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# What it's for\n[a](page.md#what-its-for) [b](#nothing) [c](nobody.md)\n"
        "```\n# code\n```\n[d](#code)"
    )
    assert dead_links(page) == ["#nothing", "nobody.md", "#code"]


def test_every_page_and_picture_can_be_reached():
    linked = {
        (page.parent / link).resolve()
        for page in TEXTS
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    }
    files = [path for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".png")]
    assert [name_of(path) for path in files if path.resolve() not in linked] == []


def test_the_index_lists_every_page_of_the_guide():
    text = (ROOT / "docs/index.md").read_text()
    assert [path.name for path in ROOT.glob("docs/guide/*.md") if f"(guide/{path.name})" not in text] == []


def test_every_extra_is_on_the_page_about_installing():
    table = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = re.findall(r"^(\w+) = ", table, re.MULTILINE)
    assert "dask" in extras
    text = (ROOT / "docs/install.md").read_text()
    assert [extra for extra in extras if f'`pip install ".[{extra}]"`' not in text] == []


# what a page calls a file or a folder of this repository, as `src_c/plan/task.c`
PATH = re.compile(r"`((?:fastbp|src_c|tests|docs|bench|tools|examples)/[\w./*-]*)`")


def tree():
    """Return the files and folders that the tree in CONTRIBUTING.md names."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Where things are")[1].split("```")[1]
    paths, top = set(), ""
    for indent, names in re.findall(r"^( {0,4})((?:[^ \n]+ )*[^ \n]+)(?: {2,}.*)?$", text, re.MULTILINE):
        if indent:
            paths.update(top + name.rstrip("/") for name in names.split())
        else:
            top = names
            paths.add(top.rstrip("/"))
    return paths


def test_the_tree_has_a_line_for_every_folder():
    named = tree()
    folders = {path.parent for top in ("fastbp", "src_c", "tests", "docs", "bench") for path in files_in(top)}
    assert len(named) > 40
    assert sorted(name_of(folder) for folder in folders if name_of(folder) not in named) == []


def files_in(top):
    """Return the files of a folder but those that are generated or only data of a test."""
    made = ("__pycache__", ".hypothesis", "old_pickles", "version_1")
    return [path for path in (ROOT / top).rglob("*.*") if path.is_file() and not set(path.parts) & set(made)]


def test_paths_in_the_text_exist():
    named = {(name_of(page), path) for page in TEXTS[:-1] for path in PATH.findall(page.read_text())}
    named |= {("CONTRIBUTING.md", path) for path in tree()}
    assert len(named) > 100
    assert sorted((page, path) for page, path in named if not any(ROOT.glob(path.rstrip("/")))) == []
