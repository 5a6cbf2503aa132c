"""What `fastbp train` prints: the data, the result, and both as JSON."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import io
from fastbp._base.shown import counted
from fastbp.cli import scores, text
from fastbp.cli.learning import Result, Rows
from fastbp.io._columns import is_missing


def heading(columns: io.Columns, table: io.Table, rows: Rows) -> str:
    """Return what was read, as text."""
    size = f"{counted(columns.n_rows, 'row')}, {counted(len(columns), 'column')}"
    lines = [
        f"{text.path(columns.path)}: {size}",
        f"inputs: {text.inputs(table.columns)}",
        f"target: {text.listed([*map(text.plain, table.targets)])}",
    ]
    if table.classes is not None:
        counts = class_counts(table.classes, rows)
        lines.append(f"classes: {text.listed([f'{text.plain(name)} ({n:,})' for name, n in counts.items()])}")
    missing = imputed(columns, table)
    if missing:
        lines.append(
            f"imputed: {text.listed([f'{text.plain(name)} ({n:,})' for name, n in missing.items()])}"
        )
    lines.append(f"rows: {len(rows.y):,} to train on, {n_held_out(rows):,} held out")
    return "\n".join(lines)


def class_counts(classes: tuple[str, ...], rows: Rows) -> dict[str, int]:
    """Return the number of rows of each class."""
    labels = [rows.y, *([rows.held_out[1]] if rows.held_out else [])]
    counts = np.bincount(np.concatenate(labels), minlength=len(classes))
    return dict(zip(classes, counts.tolist(), strict=True))


def imputed(columns: io.Columns, table: io.Table) -> dict[str, int]:
    """Return the number of missing values of each input that has some."""
    missing = {column.name: int(is_missing(columns[column.name]).sum()) for column in table.columns}
    return {name: n for name, n in missing.items() if n}


def n_held_out(rows: Rows) -> int:
    """Return the number of rows held out."""
    return len(rows.held_out[1]) if rows.held_out else 0


def conclusion(options: Namespace, result: Result, plot: Path | None) -> str:
    """Return how good the network is, where it is, and what to do with it, as text."""
    net = result.net
    kept = "" if result.best is None or options.patience == 0 else f"; kept the best, epoch {result.best}"
    answer = "the mean" if result.table.classes is None else "the shares of the classes"
    where = "held out" if "validation" in result.scores else "trained on"
    model = str(options.output)
    lines = [
        "",
        f"{counted(len(net.history), 'epoch')} in {net.history.total_seconds:.2g} s{kept}",
        "",
        scores.show(result.scores, net),
        f"(baseline: {answer} as the prediction for every row {where})",
        "",
        f"model: {Path(model).resolve()}",
        *([] if plot is None else [f"picture: {plot.resolve()}"]),
        f"next: {shlex.join(['fastbp', 'predict', model, 'new.csv', '--output', 'predictions.csv'])}",
    ]
    return "\n".join(lines)


def summary(options: Namespace, rows: Rows, result: Result, plot: Path | None) -> dict[str, Any]:
    """Return the object that --json prints."""
    net, table = result.net, result.table
    return {
        "model": str(options.output),
        "data": options.data,
        "training_rows": len(rows.y),
        "validation_rows": n_held_out(rows),
        "target": table.targets,
        "classes": None if table.classes is None else class_counts(table.classes, rows),
        "inputs": net.feature_names,
        "hidden": options.hidden,
        "parameters": net.n_parameters,
        "seed": options.seed,
        "epochs": len(net.history),
        "best_epoch": result.best,
        "stopped": net.history.stopped,
        "seconds": net.history.total_seconds,
        "loss": net.loss.name,
        "scores": result.scores,
        "picture": None if plot is None else str(plot),
    }
