"""The command `fastbp info`: what is in a model file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastbp
from fastbp._base.shown import counted, memory
from fastbp.cli import text
from fastbp.cli.options import Commands, escaped

if TYPE_CHECKING:
    from fastbp import io

DESCRIPTION = """\
Show what is in a model file: the layers and how they are trained, the columns that the network reads and
predicts, and how its training went. No code in the file is run."""

EXAMPLES = """\
examples:
  fastbp info model.safetensors
  fastbp info model.safetensors --json"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    info = commands.add_parser(
        "info", help="show what is in a model file", description=DESCRIPTION, epilog=EXAMPLES
    )
    info.add_argument("model", metavar="MODEL", help="model file that fastbp train or Network.save wrote")
    info.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    info.set_defaults(run=run)


def run(options: Namespace) -> None:
    """Print what is in the file."""
    from fastbp import io

    net, table = io.load(options.model)
    size = Path(options.model).stat().st_size
    if options.json:
        text.show_json(summary(options.model, size, net, table))
        return
    print(f"{text.path(options.model)}: {memory(size)}\n\n{net.summary()}")
    for lines in (columns_of(net, table), training_of(net.history)):
        if lines:
            print("", *map(escaped, lines), sep="\n")  # names in a file may be anything


def columns_of(net: fastbp.Network, table: io.Table | None) -> list[str]:
    """Return what the network reads and predicts, as lines."""
    lines = []
    if table is not None:
        lines += [f"inputs: {text.inputs(table.columns)}"]
        lines += [f"target: {text.listed([*map(text.plain, table.targets)])}"]
    elif net.feature_names is not None:
        lines += [f"inputs: {text.listed([*map(text.plain, net.feature_names)])}"]
    if net.class_names is not None:
        lines += [f"classes: {text.listed([*map(text.plain, net.class_names)])}"]
    return lines


def training_of(history: fastbp.History) -> list[str]:
    """Return how the training went, as lines."""
    from fastbp.cli import scores

    if not len(history):
        return []
    best = scores.best_epoch(history)
    lines = [
        f"training: {counted(len(history), 'epoch')} in {history.total_seconds:.2g} s, "
        f"stopped: {history.stopped or 'not yet'}",
        f"last epoch: {history.describe(-1)}",
    ]
    return lines if best is None else [*lines, f"best epoch, {best:,}: {history.describe(best - 1)}"]


def summary(path: str, size: int, net: fastbp.Network, table: io.Table | None) -> dict[str, Any]:
    """Return the object that --json prints."""
    from fastbp.cli import scores

    history = net.history
    return {
        "model": path,
        "bytes": size,
        "layers": [
            {"inputs": layer.n_in, "units": layer.n_out, "activation": str(layer.activation)}
            for layer in net.layers
        ],
        "parameters": net.n_parameters,
        "dtype": str(net.dtype),
        "seed": net.seed,
        "loss": str(net.loss),
        "optimizer": str(net.optimizer),
        "inputs": net.feature_names,
        "classes": net.class_names,
        "table": None if table is None else table.describe(),
        "epochs": len(history),
        "best_epoch": scores.best_epoch(history),
        "stopped": history.stopped,
        "seconds": history.total_seconds,
        "last_epoch": history.row(-1) if len(history) else None,
    }
