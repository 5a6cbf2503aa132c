"""The command line: its commands, their options, output and errors."""

import shlex
import subprocess
import sys

import pytest

import fastbp
from fastbp.cli import commands, demo


def output_of(capsys, *arguments):
    """Return what the command prints before it exits with status 0."""
    try:
        status = commands.main(arguments)
    except SystemExit as end:  # argparse's way to end after --help and --version
        status = end.code
    assert status == 0
    return capsys.readouterr().out


def error_of(capsys, *arguments):
    """Return what a command line that argparse refuses prints."""
    with pytest.raises(SystemExit) as end:
        commands.main(arguments)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_help_lists_the_commands(capsys):
    text = output_of(capsys, "--help")
    assert "demo " in text
    assert "config " in text


def test_version(capsys):
    assert output_of(capsys, "--version") == f"fastbp {fastbp.__version__}\n"


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fastbp", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: fastbp ")


@pytest.mark.parametrize(
    ("command", "count"),
    [("train", 5), ("predict", 4), ("evaluate", 2), ("explain", 4), ("info", 2), ("demo", 3), ("bench", 3)],
)
def test_examples_in_the_help_are_command_lines(capsys, command, count):
    text = output_of(capsys, command, "--help")
    examples = [line.partition("fastbp ")[2] for line in text.partition("examples:")[2].splitlines()[1:]]
    assert len(examples) == count
    for example in examples:
        commands.make_parser().parse_args(shlex.split(example))


def test_config_tells_the_instruction_set(capsys):
    text = output_of(capsys, "config")
    assert fastbp.__version__ in text
    assert fastbp._core.isa() in text


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "many", "9" * 5000])
def test_counts_are_positive_whole_numbers(capsys, count):
    error = error_of(capsys, "demo", f"--seeds={count}")
    assert f"{count!r:.60} is not a whole number of at least 1" in error


@pytest.mark.parametrize("command", ["demo", "bench"])
def test_pictures_are_refused_before_any_work(capsys, tmp_path, command):
    assert "does not end in .png, .svg or .pdf" in error_of(capsys, command, "--output", "digits.gif")
    nowhere = tmp_path / "nowhere"
    assert f"no directory {str(nowhere)!r}" in error_of(
        capsys, command, "--output", str(nowhere / "digits.png")
    )


def test_no_command_shows_the_help(capsys):
    assert output_of(capsys) == output_of(capsys, "--help")


def test_unknown_commands_are_refused(capsys):
    assert "'dance'" in error_of(capsys, "dance")


def test_errors_are_a_line_and_not_a_traceback(capsys, monkeypatch):
    def run(*_):
        raise fastbp.ParameterError("learning_rate is nan")

    monkeypatch.setattr(demo, "run", run)
    assert commands.main(["demo"]) == 2
    assert capsys.readouterr().err == "fastbp demo: learning_rate is nan\n"


def test_control_c_ends_quietly(monkeypatch):
    def run(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", run)
    assert commands.main(["demo"]) == 130
