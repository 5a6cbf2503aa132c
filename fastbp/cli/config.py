"""The command `fastbp config`, which shows how this fastbp was built and what it found."""

from __future__ import annotations

import fastbp
from fastbp.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    text = "show version, instruction set, compiler, threads and caches"
    config = commands.add_parser("config", help=text, description=f"{text.capitalize()}.")
    config.set_defaults(run=lambda _: fastbp.show_config())
