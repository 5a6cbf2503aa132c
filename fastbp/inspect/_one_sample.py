"""Back-propagation of one sample, written out as formulas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp.inspect._formulas import TEXT, Quantity, Ratio, Step, Symbol, Term
from fastbp.inspect._names import Place, first_units, input_names
from fastbp.inspect._probe import Examples, Probe

Array: TypeAlias = NDArray[Any]

J = Symbol("J")


class Link(NamedTuple):
    """A factor of the chain from the loss to a weight."""

    quantity: Quantity
    value: float
    meaning: str


class OneSample:
    """The numbers of one forward and backward pass, with their names; layers count from 0."""

    def __init__(self, probe: Probe, examples: Examples, feature_names: Sequence[str] | None) -> None:
        (block,) = probe.blocks(examples)
        passes, output = probe.passes, probe.output
        self.layers, self.loss = probe.layers, probe.loss
        self.last = len(self.layers) - 1
        self.divisor = probe.divisor(examples.weight)
        self.is_joined, self.d_h = output.is_joined, None
        tape = passes.forward(block.x)
        if self.is_joined:
            delta = output.delta(tape, block, self.divisor)
            self.t = output.expected(block)[0]
            self.known = np.broadcast_to(output.weights(block)[0] != 0, self.t.shape)
        else:
            d_h = output.slopes(tape, block, self.divisor)
            delta, self.d_h = passes.chain(tape, self.last, d_h), d_h[0]
        self.deltas = [delta[0] for delta in passes.backward(tape, delta)]
        self.x, self.z = [x[0] for x in tape.x], [z[0] for z in tape.z]
        self.slopes = [slope[0] for slope in tape.slopes]
        self.weights = [W for W, _ in passes.weights]
        self._starts = first_units(self.layers)
        self._features, self._are_named = input_names(self.layers, feature_names), feature_names is not None

    # ---- names

    def unit(self, layer: int, j: int) -> int:
        """Return the number of unit j of a layer; of layer -1, of an input."""
        return self._starts[layer + 1] + j

    def output_of(self, layer: int, j: int) -> Symbol:
        """Return the symbol of the output of a unit: x of an input, h of an output, else y."""
        if layer == self.last:
            return Symbol("h", (self.unit(layer, j),) if self.layers[-1].n_out > 1 else ())
        return Symbol("x" if layer < 0 else "y", (self.unit(layer, j),))

    def at(self, letter: str, layer: int, j: int) -> Symbol:
        """Return a symbol of a unit."""
        return Symbol(letter, (self.unit(layer, j),))

    def parameter(self, place: Place) -> Symbol:
        """Return the symbol of a weight or bias."""
        target = self.unit(place.layer, place.j)
        if place.i is None:
            return Symbol("b", (target,))
        return Symbol("w", (self.unit(place.layer - 1, place.i), target))

    def source(self, place: Place) -> tuple[Symbol, str] | None:
        """Return symbol and name of the input that a weight comes from, if the user has named it."""
        if place.layer > 0 or place.i is None or not self._are_named:
            return None
        return self.output_of(-1, place.i), self._features[place.i]

    def _activation(self, layer: int) -> str:
        return str(self.layers[layer].activation)

    # ---- the chain as one product

    def links(self, place: Place) -> list[Link]:
        """Return the factors from the loss to a weight, as far as there is one path, in this order."""
        layer, j = place.layer, place.j
        found = [self._first_link(place)]
        while layer < self.last:
            z, y = self.at("z", layer, j), self.output_of(layer, j)
            found.append(self._slope_link(layer, j))
            following = self.layers[layer + 1].n_out
            if following > 1:
                value = float(self.weights[layer + 1][j] @ self.deltas[layer + 1])
                meaning = f"sum over the {following:,} units of layers[{layer + 2}]: weight times delta"
                return [Link(Ratio(J, y), value, meaning), *reversed(found)]
            w = self.parameter(Place(layer + 1, j, 0))
            z = self.at("z", layer + 1, 0)
            found.append(Link(Ratio(z, y), float(self.weights[layer + 1][j, 0]), f"weight {TEXT.symbol(w)}"))
            layer, j = layer + 1, 0
        return [*self._last_links(j), *reversed(found)]

    def _first_link(self, place: Place) -> Link:
        """Return the derivative of z by the weight: the output of the unit before it."""
        ratio = Ratio(self.at("z", place.layer, place.j), self.parameter(place))
        if place.i is None:
            return Link(ratio, 1.0, "a bias is added")
        name = TEXT.symbol(self.output_of(place.layer - 1, place.i))
        if place.layer == 0:
            feature = f" ({TEXT.words(self._features[place.i])})" if self._are_named else ""
            meaning = f"input {name}{feature}"
        else:
            meaning = f"output {name}, {self._activation(place.layer - 1)}"
        return Link(ratio, float(self.x[place.layer][place.i]), meaning)

    def _slope_link(self, layer: int, j: int) -> Link:
        z = self.at("z", layer, j)
        at = f"at {TEXT.symbol(z)} = {TEXT.number(float(self.z[layer][j]))}"
        meaning = f"derivative of {self._activation(layer)} {at}"
        return Link(Ratio(self.output_of(layer, j), z), float(self.slopes[layer][j]), meaning)

    def _last_links(self, j: int) -> list[Link]:
        """Return the factors between the loss and z of output j."""
        h, activation = self.output_of(self.last, j), self._activation(self.last)
        by_z = Ratio(J, self.at("z", self.last, j)), float(self.deltas[-1][j])
        if self.is_joined:
            over = f" over {self.divisor:g}" if self.divisor != 1 else ""
            shown = " - ".join(map(TEXT.symbol, (h, self._target(j))))
            return [Link(*by_z, f"{shown}{over}: {self.loss.name} together with {activation}")]
        if activation == "softmax":
            return [Link(*by_z, "all outputs of softmax change with it, and with them the loss")]
        assert self.d_h is not None
        name = TEXT.symbol(h)
        at = f"at {name} = {TEXT.number(float(self.x[-1][j]))}"
        meaning = f"derivative of the loss {self.loss.name} {at}"
        return [Link(Ratio(J, h), float(self.d_h[j]), meaning), self._slope_link(self.last, j)]

    def _target(self, j: int) -> Symbol:
        return Symbol("t", self.output_of(self.last, j).units)

    # ---- the recursion

    def steps(self, place: Place, limit: int) -> Iterator[Step]:
        """Yield dJ/dw, then delta of the units that it depends on, layer by layer to the outputs."""
        delta = (self.at("delta", place.layer, place.j), float(self.deltas[place.layer][place.j]))
        left, value = Ratio(J, self.parameter(place)), delta[1]
        factors: tuple[tuple[Quantity, float], ...] = (delta,)
        if place.i is not None:
            y = float(self.x[place.layer][place.i])
            factors, value = ((self.output_of(place.layer - 1, place.i), y), delta), y * value
        yield Step(left, value, factors)
        units = {place.j}
        for layer in range(place.layer, self.last):
            sizes: dict[int, float] = {}
            for j in sorted(units):
                terms = self.weights[layer + 1][j] * self.deltas[layer + 1]
                shown = _largest(np.abs(terms), limit)
                yield self._hidden_step(layer, j, terms, shown)
                for k in shown:
                    sizes[k] = max(sizes.get(k, 0.0), abs(float(terms[k])))
            units = set(sorted(sizes, key=sizes.__getitem__, reverse=True)[:limit])
        for j in sorted(units):
            yield self._output_step(j, limit)

    def _hidden_step(self, layer: int, j: int, terms: Array, shown: list[int]) -> Step:
        """Return delta_j = f'(z_j) sum_k w_jk delta_k."""
        W, deltas = self.weights[layer + 1], self.deltas[layer + 1]
        written = tuple(
            Term(
                (
                    (self.parameter(Place(layer + 1, j, k)), float(W[j, k])),
                    (self.at("delta", layer + 1, k), float(deltas[k])),
                )
            )
            for k in shown
        )
        return Step(
            self.at("delta", layer, j),
            float(self.deltas[layer][j]),
            ((self.at("f'", layer, j), float(self.slopes[layer][j])),),
            written,
            len(terms) - len(shown),
            float(np.delete(terms, shown).sum()),
        )

    def _output_step(self, j: int, limit: int) -> Step:
        """Return delta of an output."""
        left, value = self.at("delta", self.last, j), float(self.deltas[-1][j])
        h = self.output_of(self.last, j), float(self.x[-1][j])
        if self.is_joined:
            if not self.known[j]:  # nothing is known of the target
                return Step(left, value)
            terms = Term((h,)), Term(((self._target(j), float(self.t[j])),), True)
            return Step(left, value, (), terms, divisor=self.divisor)
        assert self.d_h is not None
        d_h = Ratio(J, h[0]), float(self.d_h[j])
        if self._activation(self.last) != "softmax":
            return Step(left, value, (d_h, (self.at("f'", self.last, j), float(self.slopes[-1][j]))))
        products = self.x[-1] * self.d_h
        shown = _largest(np.abs(products), limit)
        others = (
            Term(((h_k, float(self.x[-1][k])), (Ratio(J, h_k), float(self.d_h[k]))), True)
            for k in shown
            for h_k in [self.output_of(self.last, k)]
        )
        rest = -float(np.delete(products, shown).sum())
        return Step(left, value, (h,), (Term((d_h,)), *others), len(products) - len(shown), rest)


def _largest(sizes: Array, limit: int) -> list[int]:
    """Return the indices of the largest entries, at most `limit`, in their order."""
    found: list[int] = np.sort(np.argsort(-sizes, kind="stable")[:limit]).tolist()
    return found
