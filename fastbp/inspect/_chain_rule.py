"""`chain_rule`: the factors behind the derivative of the loss by one weight."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base import arguments, markup
from fastbp._base.sparse import Inputs
from fastbp.exceptions import ParameterError, ShapeError
from fastbp.inspect._formulas import HTML, LATEX, TEXT, Notation, Quantity, Step
from fastbp.inspect._names import Place, place_name
from fastbp.inspect._one_sample import OneSample
from fastbp.inspect._probe import Probe, quietly
from fastbp.inspect._tables import aligned
from fastbp.network import Network

LIMIT = 8  # terms of a sum, and units of a layer, that are written out


class Factor(NamedTuple):
    """A factor of a derivative.

    Parameters
    ----------
    name : str
        Such as "dz6/dy4": how much z of unit 6 changes with the output of unit 4.
    value : float
    meaning : str
        What it is in the network, such as "weight w46".
    """

    name: str
    value: float
    meaning: str


class ChainRule:
    """The derivative of the loss of one sample by one weight, from `chain_rule`.

    Attributes
    ----------
    name : str
        The weight, such as "w14", or the bias, such as "b6".
    layer, i, j : int
        Its place, as given; i is None for a bias.
    value : float
        The derivative dJ/dw: the product of the factors.
    factors : tuple of Factor
        From the loss to the weight. Where more than one path leads from a unit to the loss, the first factor
        is the sum over all of them.
    """

    __slots__ = ("_quantities", "_source", "_steps", "factors", "i", "j", "layer", "name", "value")

    def __init__(self, name: str, place: Place, sample: OneSample, limit: int) -> None:
        self.name, self.layer, self.i, self.j = name, place.layer + 1, place.i, place.j
        links = sample.links(place)
        self._quantities: tuple[Quantity, ...] = tuple(link.quantity for link in links)
        self.factors = tuple(Factor(TEXT.quantity(link.quantity), link.value, link.meaning) for link in links)
        self._steps: tuple[Step, ...] = tuple(sample.steps(place, limit))
        self.value: float = self._steps[0].value
        self._source = sample.source(place)

    def _formulas(self, notation: Notation) -> list[str]:
        """Return the derivative as a product of the factors, and the recursion behind it."""
        known = list(zip(self._quantities, (factor.value for factor in self.factors), strict=True))
        return [
            notation.product(self._steps[0].left, known, self.value),
            *(notation.step(step) for step in self._steps),
        ]

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(factor.name, TEXT.number(factor.value), factor.meaning) for factor in self.factors]

    def _total(self) -> tuple[str, str, str]:
        return (f"dJ/d{self.name}", TEXT.number(self.value), "their product")

    def __str__(self) -> str:
        table = aligned([("factor", "value", "meaning"), *self._rows(), self._total()], left=(0, 2))
        return "\n".join([*table, "", *self._formulas(TEXT)])

    def __repr__(self) -> str:
        return str(self)

    def latex(self) -> str:
        r"""Return LaTeX, one formula per line, each between dollar signs.

        MathJax shows it, and so does Matplotlib: ``figure.text(0, 0, chain.latex())``.
        """
        formulas = self._formulas(LATEX)
        if self._source is not None:
            symbol, name = self._source
            formulas.append(f"{LATEX.symbol(symbol)}: {LATEX.words(name)}")
        return "\n".join(f"${formula}$" for formula in formulas)

    def html(self) -> str:
        """Return HTML: a table of the factors, then the formulas; notebooks show it."""
        table = markup.table(("factor", "value", "meaning"), self._rows(), self._total(), left=(0, 2))
        lines = (f'<div style="margin: 0.2em 0">{line}</div>' for line in self._formulas(HTML))
        return f"<div>{table}{''.join(lines)}</div>"

    def _repr_html_(self) -> str:
        return self.html()


@quietly
def chain_rule(
    net: Network,
    layer: int,
    i: int | Literal["bias"] | None,
    j: int,
    x: Inputs,
    y: Any,
    *,
    limit: int = LIMIT,
) -> ChainRule:
    """Return the factors behind dJ/dw for one weight and one sample, by the chain rule.

    With delta = dJ/dz of a unit, the derivative by the weight from unit i to unit j is ::

        dJ/dw_ij = y_i delta_j        delta_j = f'(z_j) sum_k w_jk delta_k        delta_j = f'(z_j) dJ/dh_j

    where delta_j is that of a hidden unit and then that of an output. If the loss is computed together with
    its activation, such as cross_entropy with softmax, it is (h_j - t_j) / divisor of an output (Rumelhart,
    Hinton and Williams, 1986). J is the loss of this sample alone, as of `Network.evaluate`, without dropout
    and noise.

    Parameters
    ----------
    net : Network
    layer : int, >= 1
        The layer of the weight, counted from 1 as in error messages.
    i : int, >= 0, or "bias" or None
        The row of the weight in W, which is the unit or input that it comes from; "bias" or None for b.
    j : int, >= 0
        Its column in W, the unit that it leads to.
    x : array_like, shape (n_in,) or (1, n_in)
        One sample, as for `evaluate`.
    y : array_like
        Its target: a class label, a number, or a row of targets.
    limit : int, >= 1
        Most terms of a sum that are written out, and most units per layer whose delta is: those that
        contribute most.

    Returns
    -------
    ChainRule
        Computed in float64 from the network's numbers. `print` shows it; `ChainRule.latex` and
        `ChainRule.html` write it for pages and pictures. Inputs, outputs and targets are in the network's
        scaling, see `Network.adapt`.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above.
    BusyError
        Another thread is changing the network.
    """
    probe = Probe(net, dtype=np.float64)
    place = _place(probe, layer, i, j)
    limit = arguments.integer("limit", limit, at_least=1)
    X, targets = _as_rows(x, y)
    examples = probe.examples(X, targets, name="x")
    if len(examples) != 1:
        raise ShapeError(f"x has {len(examples)} rows, expected one sample")
    sample = OneSample(probe, examples, net.feature_names)
    return ChainRule(place_name(probe.layers, place), place, sample, limit)


def _place(probe: Probe, layer: Any, i: Any, j: Any) -> Place:
    """Return the checked place of a parameter."""
    number = arguments.integer("layer", layer, at_least=1, below=len(probe.layers) + 1) - 1
    chosen = probe.layers[number]
    if i is None or (isinstance(i, str) and i == "bias"):
        if not chosen.bias:
            raise ParameterError(f"i is {i!r}, but layers[{number + 1}] has no bias, expected an integer")
        i = None
    else:
        i = arguments.integer("i", i, at_least=0, below=chosen.n_in)
    return Place(number, i, arguments.integer("j", j, at_least=0, below=chosen.n_out))


def _as_rows(x: Any, y: Any) -> tuple[Any, ArrayLike]:
    """Return one sample as arrays of one row."""
    if getattr(x, "ndim", None) == 2:
        return x, y
    rows: NDArray[Any] = np.asarray(x)
    return (rows[None], np.asarray(y)[None]) if rows.ndim == 1 else (x, y)
