"""The case that a loop is in, for its errors."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def noted(*case: object) -> Iterator[None]:
    """Name the case in an error."""
    try:
        yield
    except Exception as error:
        error.add_note("with " + ", ".join(map(repr, case)))
        raise
