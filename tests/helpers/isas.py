"""Instruction sets that this machine runs, for tests that go through them themselves.

The fixture `isa` makes a test of each. A test that compares with the reference goes through them in a loop
instead: what the reference finds is computed once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fastbp import _core

ISAS = _core.available_isas()


@contextmanager
def using(isa: str) -> Iterator[None]:
    """Use an instruction set for a while; an error in that time names it."""
    before = _core.isa()
    _core.set_isa(isa)
    try:
        yield
    except Exception as error:
        error.add_note(f"on the path {isa}")
        raise
    finally:
        _core.set_isa(before)
