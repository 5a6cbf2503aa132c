"""The command `fastbp train`: trains on a table and writes a model file."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import fastbp
from fastbp.cli import text
from fastbp.cli.options import (
    Commands,
    Parser,
    add_quiet,
    check_differs,
    check_is_file,
    epochs,
    names,
    number,
    output,
    picture,
    positive,
    seed,
    threads,
    units,
    whole,
)

DESCRIPTION = """\
Train a network that predicts one column of a table from the others, and write it to a model file. The
table is a CSV, TSV, .npy, .npz or Parquet file. Text columns become an input for each category. A target
of text, or of a few different whole numbers, becomes classes; other targets are numbers to predict. Inputs
and numeric targets are scaled. A fifth of the rows is held out: training stops when their
loss no longer falls, and the network keeps the weights of its best epoch."""

EXAMPLES = """\
examples:
  fastbp train flowers.csv --target species
  fastbp train data.csv --target species --hidden 32,16 --output model.safetensors
  fastbp train houses.csv --target price --categorical zip --drop id --impute
  fastbp train engine.csv --target "torque,fuel" --task regression --activation tanh --seed 1
  fastbp train data.csv --target species --json --patience 0 --validation 0 --epochs 100"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    train = commands.add_parser(
        "train",
        help="train a network on a table, such as a CSV file",
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    train.add_argument("data", metavar="DATA", help="table: .csv, .tsv, .npy, .npz or .parquet")
    add_columns(train)
    add_network(train)
    add_training(train)
    written = train.add_argument_group("output")
    written.add_argument(
        "--output",
        type=output,
        default="model.safetensors",
        metavar="PATH",
        help="model file to write; an old one is replaced; default: %(default)s",
    )
    written.add_argument(
        "--plot",
        type=picture,
        metavar="PATH",
        help="picture of the learning curve, .png, .svg or .pdf; default: beside the model file, with "
        "-curve.png for its suffix, if matplotlib is installed; none with --quiet or --json",
    )
    written.add_argument("--no-plot", action="store_true", help="draw no picture")
    add_quiet(written)
    train.set_defaults(run=run)


def add_columns(train: Parser) -> None:
    """Add the options that say what the columns are."""
    columns = train.add_argument_group("columns")
    columns.add_argument(
        "--target",
        type=names,
        required=True,
        metavar="NAME[,NAME]",
        help="column to predict, or several columns of numbers; a name with a comma needs quotes within: "
        "'\"a,b\"'",
    )
    columns.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="whether the target is a class or a number; default: %(default)s",
    )
    columns.add_argument(
        "--categorical",
        type=names,
        default=(),
        metavar="NAMES",
        help="columns whose numbers are categories, such as codes",
    )
    columns.add_argument("--drop", type=names, default=(), metavar="NAMES", help="columns to ignore")
    columns.add_argument(
        "--impute",
        action="store_true",
        help="replace missing inputs: numbers by the median, categories by the category (unknown); by "
        "default, missing inputs are an error",
    )


def add_network(train: Parser) -> None:
    """Add the options that say what the network is."""
    network = train.add_argument_group("network")
    network.add_argument(
        "--hidden",
        type=units,
        default=(64,),
        metavar="UNITS",
        help="units of each hidden layer, such as 32,16, or none for a linear model; default: 64",
    )
    network.add_argument(
        "--activation",
        type=activation,
        default="relu",
        metavar="NAME",
        help="activation of the hidden layers, such as relu, tanh, gelu or elu; default: %(default)s",
    )
    network.add_argument(
        "--dropout",
        type=number(at_least=0, below=1),
        default=0.0,
        metavar="SHARE",
        help="share of the outputs of hidden layers set to 0 in training; default: %(default)s",
    )
    network.add_argument(
        "--l2",
        type=number(at_least=0),
        default=0.0,
        metavar="FACTOR",
        help="penalty on the weights: FACTOR / 2 times the sum of their squares; default: %(default)s",
    )
    network.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="precision; default: %(default)s"
    )


def add_training(train: Parser) -> None:
    """Add the options that say how to train."""
    training = train.add_argument_group("training")
    training.add_argument(
        "--optimizer",
        type=optimizer,
        default="adam",
        metavar="NAME",
        help="such as adam, adamw, sgd or rmsprop; default: %(default)s; levenberg_marquardt is good for "
        "small networks and numbers to predict",
    )
    training.add_argument(
        "--learning-rate",
        type=number(above=0),
        metavar="RATE",
        help="default: that of the optimizer, 0.001 for adam",
    )
    training.add_argument(
        "--epochs", type=epochs, default=500, metavar="N", help="most epochs to train; default: %(default)s"
    )
    training.add_argument(
        "--batch-size",
        type=positive,
        metavar="N",
        help="rows per step; default: 32, or all for optimizers that need them",
    )
    training.add_argument(
        "--validation",
        type=number(at_least=0, below=1),
        default=0.2,
        metavar="SHARE",
        help="share of the rows to hold out, of each class; 0 for none; default: %(default)s",
    )
    training.add_argument(
        "--patience",
        type=whole(0),
        metavar="N",
        help="stop after N epochs without a lower loss of the rows held out, and keep the best epoch; 0 "
        "trains all epochs; default: 30",
    )
    training.add_argument(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="seed of the initial weights, the rows held out and the order of the others: the same seed "
        "gives the same weights; default: %(default)s",
    )
    training.add_argument("--threads", type=threads, metavar="N", help="threads to use; default: all CPUs")


def activation(name: str) -> str:
    """Return the name of an activation, checked."""
    return known(name, fastbp.activations.ACTIVATIONS)


def optimizer(name: str) -> str:
    """Return the name of an optimizer, checked."""
    from fastbp.cli.learning import OPTIMIZERS

    return known(name, OPTIMIZERS)


def known(name: str, all_names: Any) -> str:
    """Return a name that is among these."""
    if name not in all_names:
        raise ArgumentTypeError(f"it is {name!r:.60}, expected one of {', '.join(all_names)}")
    return name


def run(options: Namespace) -> None:
    """Train, write the model file, and print the result."""
    from fastbp import io
    from fastbp.cli import curve, learning, report

    plot = check(options)
    for written in (options.output, plot):
        check_is_file(written)
    is_quiet = options.quiet or options.json
    columns = io.read_columns(options.data)
    table = io.Table.learn(
        columns,
        target=options.target,
        task=options.task,
        categorical=options.categorical,
        drop=options.drop,
        impute=options.impute,
    )
    rows = learning.split(table.inputs(columns), table.answers(columns), options.validation, options.seed)
    net = learning.make_network(options, table, rows)
    if not is_quiet:
        print(report.heading(columns, table, rows), net.summary(), sep="\n\n", end="\n\n", flush=True)
    with fastbp.threads(options.threads) if options.threads else nullcontext():
        learning.fit(net, table, rows, options, verbose=0 if is_quiet else "auto")
        result = learning.judge(net, rows, table)
    io.save(str(options.output), net, table)
    if plot is not None:
        title = f"{text.plain(Path(options.data).name)}: {text.listed([*map(text.plain, table.targets)])}"
        curve.draw(plot, title, result)
    if options.json:
        text.show_json(report.summary(options, rows, result, plot))
    elif not options.quiet:
        print(report.conclusion(options, result, plot))


def check(options: Namespace) -> Path | None:
    """Refuse options that do not go together; return where to draw the learning curve, None for nowhere."""
    from fastbp.cli import curve

    check_differs(options.output, options.data)
    if options.patience and not options.validation:
        raise fastbp.ParameterError(
            f"--patience is {options.patience} with --validation 0, expected rows held out, or --patience 0"
        )
    if options.no_plot:
        return None
    if options.plot is not None:
        curve.check()
        check_differs(options.plot, options.data, options.output)
        return Path(options.plot)
    if options.quiet or options.json or not curve.can_draw():
        return None
    curve.check()
    model = Path(options.output)
    return model.with_name(f"{model.stem}-curve.png")
