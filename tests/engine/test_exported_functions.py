"""The functions that other programs in the process find in the shared object: the number of threads."""

import ctypes

import pytest

import fastbp
from fastbp import _core


@pytest.fixture
def library():
    before = fastbp.get_num_threads()
    yield ctypes.CDLL(_core.library.__file__)
    fastbp.set_num_threads(before)


def test_they_are_the_number_of_the_process(library):
    fastbp.set_num_threads(3)
    with fastbp.threads(5):
        assert library.fbp_get_num_threads() == 3
        library.fbp_set_num_threads(2)
        assert fastbp.get_num_threads() == 5
    assert (library.fbp_get_num_threads(), fastbp.get_num_threads()) == (2, 2)


def test_any_integer_is_safe(library):
    limits = {-(2**31): 1, -1: 1, 0: 1, 1: 1, 2: 2, 1023: 1023, 1024: 1024, 1025: 1024, 2**31 - 1: 1024}
    for n, expected in limits.items():
        library.fbp_set_num_threads(n)
        assert library.fbp_get_num_threads() == fastbp.get_num_threads() == expected


def test_all_other_functions_are_hidden(library):
    """Another library with functions of these names, in the same process, would be mixed up with them."""
    assert not any(hasattr(library, name) for name in ("fbp_threads", "fbp_set_threads", "fbp_parallel"))
