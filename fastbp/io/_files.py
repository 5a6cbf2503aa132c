"""Model files with the table of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastbp._base.arguments import flag
from fastbp._model_file import callables, contents
from fastbp.exceptions import DataError, ModelFileError, ParameterError
from fastbp.io._unseen import check_network
from fastbp.io.table import Table
from fastbp.network import Network


def save(path: str | os.PathLike[str], net: Network, table: Table, inference: bool = False) -> None:
    """Write a network with its table to a model file, which `fastbp.load` reads, too.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in an existing folder; an old one is replaced.
    net : Network
        A network whose inputs are the feature names of the table, and whose outputs its classes or targets.
    table : Table
    inference : bool
        Whether to leave out what only training needs, as in `Network.save`.

    Raises
    ------
    ParameterError
        An argument is not as above.
    OSError
        The file cannot be written; an old one is still the same.
    BusyError
        Another thread is changing the network.
    """
    check_network(net, table)
    model, inference = net._model, flag("inference", inference)
    write = partial(contents.write, path, model, inference=inference, extra={"table": table.describe()})
    model.guard.reading(write)


def load(
    path: str | os.PathLike[str], *, custom: Mapping[str, Any] | None = None
) -> tuple[Network, Table | None]:
    """Return the network in a model file, and its table; None if the file has none.

    Parameters
    ----------
    path : str or os.PathLike
    custom : mapping of str to objects, optional
        Your functions and objects by the names in the file, as in `Network.load`.

    Raises
    ------
    ModelFileError
        The file is damaged, is not a model file, or comes from a later version.
    ParameterError
        `custom` lacks something; the message names it.
    OSError
        The file cannot be read.
    """
    saved = contents.read(callables.Given(custom, path), Network._engine_class)
    net = object.__new__(Network)
    net._model = saved.model
    described = saved.extra.get("table")
    if described is None:
        return net, None
    try:
        table = Table.described(described)
        check_network(net, table)
    except (DataError, ParameterError) as error:
        raise ModelFileError(f"{path} contains no valid table: {error}") from error
    return net, table
