"""Checks of errors: their class, and what their messages name."""

import pytest

from fastbp import DTypeError


def refuses(call, error, *parts):
    """Check that a call raises this class of error with all the parts in its message; return the message."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert isinstance(caught.value, TypeError if error is DTypeError else ValueError)
    message = str(caught.value)
    for part in parts:
        assert part in message
    return message
