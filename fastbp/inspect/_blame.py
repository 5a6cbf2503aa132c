"""`blame`: how the error is shared out among the units, the connections and the rows."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments, markup
from fastbp._base.arrays import read_only
from fastbp._base.sparse import Inputs
from fastbp.inspect._names import input_names, parameter_name, parameter_place, unit_names
from fastbp.inspect._probe import Probe, quietly
from fastbp.inspect._tables import aligned, largest, percent
from fastbp.layers import Layer, split
from fastbp.network import Network

Array: TypeAlias = NDArray[np.float64]

SHOWN = 10  # entries of each list in the text
UNITS = ("unit", "layer", "activation", "share of the layer", "sum |dJ/dz|", "sum dJ/dz")
CONNECTIONS = ("parameter", "layer", "from", "to", "share of all", "dJ/dw")


class UnitShare(NamedTuple):
    """A unit's share of the error.

    Parameters
    ----------
    name : str
        The number of the unit through all layers, inputs first, from 1.
    layer : int
        The layer from 1, as in error messages.
    j : int
        The unit in its layer, from 0.
    share : float
        The unit's part of the sum of |dJ/dz| over all rows and all units of its layer.
    error : float
        Sum of |dJ/dz| over the rows.
    signed : float
        Sum of dJ/dz over the rows: dJ/db.
    """

    name: str
    layer: int
    j: int
    share: float
    error: float
    signed: float


class ConnectionShare(NamedTuple):
    """A weight's or bias's share of the gradient.

    Parameters
    ----------
    name : str
        Such as "w14", the weight from unit 1 to unit 4, or "b6".
    layer : int
        The layer from 1, as in error messages.
    i, j : int
        The place in W; i is None for a bias. `chain_rule` takes layer, i and j.
    source : str
        The unit that the connection comes from: its number, the name of an input, or "bias".
    target : str
        The number of the unit that it leads to.
    share : float
        |dJ/dw| over the sum of all |dJ/dw|.
    gradient : float
        dJ/dw, summed over the rows.
    """

    name: str
    layer: int
    i: int | None
    j: int
    source: str
    target: str
    share: float
    gradient: float


class Blame:
    """Shares of the error, from `blame`. A share of nothing, where all derivatives are 0, is 0.

    Attributes
    ----------
    unit_shares : tuple of arrays (units,)
        Share of each unit in its layer's sum of |dJ/dz| over all rows; the shares of a layer sum to 1.
    unit_errors, unit_signed : tuple of arrays (units,)
        Sums over the rows of |dJ/dz|, and of dJ/dz, which is dJ/db.
    weight_shares : tuple of arrays (n_in, n_out)
        Share of each weight in the sum of |dJ/dw| over all weights and biases of the network.
    bias_shares : tuple of arrays (n_out,), or (0,) for a layer without bias
        Likewise of each bias. All weight and bias shares together sum to 1.
    layer_shares : array (layers,)
        Sum of the weight and bias shares of each layer.
    row_shares : array (n,)
        Share of each row in the sum of |dJ/dz| over all rows and all units of the output layer.
    gradient : array (P,)
        dJ/dw, in the order of `net.parameters`.
    """

    __slots__ = (
        "_features",
        "_layers",
        "_shares",
        "bias_shares",
        "gradient",
        "layer_shares",
        "row_shares",
        "unit_errors",
        "unit_shares",
        "unit_signed",
        "weight_shares",
    )

    def __init__(
        self,
        layers: tuple[Layer, ...],
        features: tuple[str, ...],
        errors: list[Array],
        signed: list[Array],
        rows: Array,
        gradient: Array,
    ) -> None:
        self._layers, self._features = layers, features
        self.unit_errors, self.unit_signed = tuple(map(read_only, errors)), tuple(map(read_only, signed))
        self.unit_shares = tuple(read_only(_shares(error)) for error in errors)
        self.row_shares, self.gradient = read_only(_shares(rows)), read_only(gradient)
        self._shares = _shares(np.abs(gradient))
        parts = split(read_only(self._shares), layers)
        self.weight_shares, self.bias_shares = tuple(W for W, _ in parts), tuple(b for _, b in parts)
        self.layer_shares = read_only(np.array([W.sum() + b.sum() for W, b in parts]))

    def units(self, limit: int | None = None) -> tuple[UnitShare, ...]:
        """Return the units of all layers, those with the largest shares first; at most `limit` of them."""
        shares = np.concatenate(self.unit_shares)
        starts = np.cumsum([0, *(layer.n_out for layer in self._layers)])
        names = unit_names(self._layers)[1:]
        found = []
        for place in _order(shares, limit):
            at = int(np.searchsorted(starts, place, "right")) - 1
            j = int(place - starts[at])
            numbers = (part[at][j] for part in (self.unit_shares, self.unit_errors, self.unit_signed))
            found.append(UnitShare(names[at][j], at + 1, j, *map(float, numbers)))
        return tuple(found)

    def connections(self, limit: int | None = None) -> tuple[ConnectionShare, ...]:
        """Return weights and biases, those with the largest shares first; at most `limit` of them."""
        names = unit_names(self._layers, self._features)
        found = []
        for index in map(int, _order(self._shares, limit)):
            layer, i, j = parameter_place(self._layers, index)
            source, target = "bias" if i is None else names[layer][i], names[layer + 1][j]
            numbers = float(self._shares[index]), float(self.gradient[index])
            name = parameter_name(self._layers, index)
            found.append(ConnectionShare(name, layer + 1, i, j, source, target, *numbers))
        return tuple(found)

    def _tables(self) -> list[tuple[str, tuple[str, ...], list[list[str]], tuple[int, ...]]]:
        """Return title, head, rows and columns of text of the two lists."""
        units, connections = self.units(SHOWN), self.connections(SHOWN)
        n_units = sum(layer.n_out for layer in self._layers)
        f = [str(layer.activation) for layer in self._layers]
        unit_rows = [
            [u.name, f"{u.layer}", f[u.layer - 1], percent(u.share), f"{u.error:.4g}", f"{u.signed:.4g}"]
            for u in units
        ]
        rows = [
            [c.name, f"{c.layer}", c.source, c.target, percent(c.share), f"{c.gradient:.4g}"]
            for c in connections
        ]
        of_units = f"shares of the error: {largest('units', len(units), n_units)}"
        of_weights = f"shares of the gradient: {largest('parameters', len(rows), self.gradient.size)}"
        return [(of_units, UNITS, unit_rows, (0, 2)), (of_weights, CONNECTIONS, rows, (0, 2, 3))]

    def __str__(self) -> str:
        parts = [
            "\n".join([title, "", *aligned([head, *rows], left=left)])
            for title, head, rows, left in self._tables()
        ]
        shares = (f"layer {i} {percent(share)}" for i, share in enumerate(self.layer_shares, 1))
        return "\n\n".join([*parts, f"by layer: {', '.join(shares)}"])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "".join(
            markup.paragraph(title) + markup.table(head, rows, left=left)
            for title, head, rows, left in self._tables()
        )


@quietly
def blame(net: Network, X: Inputs, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Blame:
    """Return how the error is shared out: each unit's, each connection's and each row's share.

    With delta = dJ/dz of a unit for a row, and J the loss of all rows as of `Network.evaluate`, without
    dropout and noise:

    - the share of unit j in its layer is sum_rows |delta_j| / sum_units sum_rows |delta|,
    - the share of a weight or bias w is |dJ/dw| / sum |dJ/dw|, over all of the network,
    - the share of a row is sum_outputs |delta| / sum_rows sum_outputs |delta|, in the output layer.

    A unit whose slope f'(z) is 0 for all rows has the share 0: whatever it did, it gets no blame and learns
    nothing. Derivatives of rows with opposite signs cancel out in dJ/dw, but not in the shares of units.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.

    Returns
    -------
    Blame
        ``print(blame)`` shows the largest shares; `Blame.units` and `Blame.connections` list them all.
        Parameters of frozen layers count like any other.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as for `evaluate`.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net)
    examples = probe.examples(X, y, sample_weight)
    divisor = probe.divisor(examples.weight)
    gradient = np.zeros_like(probe.parameters)
    errors = [np.zeros(layer.n_out) for layer in probe.layers]
    signed = [np.zeros(layer.n_out) for layer in probe.layers]
    rows = np.zeros(len(examples))
    for block in probe.blocks(examples):
        tape, deltas = probe.deltas(block, divisor)
        probe.passes.add_gradients(tape, deltas, gradient)
        for error, total, delta in zip(errors, signed, deltas, strict=True):
            error += np.abs(delta).sum(axis=0, dtype=np.float64)
            total += delta.sum(axis=0, dtype=np.float64)
        rows[block.rows] = np.abs(deltas[-1]).sum(axis=1, dtype=np.float64)
    features = input_names(probe.layers, net.feature_names)
    return Blame(probe.layers, features, errors, signed, rows, gradient.astype(np.float64))


def _shares(sizes: Array) -> Array:
    """Return numbers >= 0 divided by their sum; 0 if all are 0, NaN if one is not finite."""
    largest = sizes.max(initial=0)
    if largest == 0:
        return np.zeros_like(sizes)
    with np.errstate(invalid="ignore"):
        shares: Array = sizes / largest  # whose sum cannot overflow
        shares /= shares.sum()
    return shares if np.isfinite(largest) else np.full_like(sizes, np.nan)


def _order(shares: Array, limit: int | None) -> NDArray[np.intp]:
    """Return the indices of the largest shares, in falling order; NaN comes last."""
    n = shares.size if limit is None else arguments.integer("limit", limit, at_least=0)
    return np.argsort(-shares, kind="stable")[:n]
