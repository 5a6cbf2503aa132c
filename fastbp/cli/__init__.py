"""The command line: fastbp train, predict, evaluate, explain, info, demo, bench, config."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status; `arguments` defaults to those of the process."""
    from fastbp.cli import commands  # not for `python -m fastbp.cli.bench`, which measures in a new process

    return commands.main(arguments)
