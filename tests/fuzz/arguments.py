"""Random arguments: values that suit a parameter, by its name, in any form, and values that do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix

import fastbp
from fastbp import activations, initializers, losses, optimizers, schedules
from fastbp.callbacks import EarlyStopping, ReduceLROnPlateau
from helpers.layouts import in_a_map, misaligned, read_only

Random = np.random.Generator

SPARSE = [csr_array, csr_matrix, csc_array, csc_matrix]
NUMBERS = [0.0, -0.0, 5e-324, 1e-310, 1e-50, 1e-40, 1e39, -1e39, 1e308, -1e308, np.inf, -np.inf, np.nan]
INTEGERS = [0, -1, 1, 2, 7, 2**31, 2**32, 2**63, 2**64, 10**400, -(10**400)]
WRONG_ENTRIES = [-1, 10, 100, 2**31, 2**40, -(2**63)]  # also indices and starts
OTHERS: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: np.False_,
    lambda: "",
    lambda: "adam",
    lambda: "x" * 100_000,
    lambda: b"\x04\x02\x01",
    lambda: bytearray(b"\x01\x02"),
    lambda: memoryview(b"\x01\x02"),
    lambda: 1j,
    lambda: Fraction(1, 3),
    lambda: Decimal("0.1"),
    lambda: np.float32(0.1),
    lambda: np.int8(3),
    lambda: np.uint64(2**64 - 1),
    lambda: np.array(2),
    lambda: np.array(["a", "b"]),
    lambda: np.array([object()]),
    lambda: np.array(["2020-01-01"], "datetime64[D]"),
    lambda: np.zeros((2, 0)),
    lambda: np.zeros((0, 2)),
    lambda: np.zeros((1, 1, 1)),
    lambda: np.ma.array([[1.0, 2.0]], mask=[[0, 1]]),
    lambda: np.zeros(3, "f4,f4"),
    lambda: np.zeros((1000, 1000)),
    lambda: [],
    lambda: (),
    lambda: {},
    lambda: {1, 2},
    lambda: [[1.0], [1.0, 2.0]],
    lambda: [[]],
    lambda: range(3),
    lambda: (number for number in range(1, 10**6)),  # the first engine leaves some for the second
    lambda: object(),
    lambda: float,
    lambda: len,
    lambda: lambda *args: None,
    lambda: fastbp.SGD(),
    lambda: fastbp.MSE(),
]


class Subclass(np.ndarray):
    """An array of a user class."""


class Wrapped:
    """An object that NumPy can read."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._array


@dataclass
class Subject:
    """Sizes, dtype and loss of a network, which the arguments have to fit."""

    layers: list[int]
    dtype: str
    loss: Any
    rows: int
    is_one_row: bool = False
    wild: bool = False  # whether something came that does not belong, or is extreme


# ---- what does not belong ----------------------------------------------------------------------------------


def pick(random: Random, choices: Sequence[Any]) -> Any:
    """Return one of them as it is; NumPy would make an array of them first."""
    return choices[int(random.integers(len(choices)))]


def wrong(random: Random) -> Any:
    """Return anything."""
    kind = random.integers(4)
    if kind == 0:
        return pick(random, NUMBERS)
    if kind == 1:
        return pick(random, INTEGERS)
    return pick(random, OTHERS)()


# ---- arrays ------------------------------------------------------------------------------------------------


def dressed(random: Random, array: Any, subject: Subject) -> Any:
    """Return the same numbers, or nearly, in another dtype, layout or container."""
    if random.random() < 0.05 and array.dtype.kind == "f" and array.size:
        array = array.copy()
        array.flat[random.integers(array.size)] = pick(random, NUMBERS)
        subject.wild = True
    if random.random() < 0.03:
        subject.wild = True
        array = array[..., :-1] if random.random() < 0.5 else array[None]
    if random.random() < 0.4:
        return array
    with np.errstate(over="ignore"):
        if array.dtype.kind == "f":
            array = array.astype(pick(random, ["f4", "f8", ">f4", ">f8"]))
        else:
            array = array.astype(pick(random, ["i1", "u1", ">i2", "i8", ">u4"]))
    return LAYOUTS[random.integers(len(LAYOUTS))](array)


LAYOUTS: list[Callable[[Any], Any]] = [
    lambda array: array,
    np.asfortranarray,
    lambda array: array[::-1].copy()[::-1],
    lambda array: np.repeat(array, 2, axis=0)[::2],
    lambda array: np.repeat(array, 3, axis=-1)[..., ::3],
    misaligned,
    read_only,
    in_a_map,
    lambda array: array.view(Subclass),
    lambda array: array.tolist(),
    lambda array: tuple(map(tuple, array.tolist())) if array.ndim == 2 else tuple(array.tolist()),
    lambda array: Wrapped(array),
]


def inputs(random: Random, subject: Subject) -> Any:
    """Return X."""
    shape = subject.layers[:1] if subject.is_one_row else [subject.rows, subject.layers[0]]
    X = random.normal(size=shape).astype(subject.dtype)
    if X.ndim == 2 and random.random() < 0.15:
        return sparse_inputs(random, X * (random.random(X.shape) < 0.5), subject)
    return dressed(random, X, subject)


def sparse_inputs(random: Random, X: Any, subject: Subject) -> Any:
    """Return X as a matrix of SciPy, perhaps with entries in any order, or with a wrong part."""
    matrix = pick(random, SPARSE)(X)
    if random.random() < 0.3:  # half of each entry at two places
        order = np.argsort(random.random(matrix.nnz))
        groups = np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr))[order]
        order = order[np.argsort(groups, kind="stable")]
        matrix.indices, matrix.data = (
            np.repeat(matrix.indices[order], 2),
            np.repeat(matrix.data[order] / 2, 2),
        )
        matrix.indptr = matrix.indptr * 2
    for name in ("indptr", "indices", "data"):
        array = getattr(matrix, name)
        if random.random() < 0.1:
            array = array.astype(pick(random, ["f4", "f8"] if name == "data" else ["i2", ">i4", "i8", "u8"]))
        if random.random() < 0.03:
            subject.wild = True
            array = array.astype("f8" if name == "data" else "i8")
            if random.random() < 0.5:
                array = array[:-1]
            elif array.size:
                array[random.integers(array.size)] = pick(random, WRONG_ENTRIES)
        setattr(matrix, name, array)
    return matrix


def weights(random: Random, subject: Subject) -> Any:
    """Return weights of rows, or of targets."""
    loss = losses.get(subject.loss)
    n_targets = subject.layers[-1] // loss.outputs_per_target
    by_target = random.random() < 0.4 and not loss.targets.sums_to_one
    return dressed(random, random.random((subject.rows, n_targets) if by_target else subject.rows), subject)


def targets(random: Random, subject: Subject) -> Any:
    """Return y, as the loss has it."""
    loss = losses.get(subject.loss)
    shape, name = (subject.rows, subject.layers[-1] // loss.outputs_per_target), loss.name
    if name == "cross_entropy":
        return dressed(random, random.integers(0, shape[1], size=shape[0]), subject)
    if name == "binary_cross_entropy":
        return dressed(random, random.integers(0, 2, size=shape), subject)
    if name == "hinge":
        return dressed(random, 2.0 * random.integers(0, 2, size=shape) - 1, subject)
    if name == "poisson":
        return dressed(random, random.integers(0, 5, size=shape), subject)
    return dressed(random, random.normal(size=shape).astype(subject.dtype), subject)


def outputs(random: Random, subject: Subject) -> Any:
    """Return numbers in the shape of outputs, which may be probabilities."""
    numbers = random.uniform(0.05, 0.95, size=(subject.rows, subject.layers[-1]))
    return dressed(random, numbers.astype(subject.dtype), subject)


def array_out(random: Random, subject: Subject) -> Any:
    """Return where outputs may go."""
    rows = () if subject.is_one_row else (subject.rows,)
    return np.zeros((*rows, subject.layers[-1]), subject.dtype)


# ---- by the name of the parameter --------------------------------------------------------------------------


def uniform(low: float, high: float) -> Callable[[Random, Subject], float]:
    """Return what draws a number."""
    return lambda random, subject: float(random.uniform(low, high))


def integers(low: int, high: int) -> Callable[[Random, Subject], int]:
    """Return what draws an integer."""
    return lambda random, subject: int(random.integers(low, high))


def one_of(*choices: Any) -> Callable[[Random, Subject], Any]:
    """Return what picks one."""
    return lambda random, subject: pick(random, choices)


def stop_at_three(state: Any) -> None:
    """End fits whose number of epochs is anything."""
    if state.epoch >= 2:
        state.stop()


def dense(random: Random, units: int) -> fastbp.Dense:
    """Return a layer with a penalty."""
    return fastbp.Dense(units, l2=1e-3, divide_penalty=random.random() < 0.5)


def layers(random: Random, subject: Subject) -> Any:
    """Return sizes of layers, some as `Dense`."""
    sizes = random.integers(1, 9, size=random.integers(2, 5)).tolist()
    return [sizes[0], *(dense(random, n) if random.random() < 0.2 else n for n in sizes[1:])]


def trainable(random: Random, subject: Subject) -> Any:
    """Return a bool, or one per layer."""
    flags = (random.random(len(subject.layers) - 1) < 0.8).tolist()
    return flags if random.random() < 0.8 else flags[0]


def factors(random: Random, subject: Subject) -> Any:
    """Return a number, or one per layer."""
    numbers = random.uniform(0.1, 2, len(subject.layers) - 1).tolist()
    return numbers if random.random() < 0.8 else numbers[0]


VALUES: dict[str, Callable[[Random, Subject], Any]] = {
    "X": inputs,
    "y": targets,
    "x": outputs,
    "output": outputs,
    "target": outputs,
    "d_output": outputs,
    "out": array_out,
    "sample_weight": weights,
    "X_val": inputs,
    "y_val": targets,
    "history": one_of(None, fastbp.History(), fastbp.History({"loss": [1.0, 2.0] * 9})),
    "class_weight": one_of("balanced", {0: 1.0, 1: 2.0}, {True: 1.5}),
    "validation_data": lambda random, subject: (inputs(random, subject), targets(random, subject)),
    "validation_split": one_of(None, 0.3, fastbp.ShuffledSplit(0.5), fastbp.StratifiedSplit(0.3)),
    "validation_every": integers(1, 4),
    "max_seconds": uniform(100, 1000),  # never reached: how far a fit gets in a time is not compared
    "share": uniform(0.1, 0.9),
    "max_fail": integers(1, 4),
    "metrics": one_of(
        "r2", "mae", "accuracy", "f1", ["auc"], lambda output, target: 1.0, fastbp.metrics.TopK(1)
    ),
    "callbacks": one_of(stop_at_three, [stop_at_three, EarlyStopping("loss")], [ReduceLROnPlateau("loss")]),
    "epochs": integers(1, 4),
    "batch_size": one_of(None, 1, 2, 5, 32, 2**40),
    "shuffle": one_of(True, False, "blocks"),
    "steps_per_epoch": integers(1, 4),
    "prefetch": one_of(0, 1, 3, 2**31 - 1),
    "center": one_of(True, False),
    "tol": uniform(0, 1),
    "patience": integers(1, 5),
    "gradient_tol": uniform(1e-9, 1),
    "verbose": one_of(0),
    "layers": layers,
    "activation": one_of(*activations.ACTIVATIONS, fastbp.LeakyReLU(0.1), fastbp.ELU(0.5)),
    "output_activation": one_of(None, "identity", "sigmoid", "tanh", "softmax"),
    "loss": one_of(
        *losses.LOSSES,
        fastbp.Huber(0.5, ignore_nan=True),
        fastbp.Quantile(0.3),
        fastbp.BinaryCrossEntropy(outputs="sum"),
        fastbp.Quantiles([0.2, 0.8]),
    ),
    "optimizer": one_of(*optimizers.OPTIMIZERS, fastbp.SGD(0.01, momentum=0.9), fastbp.Adam(0.01)),
    "dtype": one_of("float32", "float64", np.float32, np.dtype("f8")),
    "seed": integers(0, 2**40),
    "input_noise": uniform(0, 1),
    "learning_rate": one_of(0.01, 1e-3, schedules.Step(0.1, 3), schedules.Warmup(0.1, 3), lambda epoch: 0.01),
    "rate": uniform(1e-4, 0.1),
    "quantiles": one_of([0.5], (0.1, 0.5, 0.9), np.array([0.2, 0.3])),
    "units": integers(1, 9),
    "initializer": one_of(*initializers.INITIALIZERS),
    "l1": uniform(0, 0.1),
    "l2": uniform(0, 0.1),
    "dropout": uniform(0, 0.9),
    "max_norm": uniform(0.1, 2),
    "bias": one_of(True, False),
    "trainable": trainable,
    "factors": factors,
    "names": one_of(None, ("a", "b"), [*"abc"], np.array([*"abcd"])),
    "learning_rate_factor": uniform(0.1, 2),
    "divide_penalty": one_of(True, False),
    "deep": one_of(True, False),
    "freeze": one_of(True, False),
    "name": one_of(*activations.ACTIVATIONS, "own"),
    "f": one_of(np.tanh, np.sin, activations.softplus),
    "derivative": one_of(np.cos, np.ones_like, np.zeros_like, lambda z: 1.0),
    "second_derivative": one_of(None, np.sin),
    "check": one_of(True, False),
    "argument": one_of("activation"),
    "reduction": one_of("sum", "mean"),
    "nesterov": one_of(True, False),
    "amsgrad": one_of(True, False),
    "restore_best": one_of(True, False),
    "relative": one_of(True, False),
    "ignore_nan": one_of(True, False),
    "nan_targets": one_of(True, False),
    "ignore_index": integers(-3, 300),
    "bayesian": one_of(True, False),
    "monitor": one_of("loss", "validation_loss"),
    "every": integers(1, 10),
    "on": one_of("epoch", "step"),
    "max_points": integers(2, 10),
    "steps": integers(1, 100),
    "warmup": integers(0, 10),
    "growth": integers(1, 4),
    "step": integers(0, 10**6),
    "k": integers(1, 4),
    "n": integers(1, 3),
    "rows": integers(1, 9),
    "outputs": one_of(1, 3, 8, "mean", "sum"),
    "function": lambda random, subject: lambda output, target: (0.0, np.zeros_like(output)),
    "method": one_of("L-BFGS-B", "BFGS", "CG", "TNC"),
    "max_iterations": integers(1, 4),
    "options": one_of({"maxls": 5}),
    "read": one_of(fastbp.metrics.most_probable, fastbp.metrics.at_least_half),
    "test_fraction": uniform(0.1, 0.9),
    "columns": one_of({"loss": [1.0, 2.0]}, {"loss": ()}),
    "stopped": one_of("", "epochs"),
    "path": one_of("model.safetensors", Path("model.safetensors"), "missing/model.safetensors"),
    "resume": one_of(None, "missing.safetensors"),
    "keep": integers(1, 4),
    "custom": one_of({}, {"f": len}, None),
    "inference": one_of(True, False),
    "epoch": integers(-2, 3),
    "column": one_of("loss", "seconds", "nothing"),
    "entries": one_of({"loss": [1.0], "learning_rate": [0.1], "seconds": [0.0]}),
    "later": lambda random, subject: fastbp.History({"loss": [1.0, 2.0], "seconds": [0.0, 0.0]}),
}
NEVER_WRONG = ("callbacks", "read")  # which end fits of any number of epochs; which only the package gives
SHARES = ("momentum", "beta1", "beta2", "rho", "q", "factor", "eta_minus", "warmup_share")


def value(random: Random, name: str, subject: Subject, wrong_share: float) -> Any:
    """Return an argument for the parameter of this name."""
    if random.random() < wrong_share and name not in NEVER_WRONG:
        subject.wild = True
        return wrong(random)
    if name in SHARES:
        return float(random.uniform(0, 1))
    draw = VALUES.get(name, uniform(0.01, 2))
    return draw(random, subject)
