"""Text files, the plain and the hostile: their columns are the same, whatever library reads them."""

import random
from importlib.util import find_spec

import numpy as np
import pytest

import fastbp
from fastbp.io import read_columns
from helpers.inside import read_text, watch_blocks

LIBRARIES = ["csv", *(name for name in ("pandas", "polars") if find_spec(name))]
NAN = float("nan")


def outcome(read, path, **options):
    """Return the columns with the line of each row, or the text of the error, as text."""
    try:
        columns = read(path, **options)
    except fastbp.Error as error:
        return f"{type(error).__name__}: {error}".replace(f"{path}", "FILE")
    lines = [columns.place(row) for row in range(columns.n_rows)]
    return repr([(name, column.tolist()) for name, column in columns.items()] + lines)


def written(tmp_path, content, suffix=".csv"):
    path = tmp_path / f"data{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def same_for_all(path):
    """Return the outcome of a file, which must be that of each library with blocks of any size."""
    found = outcome(read_columns, path)
    for library in LIBRARIES:
        for first in (1, 1 << 16):
            assert outcome(read_text, path, library=library, FIRST=first, BLOCK=first) == found, library
    return found


# content: columns
READ = {
    "a,b\n1,x\n2,y\n": {"a": [1, 2], "b": ["x", "y"]},
    "\ufeffa,b\r\n1,x\r\n2,y": {"a": [1, 2], "b": ["x", "y"]},
    "a,b\r1,x\r2,y\r": {"a": [1, 2], "b": ["x", "y"]},
    '"a","b, c"\n1,"x, ""y""\nz"\n2,"w"\n': {"a": [1, 2], "b, c": ['x, "y"\nz', "w"]},
    'a,b\n1,x\n2,"y\n3,z"\n': {"a": [1, 2], "b": ["x", "y\n3,z"]},
    "\n\na,b\n\n1,x\n   \n2,y\n\n": {"a": [1, 2], "b": ["x", "y"]},
    " a , b\n 1 , x y\n\t-2.5e3,\tz \n": {"a": [1, -2500], "b": ["x y", "z"]},
    'a, b\n1, "x, y"\n': {"a": [1], "b": ["x, y"]},
    "a;b\n1,5;2\n": {"a": ["1,5"], "b": [2]},
    "a\tb\n1\t2\n": {"a": [1], "b": [2]},
    "a|b,c|d\n1|2|3\n": {"a": [1], "b,c": [2], "d": [3]},
    "a|b,c\n1|2,3\n": {"a|b": ["1|2"], "c": [3]},
    "a\n1\n\nNA\n3\n": {"a": [1, NAN, 3]},
    'a\n1\n""\n': {"a": [1, NAN]},
    "a,b\n": {"a": [], "b": []},
    "a,b": {"a": [], "b": []},
    "a,b\n,\n": {"a": [NAN], "b": [NAN]},
    "a,b\n?,NA\nn/a,x\nnull,<NA>\n": {"a": [NAN] * 3, "b": [None, "x", None]},
    "a,b\n1,none\n2,None\n3,nAn\n": {"a": [1, 2, 3], "b": ["none", "None", "nAn"]},
    "a,b\n1,1\nx,2\n1.50,3\n,4\n": {"a": ["1", "x", "1.50", None], "b": [1, 2, 3, 4]},
    "a\n1.50\n 007\nNA\nx\n2.0\n": {"a": ["1.50", "007", None, "x", "2.0"]},
    "a\n1,000\n": "expected 1",
    'a\n"1,000"\n2\n': {"a": ["1,000", "2"]},
    "a,b,c\n1_000,\u0661,0x10\n": {"a": ["1_000"], "b": ["\u0661"], "c": ["0x10"]},
    "a,b\n\xa01,1d3\n": {"a": ["\xa01"], "b": ["1d3"]},
    "a,b\ntrue,True\nfalse,False\n": {"a": ["true", "false"], "b": ["True", "False"]},
    "a\n-0\n+5\n.5\n5.\n1E-400\n": {"a": [0, 5, 0.5, 5, 0]},
    "a\n9007199254740993\n123456789012345678901234567890\n": {
        "a": [2.0**53, 123456789012345678901234567890.0]
    },
    "a,b\n1e400,1\nid7,2\n": {"a": ["1e400", "id7"], "b": [1, 2]},
    f"a,b\n1,{'x' * 100_000}\n": {"a": [1], "b": ["x" * 100_000]},
    "0,1,2\n5,6,7\n": {"0": [5], "1": [6], "2": [7]},
    "a\n#5\n'x'\n\\\n": {"a": ["#5", "'x'", "\\"]},
}

# content: parts of the error
REFUSED = {
    "": ["FILE is empty, expected a line with the names"],
    " \n\n": ["FILE is empty"],
    "a,b\n1,2\n3\n": ["line 3: has 1 field, expected 2"],
    "a,b,c\n1\n2,3\n": ["line 2: has 1 field, expected 3"],
    "a,b\n1,2,3\n": ["line 2: has 3 fields, expected 2"],
    'a,b\n"1\n\n",2\n\n3,4,5\n': ["line 6: has 3 fields"],
    "a,b\n1,2\n1,\n1e400,2\n": ["line 4: column 'a' has '1e400', expected a number that float64 can hold"],
    "a,b\n1,2\n1,-inf\n": ["line 3: column 'b' has '-inf'"],
    "a,b,a,c,b,a\n": ["line 1: has more than one column 'a', 'b', expected distinct names"],
    "a, a\n1,2\n": ["more than one column 'a'"],
    ",a,b\n0,1,2\n": ["line 1: column 1 has no name", "index=False"],
    "a,b,\n1,2,\n": ["column 3 has no name"],
    "5.1,3.5,1\n4.9,3.0,2\n": ["line 1: has the numbers '5.1', '3.5', '1', expected a header"],
    b"a,b\n1,\xff\n": ["line 2: has the byte 0xff, which is not UTF-8"],
    b"a,b\r\n1,\xc3\xa4\r\n\r2,\xfe\r\n": ["line 4: has the byte 0xfe"],
    b"a\n" + b"x" * (2**20 - 3) + b"\xc3\xa4\n\xff": ["line 3: has the byte 0xff"],
    b"a,b\n1,x\n2,\xc3": ["line 3: has the byte 0xc3"],
    "a\n" + "\u20ac" * 700_000 + "\n": ["line 2: has a field of more than 131072 characters"],
    b"a,b\r1,2\r3,\x00\r": ["line 3: has a NUL byte"],
    "a,b\n1,2\n".encode("utf-16"): ["FILE is in UTF-16, expected UTF-8"],
    'a,b\n1,2\n"3,4\n5,6\n': ["line 3: the row that begins here cannot be read"],
    'a,b\n1,"x"y\n': ["line 2: the row that begins here cannot be read"],
    'a,"b\n': ["line 1: the header cannot be read"],
    f"a,b\n1,2\n3,{'x' * 131_073}\n": ["line 3: has a field of more than 131072 characters"],
}


def test_files_that_are_tables(tmp_path):
    for content, expected in READ.items():
        found = same_for_all(path := written(tmp_path, content))
        if isinstance(expected, str):
            assert expected in found
            continue
        columns = read_columns(path)
        assert repr({name: column.tolist() for name, column in columns.items()}) == repr(
            {
                name: values if any(isinstance(value, str) for value in values) else [*map(float, values)]
                for name, values in expected.items()
            }
        ), content[:40]


def test_files_that_are_no_tables(tmp_path):
    for content, parts in REFUSED.items():
        found = same_for_all(written(tmp_path, content))
        assert found.startswith("DataError: FILE"), content[:40]
        for part in parts:
            assert part in found, content[:40]


WORDS = (
    "1 -0 +5 1.5 1. .5 1e5 1e 1e+ 1d3 0x10 1_000 NA nan nAn -nan inf Infinity 1e400 1e-400 9007199254740993 "
    "18446744073709551616 1.7976931348623159e308 2.2250738585072011e-308 1e23 8.41e21 0.30000000000000004 "
    "True false ? null a \u00e9 #x ' \\ 12:30 +-1 -- . 1e5.5 1L 1j 1% <NA>"
)
SPACED = [
    "",
    " ",
    " 1",
    "1 ",
    "\t1",
    " NA",
    "1 2",
    "\xa01",
    "1\x0b",
    "\x0c1",
    "\x1a",
    "\x1c1",
    "\u2028",
    "\x85",
]
TOKENS = [*WORDS.split(), "\u0661", *SPACED]


def random_file(seed):
    """Return a table of numbers, missing values and odd fields, in any dialect, that may be no table."""
    r = random.Random(seed)
    width, delimiter, end = r.randint(1, 4), r.choice(",;|\t"), r.choice(["\n", "\n", "\r\n", "\r"])
    pools = [
        r.sample(TOKENS, r.randint(1, 4))
        if r.random() < 0.6
        else [repr(r.gauss(0, 1) * 10.0 ** r.randint(-30, 30)), str(r.randint(-(10**18), 10**18)), "NA"]
        for _ in range(width)
    ]
    rows = [[r.choice(pool).replace(delimiter, "") for pool in pools] for _ in range(r.randint(0, 10))]
    if rows and r.random() < 0.2:
        i = r.randrange(len(rows))
        rows[i] = [f'"{field}"' if r.random() < 0.5 else field for field in rows[i]]
    if rows and r.random() < 0.1:
        rows[-1].append("1")
    names = [f"c{j}" for j in range(width)]
    return end.join(delimiter.join(row) for row in [names, *rows]) + end * r.randint(0, 1)


def compare_random_files(tmp_path, seeds):
    for seed in seeds:
        path = written(tmp_path, random_file(seed))
        found = {
            outcome(read_text, path, library=library, FIRST=1 + seed % 40, BLOCK=16) for library in LIBRARIES
        }
        assert len(found) == 1, (seed, found)


@pytest.mark.skipif(len(LIBRARIES) == 1, reason="needs pandas or polars")
def test_random_files(tmp_path):
    compare_random_files(tmp_path, range(100))


@pytest.mark.slow
@pytest.mark.skipif(len(LIBRARIES) == 1, reason="needs pandas or polars")
def test_many_random_files(tmp_path):
    compare_random_files(tmp_path, range(100, 6000))


@pytest.mark.skipif(len(LIBRARIES) == 1, reason="needs pandas or polars")
def test_large_plain_files_are_read_by_a_library(tmp_path, monkeypatch):
    used = watch_blocks(monkeypatch)
    rows = [f"{i},{i / 7!r},{'even' if i % 2 == 0 else 'odd'}" for i in range(2000)]
    path = written(tmp_path, "\n".join(["i,x,parity", *rows]))
    read_columns(path)
    assert used == []  # importing a library would take longer
    columns = read_text(path, WORTH_IT=0, FIRST=100, BLOCK=10_000)
    assert set(used) == {LIBRARIES[1]}
    assert columns["x"].tolist() == [i / 7 for i in range(2000)]
    assert columns["parity"][:2].tolist() == ["even", "odd"]
    assert columns["parity"][0] is columns["parity"][1998]
    path.write_text("\r\n".join(["i,x,parity", *rows]), newline="")
    used.clear()
    assert read_text(path, WORTH_IT=0)["x"].tolist() == columns["x"].tolist()
    assert used == [LIBRARIES[1]]


def test_a_row_is_where_it_begins(tmp_path):
    columns = read_columns(written(tmp_path, 'a,b\n\n1,"x\n\ny"\n2,z\n\n\n3,"\n"\n'))
    assert [columns.place(row) for row in range(3)] == ["line 3", "line 6", "line 9"]


def test_one_odd_line_far_below_changes_only_its_column(tmp_path):
    rows = [f"{i},{i}.50" for i in range(5000)]
    rows[4500] = "x,1"
    path = written(tmp_path, "\n".join(["a,b", *rows]))
    for library in LIBRARIES:
        columns = read_text(path, library=library, FIRST=100, BLOCK=1000)
        assert columns["a"].tolist() == [row.partition(",")[0] for row in rows]
        assert columns["b"][:4500].tolist() == [i + 0.5 for i in range(4500)]


def test_ten_thousand_columns(tmp_path):
    names = [f"column {j}" for j in range(10_000)]
    row = ",".join(map(str, range(10_000)))
    path = written(tmp_path, "\n".join([",".join(names), row, row, row]))
    columns = read_columns(path)
    assert (len(columns), columns.n_rows, columns["column 9999"].tolist()) == (10_000, 3, [9999.0] * 3)
    table = fastbp.io.Table.learn(columns, target=["column 0"], task="regression")
    assert table.inputs(columns).sum() == 3 * sum(range(10_000))
    path.write_text("\n".join([",".join(names), row, row + ",1"]))
    assert "line 3: has 10001 fields, expected 10000" in outcome(read_columns, path)


def test_the_suffix_says_what_a_file_is(tmp_path):
    for suffix, names in {".csv": ["a;b,c,d"], ".TSV": ["a;b,c,d"], ".txt": ["a;b,c,d"]}.items():
        path = written(tmp_path, "a;b,c,d\n", suffix)
        assert [*read_columns(path)] == (names if suffix == ".TSV" else ["a;b", "c", "d"])
    with pytest.raises(
        fastbp.ParameterError, match=r"suffix of the file is '.xls', expected one of: .csv, .tsv"
    ):
        read_columns(tmp_path / "data.xls")
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"):
        read_columns(tmp_path / "missing.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        read_columns(tmp_path / "folder.csv")
    with pytest.raises(fastbp.ParameterError, match="path is None"):
        read_columns(None)


def test_columns_are_a_mapping_that_shows_itself(tmp_path):
    columns = read_columns(written(tmp_path, "a,b,c,d,e,f,g\n" + "1,2,3,4,5,6,7\n" * 3))
    assert (len(columns), columns.n_rows, [*columns]) == (7, 3, [*"abcdefg"])
    assert repr(columns).endswith("data.csv': 'a', 'b', 'c', 'd', 'e' and 2 more>")
    assert all(column.dtype == np.float64 for column in columns.values())
    with pytest.raises(KeyError):
        columns["h"]
