"""The command `fastbp evaluate`: how good a model file is on the rows of a table."""

from __future__ import annotations

from argparse import Namespace

from fastbp._base.shown import counted
from fastbp.cli import text
from fastbp.cli.options import Commands

DESCRIPTION = """\
Compare the predictions of a model with the target in a table: loss and metrics, and for classes how many
rows of each class were taken for which class."""

EXAMPLES = """\
examples:
  fastbp evaluate model.safetensors test.csv
  fastbp evaluate model.safetensors test.csv --json"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure how good a model file is on a table",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    evaluate.add_argument("model", metavar="MODEL", help="model file that fastbp train wrote")
    evaluate.add_argument(
        "data", metavar="DATA", help="table with the target: .csv, .tsv, .npy, .npz or .parquet"
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    evaluate.set_defaults(run=run)


def run(options: Namespace) -> None:
    """Measure, and print the figures."""
    from fastbp import io
    from fastbp.cli import examples, scores

    net, table = io.load(options.model)
    table = examples.need_table(table, options.model)
    X, y, unknown = examples.with_answers(table, options.data)
    found = scores.measure(net, X, y, table.targets)
    matrix = None if table.classes is None else scores.confusion(net, X, y)
    if options.json:
        text.show_json(
            {
                "model": options.model,
                "data": options.data,
                "rows": len(X),
                "unknown": unknown,
                "target": table.targets,
                "scores": found,
                "classes": table.classes,
                "confusion": None if matrix is None else matrix.tolist(),
            }
        )
        return
    print(f"{text.path(options.data)}: {counted(len(X), 'row')}")
    examples.print_unknown(unknown)
    print()
    print(scores.show({"value": found}, net))
    if matrix is not None and table.classes is not None:
        print(f"\n{scores.show_confusion(matrix, table.classes)}")
