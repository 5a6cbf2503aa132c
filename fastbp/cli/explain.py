"""The command `fastbp explain`: a page about derivatives, or about a model file and a table."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastbp
from fastbp._base.shown import counted
from fastbp.cli import text
from fastbp.cli.options import Commands, add_quiet, check_differs, check_is_file, image, output, seed

DESCRIPTION = """\
Write a page of HTML, one file that needs nothing else. Without arguments it explains, with small networks
that run in the page, what the derivative of an activation does for learning. With a model file and a table
that has the target, it is about this model: what keeps it from learning and what to do, its gradients, the
landscape of its loss, the rows that teach most, what its answers depend on and how good they are."""

EXAMPLES = """\
examples:
  fastbp explain
  fastbp explain --open
  fastbp explain model.safetensors train.csv --held-out test.csv --output model.html
  fastbp explain digits.safetensors digits.npz --image-shape 8,8"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    explain = commands.add_parser(
        "explain",
        help="write a page that shows what the derivatives do",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    explain.add_argument("model", metavar="MODEL", nargs="?", help="model file that fastbp train wrote")
    explain.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="table with the target: .csv, .tsv, .npy, .npz or .parquet; best the rows trained on",
    )
    explain.add_argument(
        "--held-out",
        metavar="DATA",
        help="table of rows not trained on, which the answers are judged by",
    )
    explain.add_argument(
        "--output",
        type=output,
        default="fastbp-explain.html",
        metavar="PATH",
        help="page to write; an old one is replaced; default: %(default)s",
    )
    explain.add_argument("--open", action="store_true", help="open the page in a browser")
    explain.add_argument(
        "--image-shape",
        type=image,
        metavar="ROWS,COLUMNS",
        help="size of the image that the inputs are, such as 8,8, or 8,8,3 with channels",
    )
    explain.add_argument(
        "--seed",
        type=seed,
        metavar="N",
        help="seed of what is drawn at random, such as samples of rows; default: 0",
    )
    add_quiet(explain)
    explain.set_defaults(run=run)


def run(options: Namespace) -> None:
    """Write the page, and print where it is."""
    check(options)
    if options.model is None:
        fastbp.explain(path=options.output)
        tell(options, "why the derivative matters, to try out")
    else:
        explain_model(options)
    if options.open:
        import webbrowser

        if not webbrowser.open(Path(options.output).resolve().as_uri()):
            page = text.path(str(options.output))
            raise fastbp.Error(f"{page} is written, but no browser could be opened to show it")


def check(options: Namespace) -> None:
    """Refuse arguments that do not go together."""
    if options.model is not None and options.data is None:
        raise fastbp.ParameterError("MODEL is given without DATA, expected both or none")
    if options.model is None:
        for name in ("held_out", "image_shape", "seed"):
            if getattr(options, name) is not None:
                raise fastbp.ParameterError(f"--{name.replace('_', '-')} is given without MODEL and DATA")
    else:
        check_differs(options.output, options.model, options.data, *filter(None, [options.held_out]))
    check_is_file(options.output)


def explain_model(options: Namespace) -> None:
    """Write and tell of the page about a model."""
    from fastbp import io
    from fastbp.cli import examples

    net, table = io.load(options.model)
    table = examples.need_table(table, options.model)
    X, y, unknown = examples.with_answers(table, options.data)
    X_val, y_val = None, None
    if options.held_out is not None:
        X_val, y_val, _ = examples.with_answers(table, options.held_out)
    net.feature_names = net.feature_names or table.feature_names
    title = " on ".join(text.plain(Path(name).name) for name in (options.model, options.data))
    fastbp.explain(
        net,
        X,
        y,
        path=options.output,
        X_val=X_val,
        y_val=y_val,
        image_shape=options.image_shape,
        title=title,
        seed=options.seed or 0,
        progress=progress(options),
    )
    tell(options, f"{title}, {counted(len(X), 'row')}", rows=len(X), unknown=unknown)
    if not (options.json or options.quiet):
        examples.print_unknown(unknown)


def progress(options: Namespace) -> Callable[[str], None] | None:
    """Return what shows on a terminal which part of the page is being made; None if nothing does."""
    if options.quiet or options.json or not sys.stderr.isatty():
        return None
    return lambda title: print(f"{title} ...", file=sys.stderr)


def tell(options: Namespace, about: str, **found: Any) -> None:
    """Print where the page is, and what it is about."""
    if options.json:
        text.show_json({"output": str(options.output), "model": options.model, "data": options.data, **found})
    elif not options.quiet:
        print(f"{text.path(str(options.output))}: {about}")
