"""The bundled data sets, and a random split that keeps the share of every class."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp._base.arguments import integer, number
from fastbp._base.arrays import base_array
from fastbp._base.philox import permutation
from fastbp.exceptions import DataError, DTypeError, ShapeError


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return 1797 handwritten digits and their labels.

    Returns
    -------
    X : uint8 array, shape (1797, 64)
        Images of 8x8 pixels, row by row; 0 is paper, 16 is ink.
    y : int64 array, shape (1797,)
        The digit on each image, 0 to 9.

    Notes
    -----
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (1998), UCI Machine Learning
    Repository, https://doi.org/10.24432/C50P49, CC BY 4.0.
    """
    with files("fastbp.datasets").joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["images"], arrays["labels"].astype(np.int64)


def penguins_path() -> Path:
    """Return the path of a CSV file with 344 penguins of three species, for `fastbp.io.read_columns`.

    Its columns are species (Adelie, Chinstrap, Gentoo), island (Biscoe, Dream, Torgersen), bill_length_mm,
    bill_depth_mm, flipper_length_mm, body_mass_g, sex (female, male) and year (2007 to 2009). A missing value
    is NA: two rows have no measurements, and these and nine others have no sex.

    Notes
    -----
    Source: A. M. Horst, A. P. Hill and K. B. Gorman, palmerpenguins: Palmer Archipelago (Antarctica) penguin
    data (2020), https://doi.org/10.5281/zenodo.3960218, CC0; collected by K. B. Gorman and the Palmer
    Station, Antarctica LTER.
    """
    return Path(str(files("fastbp.datasets").joinpath("penguins.csv")))


def stratified_split(
    X: ArrayLike, y: ArrayLike, *, test_fraction: float = 0.2, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Split rows at random so that every class has the same share in both parts.

    Parameters
    ----------
    X : array, shape (n, ...)
    y : array, shape (n,)
        The class of each row: integers, bool, text or whole floats, at least two rows of each class.
    test_fraction : float
        Each class gives this share of its rows, rounded, to the test part, and at least one row to each part;
        0 < test_fraction < 1.
    seed : int, >= 0 and < 2**64
        The same seed gives the same split.

    Returns
    -------
    X_train, X_test, y_train, y_test : arrays
        Copies, the rows of both parts in random order.

    Raises
    ------
    ParameterError
        If `test_fraction` is not between 0 and 1.
    ShapeError
        If `y` is not one class per row of `X`.
    DTypeError, DataError
        If an array is masked or sparse, `y` holds measurements instead of classes, or a class has only one
        row.
    """
    X, y = base_array("X", X), base_array("y", y)
    test_fraction = number("test_fraction", test_fraction, above=0, below=1)
    if y.ndim != 1 or len(y) == 0 or X.shape[:1] != y.shape:
        raise ShapeError(f"y has shape {y.shape}, expected one class per row of X {X.shape}")
    classes = _classes(y)
    order = permutation(integer("seed", seed, at_least=0, below=2**64), 0, len(y))
    in_test = np.zeros(len(y), dtype=bool)  # (n,), in the original order of the rows
    for label in classes:
        members = order[y[order] == label]
        in_test[members[: min(max(round(test_fraction * len(members)), 1), len(members) - 1)]] = True
    train, test = order[~in_test[order]], order[in_test[order]]
    return X[train], X[test], y[train], y[test]


def _classes(y: NDArray[Any]) -> NDArray[Any]:
    """Return the classes in y (n,); each must have at least two rows."""
    if y.dtype.kind in "fc":
        whole = np.isfinite(y) & (y == np.rint(y))
        if not whole.all():
            i = whole.argmin()
            raise DataError(f"y[{i}] is {y[i]}, expected a class: an integer, bool, text or a whole float")
    try:
        classes, rows = np.unique(y, return_counts=True)
    except TypeError as error:  # objects of several types
        raise DTypeError(f"y has dtype {y.dtype}, expected classes of one type: {error!s:.200}") from None
    if rows.min() < 2:
        label = f"{classes[rows.argmin()]!s:.40}"
        raise DataError(f"y has one row of the class {label}, expected at least two: one for each part")
    return classes
