"""The command line: the parser of all commands, and what happens to their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import fastbp
from fastbp.cli import config, demo, evaluate, explain, info, predict, timing, train
from fastbp.cli.options import Parser, one_line

COMMANDS = (train, predict, evaluate, explain, info, demo, timing, config)

FAILED, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # the last two are those of a shell: 128 and the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command given by `arguments` (default: sys.argv) and return the exit status."""
    prepare_streams()
    try:
        options = make_parser().parse_args(arguments)
        try:
            options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            discard_output()
            return BROKEN_PIPE
        except (fastbp.Error, OSError, ImportError, MemoryError) as error:
            return failed(options.command, error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(prog="fastbp", description="Multi-layer perceptrons on the CPU, fast.")
    parser.add_argument("--version", action="version", version=f"fastbp {fastbp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    parser.set_defaults(run=lambda _: parser.print_help())
    for command in COMMANDS:
        command.add(commands)
    return parser


def failed(command: str | None, error: Exception) -> int:
    """Print an error as one line, and return the exit status."""
    text = one_line(error) or "not enough memory"
    with suppress(OSError, ValueError):  # stderr may be closed
        print(f"fastbp {command or ''}".rstrip() + f": {text}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # it was this stream that failed, for example on a full disk
        discard_output()
    return FAILED


def discard_output() -> None:
    """Send what is still to be printed nowhere, so that Python does not fail on it when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare_streams() -> None:
    """Let printing never fail on a stream that is closed, or on characters that its encoding lacks."""
    if sys.stdout is None:  # closed by the parent process
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    with suppress(AttributeError):  # not a stream of the process
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
