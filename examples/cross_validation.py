"""How good is a network, and is another one better? Cross-validation on handwritten digits.

One test set and one seed give one number, and nobody knows how much of it is luck. Here every kind of network
is trained once per fold of the data and seed, and measured on the digits that it was not trained on. All
networks of a kind are trained at once, over all cores. The second kind is measured on the same folds as the
first, so their scores can be compared fit by fit.

The program compares a linear network with networks of one hidden layer.

Run it: ``python examples/cross_validation.py``.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fastbp
from fastbp.datasets import load_digits

KINDS = {"linear": [64, 10], "8 units": [64, 8, 10], "32 units": [64, 32, 10], "128 units": [64, 128, 10]}
FOLDS, SEEDS, EPOCHS = 5, 3, 15


def maker(layers: list[int]) -> Callable[[int], fastbp.Network]:
    """Return a function that makes a network of this kind from a seed."""
    return lambda seed: fastbp.Network(layers, loss="cross_entropy", optimizer=fastbp.Adam(0.003), seed=seed)


def measure(folds: int, seeds: int, epochs: int) -> dict[str, fastbp.CrossValidation]:
    """Return the cross-validation of each kind, all on the same folds."""
    X, y = load_digits()
    results: dict[str, fastbp.CrossValidation] = {}
    same: int | Sequence[tuple[Any, Any]] = folds
    for kind, layers in KINDS.items():
        # adapt: the scaling of the inputs is measured on the rows to train on alone
        results[kind] = fastbp.cross_validate(
            maker(layers), X, y, folds=same, seeds=seeds, epochs=epochs, adapt=True, metrics="accuracy"
        )
        same = results[kind].folds
    return results


def better(result: fastbp.CrossValidation, other: fastbp.CrossValidation) -> int:
    """Return in how many fits the first kind is more accurate than the other with the same fold and seed."""
    return int(np.count_nonzero(result["accuracy"] > other["accuracy"]))


def report(results: dict[str, fastbp.CrossValidation]) -> None:
    """Print a table: a row per kind."""
    print("accuracy on digits not trained on, in %")
    print(f"{'':10} mean  std. error  over folds  over seeds  better than the row above")
    above = None
    for kind, result in results.items():
        measures = result.mean, result.standard_error, result.std_over_folds, result.std_over_seeds
        mean, error, by_fold, by_seed = (100 * measure["accuracy"] for measure in measures)
        fits = "" if above is None else f"{better(result, above)} of {result['accuracy'].size} fits"
        print(f"{kind:10} {mean:.1f}  {error:10.2f}  {by_fold:10.2f}  {by_seed:10.2f}  {fits}".rstrip())
        above = result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Compare networks on handwritten digits by cross-validation."
    )
    for name, default, least in (("folds", FOLDS, 2), ("seeds", SEEDS, 1), ("epochs", EPOCHS, 1)):
        text = f"number of {name}, at least {least}; default: %(default)s"
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=text)
    options = parser.parse_args(arguments)
    try:
        report(measure(options.folds, options.seeds, options.epochs))
    except fastbp.Error as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
