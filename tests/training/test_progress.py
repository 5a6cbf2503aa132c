"""The progress display of a fit: a bar on a terminal, lines in a file, silence, broken streams."""

import builtins
import io
import re
import sys
import time
from array import array

import pytest

import fastbp
from fastbp._training import fit, progress
from helpers.inside import before_each_end_of_epoch


class Terminal(io.StringIO):
    """A stream that redraws its line."""

    def isatty(self):
        return True


def test_silence(make, data, capfd):
    make().fit(*data, epochs=2)
    assert capfd.readouterr() == ("", "")


@pytest.fixture(params=["tqdm", "plain"])
def bar(request, monkeypatch):
    """The progress bar with tqdm, and without."""
    if request.param == "tqdm":
        pytest.importorskip("tqdm")
        return
    import_module = builtins.__import__

    def without_tqdm(name, *args, **kwargs):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    progress._tqdm_bar.cache_clear()


def test_all_fits_share_one_class_of_bars(monkeypatch):
    tqdm = pytest.importorskip("tqdm.auto").tqdm
    monkeypatch.setattr(sys, "stderr", Terminal())
    classes = []
    for _ in range(2):
        fastbp.Network([1, 1], seed=0).fit([[0.5]], [1.0], verbose=1)
        classes.append(len(tqdm.__subclasses__()))
    assert classes[0] == classes[1] > 0


@pytest.mark.usefixtures("bar")
def test_progress_bar_ends_complete(make, data, capsys):
    history = make().fit(*data, epochs=4, verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4 epochs" in err
    assert f"loss {history.loss[-1]:.5g}" in err
    assert err.endswith("\n")


@pytest.mark.usefixtures("bar")
@pytest.mark.parametrize("verbose", [1, 2])
def test_a_terminal_gets_a_bar(monkeypatch, capsys, verbose):
    monkeypatch.setattr(sys, "stderr", Terminal())
    history = fastbp.Network([1, 1], seed=0).fit([[0.5]], [1.0], epochs=20000, verbose=verbose)
    shown = sys.stderr.getvalue()
    assert "\r" in shown
    assert "20000/20000 epochs" in shown
    assert not re.search(r"e\+\d+/", shown)
    assert len(capsys.readouterr().out.splitlines()) == (20000 if verbose == 2 else 0)
    if verbose == 1:
        assert f"loss {history.loss[-1]:.5g}" in shown


@pytest.mark.usefixtures("bar")
@pytest.mark.parametrize("verbose", [1, 2])
def test_steps_of_an_epoch_of_unknown_length_are_counted(monkeypatch, verbose):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    monkeypatch.setattr(fit, "SLICE", 0.0)

    def batches():
        for _ in range(10):
            time.sleep(0.02)  # tqdm draws at most every 0.1 s
            yield [[0.5]], [1.0]

    fastbp.Network([1, 1], seed=0).fit(batches(), verbose=verbose)
    shown = sys.stderr.getvalue()
    steps = [int(step) for step in re.findall(r"step (\d+)", shown)]
    assert steps
    assert steps == sorted(steps)
    assert "step" not in shown.split("\r")[-1]


@pytest.mark.usefixtures("bar")
def test_a_file_gets_plain_lines(make, data, monkeypatch, capsys):
    monkeypatch.setattr(progress, "RELINE", 0.0)
    monkeypatch.setattr(fit, "SLICE", 0.0)
    make().fit(*data, epochs=10, verbose=1)
    shown = capsys.readouterr().err
    lines = shown.splitlines()
    assert all(map(str.isprintable, lines))
    assert len(lines) > 2
    for line in lines:
        assert re.fullmatch(r"\[#*\.*\] [\d.]+/10 epochs( .*)?", line)
    assert " 10/10 epochs" in lines[-1]


def test_a_file_gets_few_lines(make, data, capsys):
    make().fit(*data, epochs=2000, verbose=1)
    assert len(capsys.readouterr().err.splitlines()) == 1


class Broken:
    """A stream that fails at everything that it has."""

    def __init__(self, error):
        self._error = error

    def _fail(self, *_):
        raise self._error

    write = flush = _fail

    def isatty(self):
        return True


class Bare:
    """The least that can be written to."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {
    "none": lambda: None,
    "no isatty, flush or encoding": Bare,
    "closed": closed,
    "a pipe that nobody reads": lambda: Broken(BrokenPipeError(32, "Broken pipe")),
    "a full disk": lambda: Broken(OSError(28, "No space left on device")),
    "detached": lambda: Broken(ValueError("underlying buffer has been detached")),
    "of its own": lambda: Broken(RuntimeError("mine")),
}


@pytest.mark.usefixtures("bar")
@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("names", [["stderr"], ["stdout"], ["stderr", "stdout"]], ids=str)
def test_no_stream_ends_a_fit(make, data, monkeypatch, names, stream, verbose):
    """The same network comes out, and what can still be shown is."""
    expected = make().fit(*data, epochs=3).loss
    streams = {"stdout": io.StringIO(), "stderr": io.StringIO()} | {name: stream() for name in names}
    for name, each in streams.items():
        monkeypatch.setattr(sys, name, each)
    net = make()
    assert net.fit(*data, epochs=3, verbose=verbose).loss == expected
    assert len(net.history) == 3
    monkeypatch.undo()
    for name, each in streams.items():
        if name not in names or isinstance(each, Bare):
            shown = each.text if isinstance(each, Bare) else each.getvalue()
            assert ("3/3" in shown) == (name == "stderr" or verbose == 2)


@pytest.mark.usefixtures("bar")
def test_a_terminal_that_goes_away(make, data, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    states = []

    def hang_up(state):
        states.append(state)
        monkeypatch.setattr(Terminal, "write", Broken(OSError(5, "Input/output error")).write)

    make().fit(*data, epochs=5, verbose=1, callbacks=[hang_up])
    assert len(states) == 5


def test_names_that_the_stream_cannot_encode(make, data, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)

    def précision(output, target):
        return 1.0

    make().fit(*data, epochs=2, validation_data=data, metrics=précision, verbose=2)
    stream.seek(0)
    lines = stream.read().splitlines()
    assert len(lines) == 2
    assert lines[1].endswith(r"validation pr\xe9cision 1")


@pytest.mark.parametrize(
    ("epochs", "seconds", "text"),
    [
        (0, 5, "0"),
        (0.25, 0.1, "0"),
        (0.25, 5, "0.2"),
        (3.99, 3600, "3.9"),
        (3, 3600, "3"),
        (2.9999999999, 3600, "3"),
        (20000, 1e6, "20000"),
        (19999.5, 100, "19999"),
        (123456.7, 1e6, "123456.7"),
    ],
)
def test_epochs_are_counted_whole(epochs, seconds, text):
    assert progress.counted(epochs, seconds) == text


@pytest.mark.usefixtures("bar")
def test_a_line_an_epoch(make, data, capsys):
    history = make().fit(*data, epochs=11, validation_data=data, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    for epoch, line in enumerate(lines):
        assert line.strip().startswith(f"epoch {epoch + 1:2}/11  loss {history.loss[epoch]:.5g}")
        assert line.endswith(f"validation r2 {history.validation_r2[epoch]:.5g}")


def test_plain_bar_redraws_its_line_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    bar = progress.PlainBar(10)
    for n in (2, 3):
        bar.set_postfix_str("loss 1", refresh=False)
        bar.update(n)
    bar.write("a line")
    bar.close()
    out, err = capsys.readouterr()
    assert out == "a line\n"
    drawn = [line for line in err.split("\r") if line.strip()]
    assert [line.split("] ")[1].strip() for line in drawn] == [f"{n}/10 epochs  loss 1" for n in (2, 5, 5)]
    assert [line.count("#") for line in drawn] == [6, 15, 15]


def test_plain_bar_is_one_line_in_a_file(monkeypatch, capsys):
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    bar = progress.PlainBar(4)
    bar.update(3)
    bar.write("a line")
    assert capsys.readouterr() == ("a line\n", "")
    bar.update(1)
    bar.close()
    assert capsys.readouterr().err.strip() == f"[{'#' * 30}] 4/4 epochs"


def test_a_failing_fit_still_closes_the_bar(make, data, monkeypatch, capsys):
    before_each_end_of_epoch(monkeypatch, lambda epoch: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make().fit(*data, verbose=1)
    assert capsys.readouterr().err.endswith("\n")


# ---- verbose="auto" ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bar")
def test_auto_is_a_bar_on_a_terminal(make, data, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    history = make().fit(*data, epochs=7, verbose="auto")
    assert "7/7 epochs" in sys.stderr.getvalue()
    assert f"loss {history.loss[-1]:.5g}" in sys.stderr.getvalue()
    assert capsys.readouterr().out == ""


def test_auto_is_few_lines_in_a_file(make, data, capsys):
    """The first epoch seen and the last one, if it takes less than a second."""
    history = make().fit(*data, epochs=300, verbose="auto", validation_data=data)
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert 2 <= len(lines) <= 2 + history.total_seconds
    assert lines[0].startswith("epoch   1/300  loss ")
    assert lines[-1] == f"epoch 300/300  {history.describe(-1)}"


def test_auto_prints_every_epoch_if_they_are_slow(make, data, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.0)
    history = make().fit(*data, epochs=5, verbose="auto", validation_data=data)
    expected = [f"epoch {i + 1}/5  {history.describe(i)}" for i in range(5)]
    assert capsys.readouterr().out.splitlines() == expected


def test_auto_prints_a_line_per_interval(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
    log, history = progress.Log(1000), fastbp.History()
    for epoch in range(1000):
        history._append({"loss": array("d", [epoch])}, 1)
        now[0] = 0.0043 * (epoch + 1)
        log.update(epoch + 1, history)
    log.close()
    lines = capsys.readouterr().out.splitlines()
    assert [int(line[5:10]) for line in lines] == [1, 234, 467, 700, 933, 1000]


def test_auto_shows_the_last_epoch_of_a_fit_that_fails(make, data, capsys):
    def fail(state):
        if state.epoch == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        make().fit(*data, epochs=9, verbose="auto", callbacks=fail)
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["epoch 1/9", "epoch 4/9"]


def test_epochs_that_are_not_validated_are_shown_without(make, data, capsys):
    make().fit(*data, epochs=4, validation_data=data, validation_every=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert ["validation" in line for line in lines] == [False, True, False, True]
    assert "nan" not in "".join(lines)


@pytest.mark.parametrize("stream", [None, Bare(), Broken(OSError("full"))], ids=["none", "bare", "broken"])
def test_auto_needs_no_streams(make, data, monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    assert len(make().fit(*data, epochs=3, verbose="auto")) == 3


def test_auto_of_minimize(make, data, capsys):
    pytest.importorskip("scipy")
    fastbp.minimize(make(), *data, max_iterations=5, verbose="auto")
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("epoch 5/5  loss ")
    assert err == ""
