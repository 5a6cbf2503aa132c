"""Bounds of the memory that parsing JSON needs."""

import sys
import tracemalloc

import pytest

from fastbp._model_file import strict_json

#: Texts of about 60 KB that need much memory, by the pattern that they repeat.
PATTERNS = [
    "[],",
    "[[],[]],",
    "[9999],",
    "{},",
    '{"":1},',
    '{"":9999,"b":9999},',
    "999,",
    "1e9,",
    '"",',
    '"ab",',
]
PATTERNS += ['"aaaaaaaaaaaaaa\\ud83d\\ude00",', '"\\u4e2d",', '"\\u4e2d\\u4e2d",', '"\\u00e9",', "      "]
TEXTS = {pattern: "[" + pattern * (60_000 // len(pattern)) + "[]]" for pattern in PATTERNS}
TEXTS |= {
    "members": "{" + ",".join(f'"{i:x}":[]' for i in range(6000)) + "}",
    "one string": '"' + "a" * 60_000 + '\\ud83d\\ude00"',
    "nested": "[" * 100 + "]" * 100,
}


@pytest.mark.parametrize("pattern", TEXTS)
def test_the_bound_is_above_what_parsing_needs(pattern):
    """Also if it fails at the end."""
    for text, is_json in ((TEXTS[pattern], True), (TEXTS[pattern][:-1] + "!", False)):
        tracemalloc.start()
        try:
            value = strict_json.parse(text)
        except ValueError:
            value = None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (value is not None) == is_json
        assert peak <= strict_json.memory_bound(text)


def test_python_s_limit_of_digits_holds_if_the_program_lifted_it(monkeypatch):
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(ValueError, match="an integer has 4301 digits"):
            strict_json.parse("1" * 4301)
        assert strict_json.parse("1" * 4300) > 0
    finally:
        sys.set_int_max_str_digits(before)


def test_depth_is_limited_if_the_program_lifted_python_s_limit():
    """Python 3.11 crashes where nothing limits the recursion, so the texts are refused before parsing."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**8)
    try:
        for deep in ('{"a":' * 101 + "0" + "}" * 101, "[0," * 101 + "0" + "]" * 101, '["\\\\",' * 101):
            with pytest.raises(ValueError, match="nested too deeply"):
                strict_json.parse(deep)
    finally:
        sys.setrecursionlimit(before)
    shallow = "[" + ",".join([r'"[\"[{{[["', '"[[[\\\\"', "[{}]"] * 100) + "]"
    assert len(strict_json.parse(shallow)) == 300
    with pytest.raises(ValueError, match="Unterminated string"):
        strict_json.parse("[" + "[]," * 101 + '"' + "[" * 200)
