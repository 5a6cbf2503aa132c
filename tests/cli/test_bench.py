"""`fastbp bench`: what it prints, what it leaves out and says so, and its picture."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import pytest

import fastbp
from fastbp.cli import commands, comparison
from fastbp.cli.bench import WORKLOADS, Training
from fastbp.cli.rivals import JAX, NUMPY, PYTORCH, SCIKIT_LEARN, Rival, UnsupportedError, blas
from fastbp.cli.rivals.process import Process

OTHER = "from fastbp.cli.rivals import UnsupportedError, fastbp_native\nVERSION = 'other 1.0'\n"
DIFFERENT = """
class Training(fastbp_native.Training):
    def train(self, epochs):
        return super().train(epochs) * 1.001
"""
UNABLE = """
def Training(workload):
    if workload.name == "rl":
        raise UnsupportedError("no tanh")
    return fastbp_native.Training(workload)
"""


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Compare with NumPy alone, in little time."""
    monkeypatch.setattr(comparison, "ROUND_SECONDS", 1e-3)
    monkeypatch.setattr(comparison, "ROUNDS", 3)
    monkeypatch.setattr(comparison, "TIMED", WORKLOADS[:2])
    monkeypatch.setattr(comparison, "RIVALS", (NUMPY,))
    monkeypatch.setattr(blas, "best", dict)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Return a function that makes a library of a module's source the only rival."""

    def other(source, name="other"):
        (tmp_path / "other_library.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        rival = Rival(name, "other_library")
        monkeypatch.setattr(comparison, "RIVALS", (rival,))
        return rival

    return other


def rows_of(text):
    """Return the rows of the tables: the name of a library, its time, and the ratio with its quartiles."""
    rows = re.findall(r"^  (\S+) +([\d.,]+)(?:   (\S+) \((\S+) to (\S+)\))?$", text, re.MULTILINE)
    return [(name, *(float(x.replace(",", "")) for x in figures if x)) for name, *figures in rows]


def test_compares_with_numpy(capfd):
    assert commands.main(["bench"]) == 0
    text = capfd.readouterr().out
    assert f"fastbp {fastbp.__version__} on its {fastbp._core.isa()} path" in text
    assert re.search(r"^beside NumPy \d", text, re.MULTILINE)
    assert re.findall(r"loss after (\d+) epochs, the same for all: \d", text) == ["200", "4"]
    rows = rows_of(text)
    assert [row[0] for row in rows] == ["fastbp", "NumPy", "fastbp", "NumPy"]
    for (_, ours), (_, theirs, faster, low, high) in zip(rows[::2], rows[1::2], strict=True):
        assert low <= faster <= high
        assert ours > 0 < theirs


def test_shows_no_time_of_different_work(capfd, other):
    other(OTHER + DIFFERENT)
    assert commands.main(["bench"]) == 2
    out, error = capfd.readouterr()
    assert re.match(
        r"fastbp bench: seed: nothing is timed, because the losses differ: \S+, \S+ of other\n", error
    )
    assert rows_of(out) == []


def test_names_what_is_not_installed(capfd, monkeypatch):
    missing = [Rival(name, "unused", package=f"no_{name}_here") for name in ("one", "two")]
    monkeypatch.setattr(comparison, "RIVALS", (*missing, NUMPY))
    assert commands.main(["bench"]) == 0
    text = capfd.readouterr().out
    assert "not installed: one, two\n" in text
    assert [row[0] for row in rows_of(text)] == ["fastbp", "NumPy"] * 2


def test_says_what_a_library_cannot_do(capfd, other):
    other(OTHER + UNABLE)
    assert commands.main(["bench"]) == 0
    text = capfd.readouterr().out
    assert [row[0] for row in rows_of(text)] == ["fastbp", "other", "fastbp"]
    assert text.endswith("  left out: other: no tanh\n")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise ValueError('of another NumPy')", "ValueError: of another NumPy"),
        ("import os\nos._exit(1)", "the process of other ended; its errors are above"),
    ],
)
def test_says_which_library_does_not_start(capfd, other, source, said):
    other(source)
    assert commands.main(["bench"]) == 0
    text = capfd.readouterr().out
    assert f"left out: other: {said}\n" in text
    assert [row[0] for row in rows_of(text)] == ["fastbp"] * 2


def test_draws_a_picture(capfd, tmp_path, other):
    pytest.importorskip("matplotlib")
    other(OTHER + UNABLE, "JAX")  # one workload without a rival
    output = tmp_path / "speed.svg"
    assert commands.main(["bench", "--output", str(output)]) == 0
    assert capfd.readouterr().out.endswith(f"picture: {output}\n")
    assert "<svg" in output.read_text()
    assert output.stat().st_size > 10_000


def test_refuses_a_picture_without_matplotlib_before_any_work(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(comparison, "Process", None)
    assert commands.main(["bench", "--output", "speed.png"]) == 2
    assert capsys.readouterr().err == 'fastbp bench: a picture needs matplotlib: pip install "fastbp[plot]"\n'


def test_a_process_has_the_environment_of_its_library_and_not_the_users_kernels(other, monkeypatch):
    monkeypatch.setenv(blas.VARIABLE, "Prescott")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    rival = other(f"import os\nVERSION = os.environ.get('{blas.VARIABLE}'), os.environ['OMP_NUM_THREADS']\n")
    with Process(rival) as process:
        assert process.version == (None, "1")
    with Process(Rival("other", rival.module, {blas.VARIABLE: "Haswell"})) as process:
        assert process.version == ("Haswell", "1")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_stops_while_another_is_timed(other):
    rival = other("import os\nVERSION = os.getpid()\n")
    with Process(rival) as process:
        stat = Path(f"/proc/{process.version}/stat")
        with process.stopped():
            end = monotonic() + 10
            while " T " not in stat.read_text():
                assert monotonic() < end
        with pytest.raises(UnsupportedError, match=r"^other: no training$"):
            process.ask("load", "Training", WORKLOADS[0])


@pytest.mark.parametrize("rival", [JAX, NUMPY, PYTORCH, SCIKIT_LEARN], ids=lambda rival: rival.name)
def test_every_library_has_the_losses_of_fastbp(rival):
    spec = find_spec(rival.package)
    if spec is None or spec.origin is None:  # without an origin, it is the folder tests/sklearn
        pytest.skip(f"{rival.name} is not installed")
    with Process(rival) as process:
        for workload in WORKLOADS[1:4:2]:  # Adam with a squared error; shuffled rows with labels
            ours = Training(workload)
            process.ask("load", "Training", workload)
            assert process.ask("result") == pytest.approx(ours.train(workload.epochs), rel=workload.rtol)
