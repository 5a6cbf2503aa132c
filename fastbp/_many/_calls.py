"""`Call`: the arguments of one network's fit, from those of `fit_many`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os.path import realpath
from typing import Any, NamedTuple

from fastbp._base.arguments import integer
from fastbp._base.shown import counted, shown
from fastbp._many._rows import Source, index_of
from fastbp.callbacks import Checkpoint, CSVLogger, TensorBoard
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.network import Network

#: How to pass one value for all networks where that could be a list.
INSTEAD = {
    "X": "an array",
    "y": "an array",
    "sample_weight": "an array",
    "callbacks": "a tuple of callbacks",
    "metrics": "a tuple of metrics",
    "validation_data": "a tuple (X, y)",
    "splits": "a tuple (train, validation)",
}


class Call(NamedTuple):
    """What to train one network on, and how; it can be pickled if its parts can.

    Attributes
    ----------
    X, y
        As for `Network.fit`.
    split : (train, validation), or None
        The rows to train on, and those to validate on or None; None: all rows are trained on.
    split_name : str
        Name of the split in errors.
    options : dict
        The other arguments of `Network.fit`.
    """

    X: Any
    y: Any
    split: tuple[Any, Any] | None
    split_name: str
    options: dict[str, Any]

    @property
    def epochs(self) -> int:
        """Number of epochs to train for; 0 if that is no such number."""
        try:
            return integer("epochs", self.options.get("epochs", 1), at_least=1, below=2**32)
        except ParameterError:
            return 0

    def arguments(self, n_in: int) -> dict[str, Any]:
        """Return the arguments of `Network.fit` for a network of n_in inputs; a split copies its rows.

        Raises
        ------
        ShapeError, DTypeError, DataError
            The split is no pair of row indices, or the data have no rows.
        """
        arguments = {"X": self.X, "y": self.y} | self.options
        if self.split is None:
            return arguments
        sample_weight = self.options.get("sample_weight")
        sources = [Source("X", self.X, n_in), Source("y", self.y)]
        if sample_weight is not None:
            sources.append(Source("sample_weight", sample_weight))
        n = sources[0].n_rows
        for source in sources[1:]:
            if source.n_rows != n:
                raise ShapeError(f"{source.argument} has {source.n_rows} rows, expected {n}, as many as X")
        train, validation = self.split
        index = index_of(f"{self.split_name}[0]", train, n)
        arguments |= {source.argument: source.take(index) for source in sources}
        if validation is not None:
            index = index_of(f"{self.split_name}[1]", validation, n)
            arguments["validation_data"] = tuple(source.take(index) for source in sources)
        return arguments


def per_network(
    networks: Sequence[Network], X: Any, y: Any, splits: Any, options: dict[str, Any]
) -> list[Call]:
    """Return the arguments of each network's fit; a list is one value per network, all else is shared.

    `options` are arguments of `Network.fit`, each a value or a list of one per network.

    Raises
    ------
    ParameterError
        A list has another length than `networks`, a split is no pair, comes without y or beside other
        validation data, or two networks would write to the same file.
    """
    n = len(networks)
    given = {"X": X, "y": y} | options
    values = {name: _one_each(name, value, n) for name, value in given.items()}
    pairs, split_names = _pairs(splits, n)
    rows = [{name: column[i] for name, column in values.items()} for i in range(n)]
    calls = [
        Call(row.pop("X"), row.pop("y"), pair, name, row)
        for row, pair, name in zip(rows, pairs, split_names, strict=True)
    ]
    for call in calls:
        _check_split(call)
    _check_files(calls)
    return calls


def _one_each(name: str, value: Any, n: int) -> list[Any]:
    """Return one value per network."""
    if not isinstance(value, list):
        return [value] * n
    if len(value) != n:
        raise ParameterError(
            f"{name} is a list of {len(value)} for {counted(n, 'network')}, expected one entry per network, "
            f"or {INSTEAD.get(name, 'a value')} for all of them"
        )
    return value


def _pairs(splits: Any, n: int) -> tuple[list[Any], list[str]]:
    """Return the split of each network, or None, and its name in errors."""
    if splits is None:
        return [None] * n, [""] * n
    if isinstance(splits, Iterable) and not isinstance(splits, (tuple, str)):
        splits = list(splits)  # for instance from KFold(5).split(X)
    pairs = _one_each("splits", splits, n)
    names = [f"splits[{i}]" if isinstance(splits, list) else "splits" for i in range(n)]
    for name, pair in zip(names, pairs, strict=True):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ParameterError(
                f"{name} is {shown(pair)}, expected a pair (train, validation) of row indices"
            )
    return [tuple(pair) for pair in pairs], names


def _check_split(call: Call) -> None:
    """Refuse a split of batches, and validation data beside those of the split."""
    if call.split is None:
        return
    if call.y is None:
        raise ParameterError(
            "splits without y, expected y, too: an iterable of batches has no rows to choose from"
        )
    for name in ("validation_data", "validation_split"):
        if call.split[1] is not None and call.options.get(name) is not None:
            raise ParameterError(
                f"{name} is {shown(call.options[name])} beside {call.split_name}, expected one of them, or "
                "splits of (train, None)"
            )


def _check_files(calls: Sequence[Call]) -> None:
    """Refuse callbacks that would write the files of several networks to one path."""
    paths: dict[str, int] = {}
    for i, call in enumerate(calls):
        callbacks = call.options.get("callbacks")
        listed = callbacks if isinstance(callbacks, (tuple, list)) else (callbacks,)
        for callback in listed:
            if not isinstance(callback, (Checkpoint, CSVLogger, TensorBoard)):
                continue
            path = callback.log_dir if isinstance(callback, TensorBoard) else callback.path
            first = paths.setdefault(realpath(path), i)
            if first != i:
                raise ParameterError(
                    f"callbacks has {shown(callback)} for networks {first} and {i}, expected another path "
                    "for each: callbacks is then a list of one entry per network"
                )
