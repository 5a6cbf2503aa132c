"""Names of test cases."""

import re


def name_of(value):
    """Return the text of a value without addresses, so that a case has the same name in every process."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))
