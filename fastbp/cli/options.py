"""The parser of a command, and the types of its options."""

from __future__ import annotations

import argparse
import csv
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from fastbp._base import arguments
from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError

PICTURES = (".png", ".svg", ".pdf")
LONGEST_NUMBER = 100  # characters; Python refuses to convert numbers with thousands of digits

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose options must be written in full."""

    def __init__(self, **options: Any) -> None:
        options["formatter_class"] = argparse.RawDescriptionHelpFormatter
        super().__init__(allow_abbrev=False, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; refuse unknown options, including those of a command."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print the message, and where to find help, as one line; exit with status 2."""
        self.exit(2, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


def one_line(text: object) -> str:
    """Return text with spaces for its line breaks, and without characters that control a terminal."""
    return escaped(" ".join(str(text).splitlines()))


def escaped(text: str) -> str:
    """Return text with escape sequences for characters that are not printable, as in a string of Python."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def whole(at_least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the type of whole numbers from `at_least` to `most`."""
    bounds = f"of at least {at_least}" if most is None else f"from {at_least} to {most}"

    def convert(text: str) -> int:
        is_number = text.isdecimal() and len(text) <= LONGEST_NUMBER
        if not is_number or int(text) < at_least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"{text!r:.60} is not a whole number {bounds}")
        return int(text)

    return convert


positive = whole(1)
epochs = whole(1, 2**32 - 1)
seed = whole(0, 2**64 - 1)
threads = whole(1, 1024)


def number(
    *, above: float = -math.inf, at_least: float = -math.inf, below: float = math.inf
) -> Callable[[str], float]:
    """Return the type of finite numbers within the bounds."""
    signs = {"above": above, "of at least": at_least, "below": below}
    bounds = " and ".join(f"{sign} {bound:g}" for sign, bound in signs.items() if math.isfinite(bound))

    def convert(text: str) -> float:
        try:
            x = float(text)
        except ValueError:
            x = math.nan
        if not (math.isfinite(x) and x > above and x >= at_least and x < below):
            raise argparse.ArgumentTypeError(f"{text!r:.60} is not a number {bounds}")
        return x

    return convert


def units(text: str) -> tuple[int, ...]:
    """Convert text such as "32,16" to the units of the hidden layers; "none" means no hidden layers."""
    if text == "none":
        return ()
    try:
        return tuple(positive(part.strip()) for part in text.split(","))
    except argparse.ArgumentTypeError:
        message = f"{text!r:.60} is not a list of whole numbers such as 32,16, nor none"
        raise argparse.ArgumentTypeError(message) from None


def image(text: str) -> tuple[int, ...]:
    """Convert text such as "8,8" or "8,8,3" to the size of an image."""
    sizes = text.split(",")
    try:
        if len(sizes) not in (2, 3):
            raise argparse.ArgumentTypeError
        return tuple(positive(size.strip()) for size in sizes)
    except argparse.ArgumentTypeError:
        message = f"{text!r:.60} is not the size of an image such as 8,8, or 8,8,3 with channels"
        raise argparse.ArgumentTypeError(message) from None


def names(text: str) -> tuple[str, ...]:
    """Convert names with commas between them, as in a line of a CSV file: quotes allow commas in a name."""
    try:
        found = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a list of names: {error}") from None
    if not found or "" in found:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a list of names")
    return tuple(found)


def output(text: str) -> Path:
    """Convert text to the path of a file to write, and check its folder before the work begins."""
    try:
        path = Path(arguments.path("the path", text))
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a file")
    if not os.path.isdir(path.parent):
        raise argparse.ArgumentTypeError(f"there is no directory {str(path.parent)!r}")
    if not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"the directory {str(path.parent)!r} cannot be written to")
    return path


def picture(text: str) -> Path:
    """Convert text to the path of a picture, and check it before the work begins."""
    if Path(text).suffix not in PICTURES:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .png, .svg or .pdf")
    return output(text)


def check_differs(written: Path | str, *others: Path | str) -> None:
    """Raise ParameterError if a file to write is one of the others, which it would destroy."""
    for other in others:
        if Path(written) == Path(other) or (os.path.exists(other) and is_same(written, other)):
            raise ParameterError(
                f"writing {str(written)!r} would overwrite {str(other)!r}, which the command uses: choose "
                "another name"
            )


def check_is_file(written: Path | str | None) -> None:
    """Raise ParameterError if a file to write is there already as a folder, a device or a pipe."""
    if written is not None and os.path.exists(written) and not os.path.isfile(written):
        raise ParameterError(f"{str(written)!r} cannot be replaced, because it is not a regular file")


def is_same(path: Path | str, other: Path | str) -> bool:
    """Tell whether two paths lead to one existing file."""
    return os.path.exists(path) and os.path.samefile(path, other)


def add_quiet(parser: argparse._ActionsContainer) -> None:
    """Add the options for scripts."""
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
