"""Checks of user arrays, done before any state changes.

Each function returns what the engines take, or raises an error that names the argument, what was received
and what was expected. Arrays become base-class views that belong to the call, so nobody else can reshape
them; data are not copied. Large arrays are checked in blocks, and signals such as Ctrl-C are handled between
two blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._architecture import Architecture
from fastbp._base.arrays import as_array, base_array, names_of
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs, Rows, SparseRows, numbers_of
from fastbp.exceptions import DataError, DTypeError, ParameterError, ShapeError
from fastbp.losses._targets import PROBABILITY_TOLERANCE, OnePerOutput, Targets

Array: TypeAlias = NDArray[Any]

BLOCK = 1 << 20  # elements per block


# ---- arrays ------------------------------------------------------------------------------------------------


class InputChecks:
    """Checks of a network's arrays against the sizes, the loss and the dtype of its architecture.

    Attributes
    ----------
    feature_names : tuple of str, or None
        Names of the network's inputs. Frames with names are read in their order; all else goes by position.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.n_in, self.n_out = architecture.n_in, architecture.n_out
        self.n_targets, self.loss, self.dtype = architecture.n_targets, architecture.loss, architecture.dtype
        self.targets = self.loss.targets
        self._any_number = self.targets.any_number
        self.may_be_unknown = self.loss.ignore_nan or self.loss.ignored_label is not None  # a target
        self.defers_targets = self._any_number and not self.loss.takes_nan
        self._scalable = OnePerOutput() if self.targets.any_shape else self.targets
        self.feature_names: tuple[str, ...] | None = None

    def _plain(self, array: Inputs, columns: int) -> Array | None:
        """Return a view of a plain, finite array that is small enough for one native check, else None."""
        return _core.plain_and_finite(array, columns, self.dtype, BLOCK)

    def names_for(self, X: Any) -> tuple[str, ...] | None:
        """Return the names of the network's inputs; if it has none, those of X; None without any.

        X has names if it is a frame whose columns are as many as the inputs, and named by distinct strings.
        """
        if self.feature_names is not None or type(X) is np.ndarray:
            return self.feature_names
        names = names_of(X)
        return None if names is None or len(names) != self.n_in else names

    def examples(
        self,
        X: Any,
        y: ArrayLike,
        X_name: str = "X",
        y_name: str = "y",
        names: tuple[str, ...] | None = None,
        *,
        may_defer: bool = False,
    ) -> tuple[Rows, Array]:
        """Return X (n, n_in) and y, (n, n_targets) or class labels (n,): n >= 1, finite in dtype.

        `names` are those that the network is going to have, if it has none. With `may_defer`, numbers in
        memory-mapped files are not read, except targets of a loss that does not take any finite number.
        """
        # plain arrays first, whose check should cost small calls as little as possible
        plain = None if may_defer else _core.plain_and_finite(X, self.n_in, self.dtype, BLOCK)
        if plain is not None and self._any_number:
            plain_y = _core.plain_and_finite(y, self.n_targets, self.dtype, BLOCK)
            if plain_y is not None and len(plain_y) == len(plain):
                return plain, plain_y
        inputs = self.inputs(X_name, X, names, may_defer=may_defer) if plain is None else plain
        return inputs, self._targets(y_name, y, len(inputs), may_defer=may_defer)

    def held_out(
        self, validation_data: Any, names: tuple[str, ...] | None = None
    ) -> tuple[Rows, Array, ArrayLike | None]:
        """Return X and y, checked like other examples, and their sample weights as they are, or None."""
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            is_listed = isinstance(validation_data, (tuple, list))
            length = f" of length {len(validation_data)}" if is_listed else ""
            raise ParameterError(
                f"validation_data is a {type(validation_data).__name__}{length}, expected (X, y) or "
                "(X, y, sample_weight), or an iterable of batches that is not a list or tuple"
            )
        X, y, *sample_weight = validation_data
        X, y = self.examples(X, y, "validation_data[0]", "validation_data[1]", names)
        return X, y, *(sample_weight or [None])

    def inputs(
        self, argument: str, X: Any, names: tuple[str, ...] | None = None, *, may_defer: bool = False
    ) -> Rows:
        """Return X (n, n_in), n >= 1, finite in dtype; for `names` and `may_defer` see `examples`."""
        plain = None if may_defer and _core.is_mapped(X) else self._plain(X, self.n_in)
        if plain is not None:
            return plain
        names = self.feature_names or names
        array = self._rows(argument, X, names)
        if array.ndim != 2:
            raise ShapeError(f"{argument} has shape {array.shape}, expected (rows, {self.n_in})")
        if array.shape[1] != self.n_in:
            raise ShapeError(
                f"{argument} has {array.shape[1]} columns, expected {self.n_in} (the network's inputs)"
            )
        if len(array) == 0:
            raise ShapeError(f"{argument} has no rows, expected at least one")
        if not (may_defer and is_deferred(array)):
            check_finite(argument, array, self.dtype, names=names)
        return array

    def _rows(self, argument: str, X: Inputs, names: tuple[str, ...] | None) -> Rows:
        """Return an array of real numbers, or the rows of a sparse matrix, which has n_in columns."""
        if type(X) is not np.ndarray and hasattr(type(X), "toarray"):
            from fastbp._data.sparse import sparse_rows  # few need it

            return sparse_rows(argument, X, self.n_in)
        return as_array(argument, X, names)

    def scale_targets(self, are_scaled: bool) -> None:
        """Accept the targets that the loss accepts or, if they are scaled, those that can be."""
        self.targets = self._scalable if are_scaled else self.loss.targets

    def scalable(self, y: ArrayLike, n: int | None) -> Array:
        """Return targets (n, n_targets) whose scale can be measured; n: the rows of X, None without X.

        Raises
        ------
        ParameterError
            The targets of the loss cannot be scaled. Other errors as for `examples`.
        """
        if not self.loss.scales_targets:
            raise ParameterError(
                f"y is given with the loss {self.loss.name!r}, whose targets cannot be scaled, "
                "expected no y, or a loss that takes any real numbers, such as mse"
            )
        if n is None:
            y = as_array("y", y)
            n = len(y) if y.ndim else 0
            if n == 0:
                raise ShapeError(f"y has shape {y.shape}, expected at least one row")
        return self._targets("y", y, n, self._scalable)

    def _targets(
        self,
        argument: str,
        y: ArrayLike,
        n: int,
        targets: Targets | None = None,
        *,
        may_defer: bool = False,
    ) -> Array:
        targets, may_defer = targets or self.targets, may_defer and self.defers_targets
        is_quick = self._any_number and not (may_defer and _core.is_mapped(y))
        plain = self._plain(y, self.n_targets) if is_quick else None
        if plain is not None and len(plain) == n:
            return plain
        array = as_array(argument, y)
        if targets.any_shape:
            fits = array.ndim in (1, 2) and len(array) == n and array.size > 0
        else:
            fits = array.shape in targets.shapes(n, self.n_targets)
        if not fits:
            each = self.loss.outputs_per_target
            raise ShapeError(
                f"{argument} has shape {array.shape}, expected {targets.in_words(n, self.n_targets)}, "
                f"for {n} rows of X and {self.n_out} outputs of the network"
                + (f", {each} per target" if each > 1 else "")
            )
        if targets.takes_labels and array.ndim == 1:
            check_labels(argument, array, self.n_out, self.loss.ignored_label)
            return array
        loss, accepts = self.loss, targets.accepts
        if not (may_defer and is_deferred(array)):
            check_finite(argument, array, self.dtype, nan=loss.takes_nan, nan_option=loss.nan_option)
        if targets.any_shape:
            return array
        if not targets.any_number:
            takes = (lambda t: accepts(t) | np.isnan(t)) if loss.takes_nan else accepts
            check_values(argument, array, takes, targets.expected)
        if targets.sums_to_one:
            check_distributions(argument, array)
        return array.reshape(n, self.n_targets)

    def query(self, X: Inputs) -> Rows:
        """Return X (n, n_in), or (n_in,) for one row; any values."""
        plain = _core.plain_rows(X, self.n_in, self.dtype)
        if plain is not None:
            return plain
        array = self._rows("X", X, self.feature_names)
        if array.ndim not in (1, 2) or array.shape[-1] != self.n_in:
            raise ShapeError(
                f"X has shape {array.shape}, expected (rows, {self.n_in}), or ({self.n_in},) for one row "
                "(the network's inputs)"
            )
        return array

    def new_output(self, X: Rows) -> Array:
        """Return an array for the outputs of this query."""
        return np.empty((*X.shape[:-1], self.n_out), self.dtype)

    def out(self, out: Any, X: Rows, is_taken: Callable[[Array], bool]) -> Array:
        """Return a checked view of `out`; `is_taken` tells whether an array shares the network's memory."""
        if not isinstance(out, np.ndarray):
            raise DTypeError(f"out is a {type(out).__name__}, expected an array of {self.dtype}")
        array = base_array("out", out)
        shape = (*X.shape[:-1], self.n_out)
        if array.dtype != self.dtype:
            raise DTypeError(f"out has dtype {array.dtype}, expected {self.dtype} (the network's)")
        if array.shape != shape:
            raise ShapeError(f"out has shape {array.shape}, expected {shape}")
        if not array.flags.carray or np.may_share_memory(array, numbers_of(X)) or is_taken(array):
            raise ParameterError(
                "out is strided, misaligned, read-only or shares memory with X, the parameters or the "
                "gradients, expected a C-contiguous, writable array with memory of its own"
            )
        return array

    def d_output(self, d_output: ArrayLike, X_shape: tuple[int, ...]) -> Array:
        """Return d_output for X of this shape: finite, C-contiguous and of dtype."""
        plain = self._plain(d_output, self.n_out) if len(X_shape) == 2 else None
        if plain is not None and len(plain) == X_shape[0]:
            return plain
        array = as_array("d_output", d_output)
        shape = (*X_shape[:-1], self.n_out)
        if array.shape != shape:
            raise ShapeError(f"d_output has shape {array.shape}, expected {shape} (that of forward's result)")
        check_finite("d_output", array, self.dtype)
        with np.errstate(all="ignore"):  # underflow gives 0
            return np.require(array, self.dtype, ["C", "A"])


def is_deferred(array: Rows) -> bool:
    """Tell whether NaN and infinity are looked for before each step, if the run may do it."""
    return _core.is_mapped(array) and array.dtype.kind == "f"


# ---- values ------------------------------------------------------------------------------------------------


def check_finite(
    argument: str,
    array: Rows,
    dtype: np.dtype[Any],
    *,
    nan: bool = False,
    nan_option: str = "",
    first: int = 0,
    names: Sequence[str] | None = None,
) -> None:
    """Refuse infinity, numbers that become infinite in dtype, and NaN unless `nan`.

    For the error, `nan_option` tells how to make NaN accepted, `first` is the number of the first row, and
    `names` are those of the columns.
    """
    if array.dtype.kind != "f":
        return
    entries, position_of = (array.values, array.position) if isinstance(array, SparseRows) else (array, None)
    for start, block in blocks(entries):
        position = _core.first_nonfinite(block, dtype)
        if position >= 0 and nan:
            position = _first_infinite(block, dtype)
        if position >= 0:
            index = np.unravel_index(position, block.shape)
            expected = "a finite number"
            if np.isfinite(block[index]):
                expected += f" in {dtype}, the network's dtype: scale it, or use dtype='float64'"
            elif np.isnan(block[index]) and nan_option:
                expected += f"; {nan_option}"
            raise refuse(argument, block, first + start, index, expected, names, position_of)


@np.errstate(all="ignore")  # overflow is what it looks for
def _first_infinite(array: Array, dtype: np.dtype[Any]) -> int:
    """Return the flat index of the first element that is infinite in dtype, or -1."""
    infinite = np.isinf(array.astype(dtype))
    return int(infinite.argmax()) if infinite.any() else -1


def check_values(argument: str, array: Array, fits: Callable[[Array], Array], expected: str) -> None:
    """Refuse values that do not fit."""
    for first, block in blocks(array):
        right = fits(block)
        if not right.all():
            raise refuse(argument, block, first, np.unravel_index(right.argmin(), block.shape), expected)


def check_labels(argument: str, labels: Array, n_out: int, ignored: int | None = None) -> None:
    """Refuse numbers that are not class labels, and not the label that is ignored."""
    if labels.dtype.kind == "f":
        raise DTypeError(f"{argument} has dtype {labels.dtype}, expected integers (classes 0 to {n_out - 1})")
    for first, block in blocks(labels):
        position = _core.first_bad_label(block, n_out)
        if position >= 0 and ignored is not None:
            bad = ((block < 0) | (block >= n_out)) & (block != ignored)
            position = int(bad.argmax()) if bad.any() else -1
        if position >= 0:
            expected = f"a class label, 0 to {n_out - 1} (the network's outputs)"
            expected += "" if ignored is None else f", or {ignored} (ignore_index)"
            raise refuse(argument, block, first, (position,), expected)


def check_distributions(argument: str, array: Array) -> None:
    """Refuse rows of probabilities that do not add up to 1."""
    for first, block in blocks(array):
        sums = block.sum(axis=1, dtype=np.float64)  # (rows,)
        wrong = np.abs(sums - 1) > PROBABILITY_TOLERANCE
        if wrong.any():
            i = wrong.argmax()
            raise DataError(f"{argument}[{first + i}] sums to {sums[i]:.6g}, expected 1, as probabilities do")


def refuse(
    argument: str,
    block: Array,
    first: int,
    index: Sequence[Any],
    expected: str,
    names: Sequence[str] | None = None,
    position_of: Callable[[int], tuple[int, ...]] | None = None,
) -> DataError:
    """Return the error for element `index` of the block that starts at row `first`.

    `position_of` tells where the entries of a sparse matrix are.
    """
    row, *column = (int(i) for i in index)
    place = (first + row, *column) if position_of is None else position_of(first + row)
    position = ", ".join(map(str, place))
    feature = f" (feature {shown(names[place[1]])})" if names and len(place) > 1 else ""
    return DataError(f"{argument}[{position}]{feature} is {block[tuple(index)]}, expected {expected}")


def blocks(array: Array, elements: int = BLOCK) -> Iterator[tuple[int, Array]]:
    """Yield blocks of rows with about `elements` elements, as views, each with the index of its first row."""
    rows = max(1, elements * len(array) // max(1, array.size))  # a sparse matrix may have no entries
    for first in range(0, len(array), rows):
        yield first, array[first : first + rows]
