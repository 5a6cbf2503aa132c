"""`fold_linear`: a stack of linear layers as the one layer that it is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import activations
from fastbp._architecture import Architecture
from fastbp._model import Model
from fastbp.exceptions import DataError
from fastbp.layers import Layer
from fastbp.network import Network, check_network

Array: TypeAlias = NDArray[Any]

IDENTITY = activations.get("identity")
# Options that layers must have in common, because the folded layer has each of them once.
SHARED = ("trainable", "learning_rate_factor", "l1", "l2", "divide_penalty")


class Group(NamedTuple):
    """Neighboring layers that become one: those with indices from `first` to before `end`."""

    first: int
    end: int


def fold_linear(net: Network) -> Network:
    """Return a network with the same outputs, in which each stack of linear layers is a single layer.

    Layers without an activation function (identity) have the derivative 1 everywhere: they pass on what they
    get, and two of them in a row are one linear layer. With y = (x W1 + b1) W2 + b2::

        W = W1 W2        b = b1 W2 + b2

    Adjacent layers become one if all of them but the last have the activation identity; the new layer has
    the last one's activation. The products are computed in float64 and rounded once, to the network's dtype.
    So the outputs are the same but for rounding. The new layer has a bias if one of the layers has.

    A narrow layer between wide ones, a bottleneck, needs fewer parameters than the product. Of all ways to
    fold a stack, the result has the fewest parameters; a UserWarning names the layers that therefore stay.

    Training the new network is another matter: its steps move W, not the factors. A layer also stays, with a
    UserWarning, where folding would change what training is about: a layer with dropout or `max_norm` and
    the one after it, and layers that differ in `trainable`, `learning_rate_factor`, `l1`, `l2` or
    `divide_penalty`. Equal options become those of the new layer, and penalties then apply to W.

    Parameters
    ----------
    net : Network
        It does not change.

    Returns
    -------
    Network
        Of the same class, with the same loss, dtype, seed, input noise, scaling, `feature_names`,
        `class_names`, and copies of the attributes of a subclass. As after `replace_output`, the optimizer is
        the one last set by the constructor or the attribute, and its state and the history start anew.
        If there is nothing to fold: a `clone`, with optimizer state and history.

    Raises
    ------
    ParameterError
        net is not a network.
    DataError
        Parameters of the network are finite, but a product overflows its dtype.
    BusyError
        Another thread is changing the network.
    """
    check_network(net)
    model = net._model
    layers = model.architecture.layers
    groups: list[Group] = []
    for run in _runs(layers):
        groups += _cheapest(layers, run)
    for reason in _reasons(layers, groups):
        warnings.warn(f"fold_linear keeps {reason}", UserWarning, stacklevel=2)
    if len(groups) == len(layers):
        return net.clone()
    made: Model = model.guard.reading(_folded, model, groups)
    return net._around(made)


# ---- which layers ------------------------------------------------------------------------------------------


def _obstacle(layer: Layer, after: Layer) -> str:
    """Return why two layers, of which the first is linear, are not folded; "" if they can be."""
    if layer.dropout:
        return f"its dropout={layer.dropout:g} drops units that folding would remove"
    for option in SHARED:
        own, other = getattr(layer, option), getattr(after, option)
        if own != other:
            return f"they have {option}={own} and {option}={other}"
    for bounded in (layer, after):
        if bounded.max_norm is not None:
            return f"max_norm={bounded.max_norm:g} bounds the weights of one of them, not the product"
    return ""


def _is_linear(layer: Layer) -> bool:
    return layer.activation == IDENTITY


def _runs(layers: Sequence[Layer]) -> list[Group]:
    """Return the longest groups of layers that can become one; each layer is in one of them."""
    runs, first = [], 0
    for i, layer in enumerate(layers, 1):
        if i == len(layers) or not _is_linear(layer) or _obstacle(layer, layers[i]):
            runs.append(Group(first, i))
            first = i
    return runs


def _size(layers: Sequence[Layer], group: Group) -> int:
    """Return the number of parameters of the layer that a group becomes."""
    members = layers[group.first : group.end]
    return (members[0].n_in + any(layer.bias for layer in members)) * members[-1].n_out


def _cheapest(layers: Sequence[Layer], run: Group) -> list[Group]:
    """Return the groups of a run with the fewest parameters, and of such the fewest layers.

    Dynamic programming: the best groups of the layers before `end` are those before some `first`, and one
    more group from there.
    """
    best: dict[int, tuple[int, int, list[Group]]] = {run.first: (0, 0, [])}  # by end: parameters, layers
    for end in range(run.first + 1, run.end + 1):
        candidates = []
        for first in range(run.first, end):
            parameters, number, groups = best[first]
            group = Group(first, end)
            candidates.append((parameters + _size(layers, group), number + 1, [*groups, group]))
        best[end] = min(candidates)
    return best[run.end][2]


def _reasons(layers: Sequence[Layer], groups: Sequence[Group]) -> list[str]:
    """Return in words why neighboring groups, the first of which is linear, are not one."""
    found = []
    for group, after in pairwise(groups):
        last = layers[group.end - 1]
        if not _is_linear(last):
            continue
        names = f"{_name(group)} and {_name(after)}"
        obstacle = _obstacle(last, layers[group.end])
        if obstacle:
            found.append(f"{names} apart: {obstacle}")
            continue
        apart = _size(layers, group) + _size(layers, after)
        whole = _size(layers, Group(group.first, after.end))
        found.append(
            f"{names} apart: between them is a bottleneck of {last.n_out} units; apart they have "
            f"{apart:,} parameters, as one layer they would have {whole:,}"
        )
    return found


def _name(group: Group) -> str:
    """Return the name of a group of layers, numbered from 1 as the entries of `layers` are."""
    first, last = group.first + 1, group.end
    return f"layers[{first}]" if first == last else f"layers[{first}] to layers[{last}] (as one)"


# ---- numbers -----------------------------------------------------------------------------------------------


def _folded(model: Model, groups: Sequence[Group]) -> Model:
    """Return a model with one layer for each group."""
    architecture = model.architecture
    layers = tuple(_merged(architecture.layers[group.first : group.end]) for group in groups)
    names = tuple(architecture.initializers[group.end - 1] for group in groups)
    changed: Architecture = architecture.__replace__(layers=layers, initializers=names)
    new = Model(changed, model.chosen, model.seed, model.engine_class)
    old = architecture.split(model.engine.parameters)
    for group, (W, b) in zip(groups, changed.split(new.engine.parameters), strict=True):
        if group.end == group.first + 1:
            W[:], b[:] = old[group.first]
        else:
            _write_product(old[group.first : group.end], W, b, _name(group))
    new.scale(model.scaling, model.target_scaling)
    new.feature_names, new.class_names = model.feature_names, model.class_names
    return new


def _merged(members: Sequence[Layer]) -> Layer:
    """Return the layer that a group becomes, which has the options of the last one."""
    return members[-1]._replace(n_in=members[0].n_in, bias=any(layer.bias for layer in members))


@np.errstate(all="ignore")  # overflow is looked for below
def _write_product(parts: Sequence[tuple[Array, Array]], W: Array, b: Array, name: str) -> None:
    """Write the product of some layers, each W (n_in, n_out) and b, (n_out,) or (0,), to W and b of one."""
    product = parts[0][0].astype(np.float64)
    shift = np.zeros(product.shape[1])
    for i, (weights, bias) in enumerate(parts):
        if i:
            product, shift = product @ weights.astype(np.float64), shift @ weights.astype(np.float64)
        if bias.size:
            shift = shift + bias
    W[:] = product
    if b.size:
        b[:] = shift
    was_finite = all(np.isfinite(part).all() for pair in parts for part in pair)
    if was_finite and not (np.isfinite(W).all() and np.isfinite(b).all()):
        raise DataError(f"the product of {name} overflows {W.dtype}: expected smaller weights, or float64")
