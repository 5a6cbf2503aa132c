"""Comparison of what a program printed with what a page shows."""

import re

import pytest


def same_words(printed, shown):
    """Tell whether two texts agree word for word.

    Numbers may differ by 5 % (as between ISA paths), but both or neither must have a decimal point. A word
    "..." of what is shown stands for any words, and dots within a word for any characters.
    """
    a, b = (re.split(r"[\s,\[\]()]+", text) for text in (printed, shown))
    return agree(a, b)


def agree(printed, shown):
    for i, word in enumerate(shown):
        if word == "...":
            return any(agree(printed[j:], shown[i + 1 :]) for j in range(i, len(printed) + 1))
        if i >= len(printed) or not is_same(printed[i], word):
            return False
    return len(printed) == len(shown)


def is_same(printed, shown):
    try:
        is_close = float(printed) == pytest.approx(float(shown), rel=0.05, nan_ok=True)
        return is_close and ("." in printed) == ("." in shown)
    except ValueError:
        return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), printed) is not None
