"""The command `fastbp predict`: the answers of a model file for the rows of a table."""

from __future__ import annotations

import csv
import os
import sys
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastbp
from fastbp.cli import text
from fastbp.cli.options import Commands, check_differs, output

if TYPE_CHECKING:
    from fastbp import io

Array: TypeAlias = NDArray[Any]
Answers: TypeAlias = dict[str, Array]  # by the name of a column, (n,) each

DESCRIPTION = """\
Predict the target for each row of a table, in the order of the rows, and write a CSV file. The columns of
the table are found by their names; other columns are ignored, including the target. The CSV file has a
column for each target, by its name: the most probable class, or the number. If they are classes, a column
for the probability of each class follows."""

EXAMPLES = """\
examples:
  fastbp predict model.safetensors new.csv
  fastbp predict model.safetensors new.csv --output predictions.csv
  fastbp predict model.safetensors new.csv --no-probabilities --output classes.tsv
  fastbp predict model.safetensors new.csv --json"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    predict = commands.add_parser(
        "predict", help="predict with a model file", description=DESCRIPTION, epilog=EXAMPLES
    )
    predict.add_argument("model", metavar="MODEL", help="model file that fastbp train or Network.save wrote")
    predict.add_argument("data", metavar="DATA", help="table: .csv, .tsv, .npy, .npz or .parquet")
    predict.add_argument(
        "--output",
        type=lambda name: None if name == "-" else output(name),
        metavar="PATH",
        help="CSV file to write, with tabs instead of commas if its name ends in .tsv; default: -, which is "
        "standard output",
    )
    predict.add_argument(
        "--probabilities",
        action=BooleanOptionalAction,
        help="a column for each class, such as 'probability of Adelie'; default: if there are classes",
    )
    predict.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object: with the predictions, by column, unless they go to a file",
    )
    predict.set_defaults(run=run)


def run(options: Namespace) -> None:
    """Predict, and write or print the answers."""
    from fastbp import io
    from fastbp.cli import examples
    from fastbp.io._columns import is_missing

    if options.output is not None:
        check_differs(options.output, options.model, options.data)
    net, table = io.load(options.model)
    columns = io.read_columns(options.data)
    X = examples.inputs(net, table, columns)
    unknown = examples.unknown(table, columns, X)
    outputs = net.predict(X)
    answers = answers_in(outputs, net, table, options.probabilities)
    if options.output is not None:
        with writing(options.output) as file:
            write(file, answers, "\t" if options.output.suffix == ".tsv" else ",")
    if options.json:
        about = {"model": options.model, "data": options.data, "rows": len(outputs), "unknown": unknown}
        where = {"predictions": {name: column.tolist() for name, column in answers.items()}}
        text.show_json(about | (where if options.output is None else {"output": str(options.output)}))
        return
    foreign = [name for name, n in unknown.items() if n == len(X) - is_missing(columns[name]).sum()]
    if foreign:
        note = f"no value is a category that training had in: {text.listed([*map(text.plain, foreign)])}"
        print(f"fastbp predict: note: {note}", file=sys.stderr)
    if options.output is None:
        with suppress(AttributeError):  # not a stream of the process
            sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        write(sys.stdout, answers, ",")


def answers_in(
    outputs: Array, net: fastbp.Network, table: io.Table | None, with_probabilities: bool | None
) -> Answers:
    """Return the columns that outputs (n, n_out) stand for; None: with probabilities if there are classes."""
    is_softmax = net.layers[-1].activation == fastbp.activations.softmax
    has_classes = is_softmax if table is None else table.classes is not None
    if with_probabilities and not (is_softmax and has_classes):
        raise fastbp.ParameterError("--probabilities is given, but the model has no classes")
    if not has_classes:
        names = (net.class_names if table is None else table.targets) or ()
        if len(names) != outputs.shape[1]:  # such as quantiles of a target
            return unique(zip(numbered("output", outputs), outputs.T, strict=True))
        return unique(zip(names, outputs.T, strict=True))
    known = net.class_names if table is None else table.classes
    classes = known or [str(i) for i in range(outputs.shape[1])]
    target = table.targets[0] if table is not None else "class"
    chosen = np.array(classes, dtype=object)[outputs.argmax(axis=1)]
    found = [(target, chosen)]
    if is_softmax and with_probabilities is not False:
        found += [(f"probability of {name}", column) for name, column in zip(classes, outputs.T, strict=True)]
    return unique(found)


def numbered(name: str, outputs: Array) -> list[str]:
    """Return names for the columns of outputs (n, n_out)."""
    return [f"{name} {j + 1}" for j in range(outputs.shape[1])]


def unique(columns: Iterable[tuple[str, Array]]) -> Answers:
    """Return columns by name; a name that occurs again, as 'probability of x' of a target may, gets a *."""
    found: Answers = {}
    for name, column in columns:
        while name in found:
            name += "*"
        found[name] = column
    return found


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """Open a file for text in UTF-8, which takes the place of an old one when it is complete."""
    from fastbp._model_file.atomic import replacing

    if path.exists() and not path.is_file():  # a pipe, or a device such as /dev/stdout
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    with replacing(os.fspath(path)) as raw:
        file = TextIOWrapper(raw, encoding="utf-8", newline="")
        yield file
        file.flush()
        file.detach()


def write(file: TextIO, answers: Mapping[str, Array], delimiter: str) -> None:
    """Write columns as CSV, numbers with as many digits as tell them apart in their precision."""
    named = [set(column) for column in answers.values() if column.dtype == object]
    has_return = any("\r" in name for name in chain(answers, *named))  # QUOTE_MINIMAL leaves it bare
    quoting: Any = csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=quoting)
    writer.writerow(answers)
    columns = [column if column.dtype == object else column.astype(str) for column in answers.values()]
    writer.writerows(zip(*columns, strict=True))
