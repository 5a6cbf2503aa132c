"""The progress of a fit: a bar with tqdm and without, a line an epoch, silence."""

import builtins
import sys

import pytest

from fastbp import fitting, progress


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


@pytest.mark.usefixtures("bar")
def test_progress_bar_ends_complete(make, data, capsys):
    history = make().fit(*data, epochs=4, verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4 epochs" in err
    assert f"loss {history.loss[-1]:.5g}" in err
    assert err.endswith("\n")


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
    monkeypatch.setattr(fitting.Fit, "_end_epoch", lambda fit: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make().fit(*data, verbose=1)
    assert capsys.readouterr().err.endswith("\n")
