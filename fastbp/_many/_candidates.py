"""The networks of a cross-validation: one per fold and seed, all of them comparable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from fastbp._base.arguments import entries, integer
from fastbp._base.shown import shown
from fastbp.exceptions import ParameterError
from fastbp.losses import CustomLoss
from fastbp.network import Network

MakeNetwork: TypeAlias = Callable[[int], Network]

MOST_SEEDS = 100_000


def seeds_of(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds that an argument `seeds` means: 0 to n - 1 for a number n, or those it lists."""
    given = entries(seeds, MOST_SEEDS)
    if given is None:
        try:
            return tuple(range(integer("seeds", seeds, at_least=1, below=MOST_SEEDS + 1)))
        except ParameterError as error:
            raise ParameterError(f"{error}, or a list of seeds") from None
    listed = tuple(integer(f"seeds[{i}]", seed, at_least=0, below=2**64) for i, seed in enumerate(given))
    if not 0 < len(listed) <= MOST_SEEDS or len(set(listed)) < len(listed):
        raise ParameterError(f"seeds is {shown(listed)}, expected 1 to {MOST_SEEDS} different seeds")
    return listed


def first_network(make_network: MakeNetwork, seed: int) -> Network:
    """Return the network of the first fold and seed, with which the others are compared."""
    if not callable(make_network):
        raise ParameterError(
            f"make_network is {shown(make_network)}, expected a function that takes a seed and returns a "
            "Network"
        )
    return _made(make_network, seed)


def all_networks(
    first: Network, make_network: MakeNetwork, seeds: Sequence[int], n_folds: int
) -> list[list[Network]]:
    """Return one network per fold and seed, by fold, of which there is the first already.

    Raises
    ------
    ParameterError
        The function returns something else, the same network twice, or one whose scores cannot be compared.
    """
    networks, known, expected = [first], {id(first)}, _traits(first)
    for seed in ([*seeds] * n_folds)[1:]:
        net = _made(make_network, seed)
        if id(net) in known:
            raise ParameterError(
                f"make_network({seed}) returned a network that it had returned before, expected a new one"
            )
        for (name, found), trait in zip(_traits(net).items(), expected.values(), strict=True):
            if found != trait:
                raise ParameterError(
                    f"make_network({seed}) returned a network with the {name} {found}, expected {trait} as "
                    "the first network has: their scores are compared"
                )
        known.add(id(net))
        networks.append(net)
    return [networks[i : i + len(seeds)] for i in range(0, len(networks), len(seeds))]


def _made(make_network: MakeNetwork, seed: int) -> Network:
    net = make_network(seed)
    if not isinstance(net, Network):
        raise ParameterError(
            f"make_network({seed}) returned a {type(net).__name__}, expected a fastbp.Network"
        )
    return net


def _traits(net: Network) -> dict[str, Any]:
    """Return what the networks of a cross-validation have in common."""
    loss, layers = net.loss, net.layers
    return {
        "loss": str(loss) if isinstance(loss, CustomLoss) else loss,  # whose function may be made anew
        "number of inputs": layers[0].n_in,
        "number of outputs": layers[-1].n_out,
        "feature_names": net.feature_names,
    }
