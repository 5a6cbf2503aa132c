"""`Table`: what columns mean to a network, learned from a file and applied to others."""

import copy
import json
import pickle
from functools import partial

import numpy as np
import pytest

import fastbp
from fastbp import DataError, ParameterError
from fastbp.datasets import penguins_path
from fastbp.io import Column, Columns, Table, read_columns
from helpers.errors import refuses


@pytest.fixture
def file(tmp_path):
    """Return a function that writes rows to a CSV file and returns its columns."""

    def columns(text, name="data.csv"):
        path = tmp_path / name
        path.write_text(text)
        return read_columns(path)

    return columns


TRAINING = "age,city,code,kind\n30,Rome,7,a\n20,Oslo,10,b\n40,Rome,9,a\n"


def test_inputs_are_numbers_and_one_hot(file):
    columns = file(TRAINING)
    table = Table.learn(columns, target=["kind"], categorical=["code"])
    cities = ("city=Oslo", "city=Rome", "city=(unknown)")
    codes = ("code=7", "code=9", "code=10", "code=(unknown)")  # in the order of the numbers
    assert table.feature_names == ("age", *cities, *codes)
    X = table.inputs(columns)
    assert X.dtype == np.float64
    assert X.tolist() == [
        [30, 0, 1, 0, 1, 0, 0, 0],
        [20, 1, 0, 0, 0, 0, 1, 0],
        [40, 0, 1, 0, 0, 1, 0, 0],
    ]
    assert table.classes == ("a", "b")
    labels = table.answers(columns)
    assert (labels.dtype, labels.tolist()) == (np.int64, [0, 1, 0])


def test_columns_are_found_by_name_and_others_ignored(file):
    table = Table.learn(file(TRAINING), target=["kind"], drop=["code"])
    other = file("extra,kind,city,age\nx,b,Rome,1\nNA,a,Oslo,2\n")
    assert table.inputs(other).tolist() == [[1, 0, 1, 0], [2, 1, 0, 0]]
    assert table.answers(other).tolist() == [1, 0]
    refuses(lambda: table.inputs(file("Age,code\n1,2\n")), DataError, "lacks the columns 'age', 'city'")
    refuses(lambda: table.answers(file("age,city\n1,Rome\n")), DataError, "lacks the column 'kind'")


def test_what_training_did_not_see_is_unknown(file):
    table = Table.learn(file(TRAINING), target=["kind"], categorical=["code"])
    other = file("age,city,code\n1,Paris,8\n2,rome,7.5\n")
    assert table.inputs(other)[:, 1:].tolist() == [[0, 0, 1, 0, 0, 0, 1]] * 2
    refuses(
        lambda: table.answers(file("kind\na\nc\n")),
        DataError,
        "line 3: column 'kind' has the class 'c'",
        "'a', 'b'",
    )


def test_numbers_and_their_texts_are_the_same_category(file):
    """Whether a column is text depends on all of its rows, which differ between files."""
    table = Table.learn(file("c,y\n1,a\n2,b\n"), target=["y"], categorical=["c"])
    assert table.inputs(file("c\n1.0\n02\nx\n")).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    table = Table.learn(file("c,y\n1.0,a\n2,b\nA,a\n"), target=["y"])
    assert table.columns[0].categories == ("1.0", "2", "A")
    assert table.inputs(file("c\n1\n2\n3\n")).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    table = Table.learn(file("y,x\n0,1\n1,1\n"), target=["y"])
    assert table.classes == ("0", "1")
    assert table.answers(file("y\n1\n0\n")).tolist() == [1, 0]


def test_numbers_and_texts_that_may_be_several_categories(file):
    rows = "c,y\n01,0.5\n1,1.5\nA,2.5\n1E400,3.5\n9007199254740993,4.5\n"
    table = Table.learn(file(rows), target=["y"])
    assert table.columns[0].categories == ("01", "1", "1E400", "9007199254740993", "A")
    as_text = table.inputs(file("c\n1\n01\nA\n1.0\n2E400\n9007199254740992\n"))
    assert as_text.argmax(axis=1).tolist() == [1, 0, 4, 5, 5, 5]
    refuses(
        lambda: table.inputs(file("c\n7\n1\n")),  # numbers all, whose text is not kept
        DataError,
        "line 3: column 'c' has 1, which may be '01' and '1': training had both",
    )


def test_bools_are_the_same_however_they_are_written(file):
    """pandas writes True, polars true, and R TRUE."""
    table = Table.learn(file("c,y\nTrue,1.5\nFalse,2.5\n"), target=["y"])
    for true, false in (("true", "false"), ("TRUE", "FALSE")):
        assert table.inputs(file(f"c\n{false}\n{true}\nt\n")).argmax(axis=1).tolist() == [0, 1, 2]
    table = Table.learn(file("c,y\nTrue,1.5\ntrue,2.5\n"), target=["y"])
    assert table.inputs(file("c\nTRUE\ntrue\n")).argmax(axis=1).tolist() == [2, 1]


def test_missing_values(file):
    gaps = "age,city,y\n30,NA,a\n,Rome,b\n10,,a\n?,Oslo,b\n20,Rome,a\n"
    columns = file(gaps)
    message = "line 3: column 'age' lacks a value; 2 rows of 5 have none: impute=True (--impute)"
    refuses(lambda: Table.learn(columns, target=["y"]), DataError, "data.csv", message)
    table = Table.learn(columns, target=["y"], impute=True)
    assert table.columns == (
        Column("age", fill=20.0),
        Column("city", categories=["Oslo", "Rome"], fill="(unknown)"),
    )
    X = table.inputs(columns)
    assert X[:, 0].tolist() == [30, 20, 10, 20, 20]
    assert X[:, 3].tolist() == [1, 0, 1, 0, 0]
    whole = Table.learn(file("age,city,y\n1,Rome,a\n2,Oslo,b\n"), target=["y"])
    refuses(lambda: whole.inputs(columns), DataError, "line 3: column 'age' lacks a value")
    refuses(
        lambda: whole.inputs(file("age,city\n1,Rome\n2,\n")),
        DataError,
        "line 3: column 'city' lacks a value: ",
    )


def test_missing_targets_are_always_refused(file):
    for text, place in (("x,y\n1,a\n2,\n", "line 3"), ("x,y\n1,0.5\n2,NA\n3,1\n", "line 3")):
        columns = file(text)
        for task in ("auto", "classification", "regression"):
            learn = partial(Table.learn, columns, target=["y"], task=task, impute=True)
            are_classes = task == "classification" or (task == "auto" and ",a" in text)
            what = "the class" if are_classes else "a target"
            refuses(learn, DataError, f"{place}: column 'y' lacks {what}", "leave such rows out")
    table = Table([Column("x")], ["y"], ["a", "b"])
    refuses(lambda: table.answers(file("y\na\nNA\n")), DataError, "line 3: column 'y' lacks the class")
    table = Table([Column("x")], ["y", "z"])
    refuses(lambda: table.answers(file("y,z\n1,2\n3,\n")), DataError, "line 3: column 'z' lacks a target")


def test_numeric_columns_refuse_text(file):
    table = Table.learn(file("x,y\n1,a\n2,b\n"), target=["y"])
    other = file("x\n1\n \n2\n1,5\n".replace("1,5", '"1,5"'))
    refuses(lambda: table.inputs(other), DataError, "line 5: column 'x' has '1,5', expected a number")
    table = Table([Column("x")], ["y"])
    refuses(lambda: table.answers(file("y\n1\nhigh\n")), DataError, "line 3: column 'y' has 'high'")


def auto(file, values):
    columns = file("x,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    return Table.learn(columns, target=["y"]).classes


def test_the_task_follows_from_the_target(file):
    assert auto(file, "abc") == ("a", "b", "c")
    assert auto(file, ["True", "False", "True"]) == ("False", "True")
    assert auto(file, [0, 1, 1, 0]) == ("0", "1")
    assert auto(file, ["-1.0", "1.0"]) == ("-1", "1")
    assert auto(file, [i % 5 for i in range(50)]) == tuple("01234")
    assert auto(file, [i % 5 for i in range(49)]) is None  # less than ten rows per class
    assert auto(file, [i % 20 for i in range(200)]) == tuple(map(str, range(20)))
    assert auto(file, [i % 21 for i in range(2100)]) is None
    assert auto(file, [0.5, 1.5]) is None
    assert auto(file, [3, 3, 3]) is None
    columns = file("x,y,z\n1,0,2.5\n2,1,3.5\n")
    assert Table.learn(columns, target=["y"], task="regression").answers(columns).tolist() == [[0], [1]]
    assert Table.learn(columns, target=["z"], task="classification").classes == ("2.5", "3.5")
    table = Table.learn(columns, target=["z", "y"])
    assert (table.classes, table.answers(columns).tolist()) == (None, [[2.5, 0], [3.5, 1]])


def test_bad_requests(file):
    columns = file("name,x,y,z\n" + "".join(f"n{i},{i},{i % 2},{i / 7}\n" for i in range(50)) + ",1,1,1\n")
    bad = {
        "target is 'yy', expected a column of": {"target": ["yy"]},
        "did you mean 'name'?": {"target": ["nam"]},
        "it has 'name', 'x', 'y', 'z'": {"target": ["q"]},
        "target is 'y', expected a list of names": {"target": "y"},
        "target is empty": {"target": []},
        "drop is 'w', expected a column": {"target": ["y"], "drop": ["w"]},
        "drop has 'y', which is a target": {"target": ["y"], "drop": ["y"]},
        "categorical has 'x', which is a target or dropped": {
            "target": ["y"],
            "categorical": ["x"],
            "drop": ["x"],
        },
        "task is 'rank', expected one of: auto, classification, regression": {
            "target": ["y"],
            "task": "rank",
        },
        "target has 2 columns, expected one": {"target": ["y", "z"], "task": "classification"},
        "impute is 1, expected True or False": {"target": ["y"], "impute": 1},
    }
    for message, options in bad.items():
        refuses(lambda options=options: Table.learn(columns, **options), ParameterError, message)
    whole = file("name,x,y\na,1,0\nb,2,1\n")
    for options in ({"target": ["name"], "task": "regression"}, {"target": ["name", "x"]}):
        refuses(
            lambda options=options: Table.learn(whole, **options), ParameterError, "'name', which holds text"
        )


def test_bad_columns(file):
    names = "name,x,y,z\n" + "".join(f"n{i},{i},{i % 2},{i / 7}\n" for i in range(50))
    twice = "id,day,y\n" + "".join(f"n{i},d{min(i, 40)},{i % 2}\n" for i in range(60))
    learn = lambda text, **options: lambda: Table.learn(file(text), **options)  # noqa: E731
    for run, parts in [
        (learn(names, target=["y"]), ["column 'name' has 50 categories in 50 rows", "(--drop)"]),
        (learn(names, target=["y"], drop=["name"], categorical=["x"]), ["column 'x' has 50 categories"]),
        (learn(twice, target=["y"]), ["columns 'id', 'day' have up to 60 categories", "(--drop)"]),
        (learn(names, target=["name"]), ["column 'name' has 50 classes in 50 rows"]),
        (learn(names, target=["z"], task="classification"), ["column 'z' has 50 classes"]),
        (learn("x,y\n", target=["y"]), ["has no rows"]),
        (learn("y\n1\n", target=["y"]), ["has no columns beside 'y'"]),
        (
            learn("x,y\n,1\nNA,2\n", target=["y"], impute=True),
            ["column 'x' has no value in any row", "--drop"],
        ),
        (learn("x,y\n1,a\n2,a\n", target=["y"]), ["column 'y' has only the class 'a', expected two"]),
        (
            learn(f"x,y\n1,a\n{2**53},b\n", target=["y"], categorical=["x"]),
            ["line 3: column 'x' has an integer of 2**53 or more"],
        ),
    ]:
        refuses(run, DataError, *parts)
    few = "".join(f"n{i},{i % 2}\n" for i in range(20))
    assert len(Table.learn(file("name,y\n" + few), target=["y"]).feature_names) == 21
    many = "".join(f"n{i % 1001},{i % 2}\n" for i in range(2002))
    refuses(learn("name,y\n" + many, target=["y"]), DataError, "column 'name' has 1001 categories")


def test_the_word_for_unknown_categories_is_one(file):
    columns = file("c,y\n(unknown),a\nRome,b\n")
    table = Table.learn(columns, target=["y"])
    assert table.feature_names == ("c=Rome", "c=(unknown)")
    assert table.inputs(columns).tolist() == [[0, 1], [1, 0]]


def test_names_of_inputs_are_distinct(file):
    columns = file("c,c=Rome,y\nRome,1,a\nOslo,2,b\n")
    refuses(lambda: Table.learn(columns, target=["y"]), ParameterError, "the inputs has 'c=Rome' twice")


def test_constant_columns_are_fine(file):
    columns = file("x,c,y\n1,a,p\n1,a,q\n")
    table = Table.learn(columns, target=["y"])
    X = table.inputs(columns)
    net = fastbp.Network([3, 4, 2], loss="cross_entropy", seed=0)
    net.adapt(X)
    net.fit(X, table.answers(columns), epochs=2, verbose=0)
    assert np.isfinite(net.predict(X)).all()


BAD_PARTS = [
    (lambda: Column(3), "name is 3"),
    (lambda: Column("x", categories=[]), "categories is [], expected 1 or more strings"),
    (lambda: Column("x", categories=[1]), "categories is [1]"),
    (lambda: Column("x", categories=["a", "a"]), "categories has 'a' twice"),
    (lambda: Column("x", categories=["(unknown)"]), "categories has '(unknown)'"),
    (lambda: Column("x", categories="ab"), "categories is 'ab'"),
    (lambda: Column("x", fill="(unknown)"), "fill is '(unknown)', expected a number for 'x'"),
    (lambda: Column("x", ["a"], 1.0), "fill is 1.0, expected '(unknown)' for 'x'"),
    (lambda: Column("x", ["a"], "b"), "fill is 'b'"),
    (lambda: Column("x", fill=float("nan")), "fill is nan"),
    (lambda: Table([], ["y"]), "columns is [], expected one or more Column"),
    (lambda: Table(["x"], ["y"]), "columns is ['x']"),
    (lambda: Table([Column("x")], []), "targets is []"),
    (lambda: Table([Column("x")], "y"), "targets is 'y'"),
    (lambda: Table([Column("x")], ["x"]), "targets has 'x', which is an input, too"),
    (lambda: Table([Column("x")], ["y"], ["a"]), "classes is ['a'], expected 2 or more"),
    (lambda: Table([Column("x")], ["y", "z"], ["a", "b"]), "targets has 2 columns, expected one"),
    (lambda: Table([Column("x"), Column("x")], ["y"]), "the names of columns has 'x' twice"),
]


def test_bad_parts_are_refused():
    for make, message in BAD_PARTS:
        refuses(make, ParameterError, message)


TABLE = Table([Column("x", fill=0.1), Column("c", ["a", "b"], "(unknown)"), Column("z")], ["y"], ["p", "q"])


def test_tables_are_values():
    assert TABLE == copy.deepcopy(TABLE) == pickle.loads(pickle.dumps(TABLE))
    assert hash(TABLE) == hash(copy.copy(TABLE))
    assert Table(TABLE.columns, TABLE.targets) != TABLE
    with pytest.raises(AttributeError, match="cannot assign to 'targets'"):
        TABLE.targets = ("z",)
    with pytest.raises(AttributeError):
        TABLE.columns[0].fill = 2.0


def test_repr_fits_a_screen():
    assert repr(TABLE) == "<Table: 'x', 'c', 'z' -> 'y' (2 classes)>"
    assert repr(TABLE.columns[1]) == "Column('c', categories=('a', 'b'), fill='(unknown)')"
    wide = Table([Column(f"{i}" * 500, [f"{j}" for j in range(1000)]) for i in range(8)], ["y" * 500])
    assert len(repr(wide)) < 800
    assert len(repr(wide.columns[0])) < 300


def test_descriptions_are_json_and_come_back():
    tables = [TABLE, Table([Column("x")], ["y", "z"]), Table([Column('é\n"', ["", "ß"])], [""])]
    for table in tables:
        assert Table.described(json.loads(json.dumps(table.describe(), allow_nan=False))) == table


def test_nonsense_is_no_description():
    good = TABLE.describe()
    columns = good["columns"]
    for bad in [
        None,
        [],
        {},
        {**good, "more": 1},
        {name: good[name] for name in ("columns", "targets")},
        {**good, "columns": None},
        {**good, "columns": {"a": 1}},
        {**good, "columns": []},
        {**good, "columns": [None]},
        {**good, "columns": [{"name": "x"}]},
        {**good, "columns": [{**columns[0], "name": None}]},
        {**good, "columns": [{**columns[0], "fill": "a"}]},
        {**good, "columns": [{**columns[0], "fill": [1]}]},
        {**good, "columns": [{**columns[1], "categories": 3}]},
        {**good, "columns": [{**columns[1], "categories": [[]]}]},
        {**good, "columns": [columns[0], columns[0]]},
        {**good, "targets": "y"},
        {**good, "targets": [["y"]]},
        {**good, "targets": ["x"]},
        {**good, "classes": ["a"]},
        {**good, "classes": {"a": 1, "b": 2}},
        {1: 2, **good},
    ]:
        refuses(lambda bad=bad: Table.described(bad), DataError)


def test_penguins():
    columns = read_columns(penguins_path())
    assert (columns.n_rows, len(columns)) == (344, 8)
    table = Table.learn(columns, target=["species"], drop=["year"], impute=True)
    assert table.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert [column.categories is None for column in table.columns] == [False, True, True, True, True, False]
    assert np.bincount(table.answers(columns)).tolist() == [152, 68, 124]
    assert table.inputs(columns)[:, table.feature_names.index("sex=(unknown)")].sum() == 11


def test_columns_must_be_columns():
    x = np.zeros(2)
    for columns in ({"x": x, "y": x}, None, x):
        for call in (TABLE.inputs, TABLE.answers, Table([Column("x")], ["y"]).answers):
            refuses(partial(call, columns), ParameterError, "columns is ", "expected Columns")
        refuses(partial(Table.learn, columns, target=["y"]), ParameterError, "columns is ")
    for array in ([1.0], np.zeros(2, int), np.zeros((2, 1))):
        refuses(
            partial(Columns, {"x": array}, "f"), ParameterError, "expected a float64 or object array (n,)"
        )
    refuses(lambda: Columns({"x": x, "y": np.zeros(3)}, "f"), fastbp.ShapeError, "3 rows in 'y'")
    columns = Columns({"x": x, "y": np.array(["p", "q"], object)}, "file")
    assert Table.learn(columns, target=["y"]).answers(columns).tolist() == [0, 1]
