"""`check_gradients`: the computed gradients beside differences of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp import _core
from fastbp._base import markup
from fastbp._base.arguments import integer, number
from fastbp._base.elementwise import STEP
from fastbp._base.shown import shown
from fastbp._base.sparse import Inputs
from fastbp._data.sample_weights import resolve_weights
from fastbp._model import Model
from fastbp.exceptions import DataError, ParameterError
from fastbp.inspect._differences import LEAST_STEP, Differences, relative_error
from fastbp.inspect._names import parameter_name
from fastbp.inspect._probe import Probe, quietly
from fastbp.inspect._tables import aligned
from fastbp.layers import Layer
from fastbp.network import Network
from fastbp.optimizers import SGD

if TYPE_CHECKING:
    from fastbp._engine.protocol import EngineClass

Array: TypeAlias = NDArray[Any]

# Relative errors up to which a verdict holds: Stanford cs231n, Neural networks part 3, gradient checks. It
# calls 1e-4 too much for networks without kinks, which should reach 1e-7, and allows 1e-2 for ten layers.
VERDICTS = ("exact", "fine", "doubtful", "wrong")
LIMITS = (1e-7, 1e-4, 1e-2)
# In float32, cs231n expects errors of up to 1e-2 in right gradients; here relative to the layer's largest.
SINGLE_LIMITS = (1e-2,) * 3
NOTE = "errors by cs231n: above 1e-2 wrong, above 1e-4 doubtful, up to 1e-7 exact (expected without kinks)"


class Worst(NamedTuple):
    """The parameter whose computed derivative is the farthest from the numerical one."""

    name: str
    place: int  # in `Network.parameters`
    layer: int  # from 1, as in error messages
    engine: str
    gradient: float
    numerical: float
    error: float


class GradientCheck(NamedTuple):
    """Computed beside numerical derivatives of k parameters; str() has the verdict and a table of the layers.

    All arrays are read-only.

    Attributes
    ----------
    indices : array of int, shape (k,)
        Places of the checked parameters in `Network.parameters`, in ascending order.
    places : array of int, shape (k,)
        Their layers, from 1.
    numerical : array, shape (k,)
        Central differences in float64.
    gradients : dict of str to array (k,)
        What each engine computes: "native float64", "reference float64", and "native float32" or "reference
        float32" for a network in float32.
    errors : dict of str to array (k,)
        Relative errors |a - n| / max(|a|, |n|) of each engine, without what rounding errors of the loss may
        explain of |a - n|; if they may explain it all, at most 1e-7. Of float32, |a - n| over the largest |n|
        of the layer. NaN at kinks.
    is_kink : array of bool, shape (k,)
        Whether the slopes of the loss to both sides differ, with the computed one between them: such
        parameters cannot be checked, and are left out.
    steps : array, shape (k,)
        Half the distance of the two points of each difference.
    loss : float
        The loss at the parameters.
    layers : tuple of Layer
    """

    indices: NDArray[np.intp]
    places: NDArray[np.intp]
    numerical: Array
    gradients: dict[str, Array]
    errors: dict[str, Array]
    is_kink: NDArray[np.bool_]
    steps: Array
    loss: float
    layers: tuple[Layer, ...]

    @property
    def relative_errors(self) -> Array:
        """The larger relative error of the two engines in float64, (k,); NaN at kinks."""
        largest: Array = np.maximum(self.errors["native float64"], self.errors["reference float64"])
        return largest

    @property
    def verdict(self) -> str:
        """The verdict on the worst parameter: "exact", "fine", "doubtful", "wrong"; all kinks: "unknown"."""
        rank = int(self._ranks().max(initial=-1))
        return VERDICTS[rank] if rank >= 0 else "unknown"

    @property
    def passed(self) -> bool:
        """Whether the verdict is "exact" or "fine"."""
        return self.verdict in VERDICTS[:2]

    @property
    def worst(self) -> Worst | None:
        """The largest error by the first engine with the worst verdict; None if all are kinks."""
        ranks = self._ranks()
        if ranks.max(initial=-1) < 0:
            return None
        engine = [*self.errors][int(ranks.max(axis=1).argmax())]
        i = int(np.nanargmax(self.errors[engine]))
        index = int(self.indices[i])
        numbers = self.gradients[engine][i], self.numerical[i], self.errors[engine][i]
        name = parameter_name(self.layers, index)
        return Worst(name, index, int(self.places[i]), engine, *map(float, numbers))

    @property
    def parted_layer(self) -> int | None:
        """The first layer on the way back from the loss whose gradients are not right, from 1; None: all are.

        The derivative of its activation is what to look at; in the last layer, that of the loss, too.
        """
        is_off = (self._ranks() >= 2).any(axis=0)
        return int(self.places[is_off].max()) if is_off.any() else None

    def _ranks(self) -> NDArray[np.intp]:
        """Return the index of the verdict on each parameter by each engine, (engines, k); -1 at kinks."""
        ranks = [
            np.searchsorted(SINGLE_LIMITS if name.endswith("32") else LIMITS, error)
            for name, error in self.errors.items()
        ]
        return np.where(self.is_kink, -1, np.array(ranks))

    # ---- text

    def _lines(self) -> list[str]:
        """Return the verdict, the worst parameter and the layer to look at."""
        k, P, kinks = (
            self.indices.size,
            sum(layer.n_parameters for layer in self.layers),
            int(self.is_kink.sum()),
        )
        left_out = f"; {kinks:,} at kinks left out" if kinks else ""
        lines = [f"gradient check: {self.verdict}, {k:,} of {P:,} parameters, loss {self.loss:.6g}{left_out}"]
        if (worst := self.worst) is not None:
            lines += [
                f"worst: {worst.name} in layers[{worst.layer}], {worst.gradient:.6g} by {worst.engine}, "
                f"{worst.numerical:.6g} by differences, relative error {worst.error:.2g}"
            ]
        if (at := self.parted_layer) is not None:
            suspect = f"the derivative of its activation {self.layers[at - 1].activation}"
            suspect += " or of the loss" if at == len(self.layers) else ", for the layers after it are right"
            lines += [f"the derivatives part in layers[{at}]: look at {suspect}"]
        return lines

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return head and rows: the largest errors per layer."""
        head = ("layer", "activation", "checked", "kinks", *self.errors)
        rows = []
        for number_, layer in enumerate(self.layers, 1):
            own = self.places == number_
            known = own & ~self.is_kink
            largest = (f"{error[known].max():.2g}" if known.any() else "" for error in self.errors.values())
            counts = f"{int(own.sum()):,}", f"{int((own & self.is_kink).sum()):,}"
            rows.append((f"{number_}", str(layer.activation), *counts, *largest))
        return head, rows

    def __str__(self) -> str:
        head, rows = self._table()
        return "\n".join([*self._lines(), "", *aligned([head, *rows], left=(0, 1)), "", NOTE])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        lines = "".join(map(markup.paragraph, self._lines()))
        return lines + markup.table(*self._table(), left=(0, 1)) + markup.paragraph(NOTE)


@quietly
def check_gradients(
    net: Network,
    X: Inputs,
    y: ArrayLike,
    *,
    parameters: int | Literal["all"] = 1000,
    seed: int = 0,
    step: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> GradientCheck:
    """Compare the gradients that the engines compute with central differences of the loss.

    The loss J is that of all rows of (X, y) together, as of `Network.evaluate`, without penalties, dropout
    and noise; frozen layers are checked, too. Differences are taken in float64. Compared with them are the
    gradients of the native engine and of the reference in float64, and for a network in float32 those of its
    own engine in float32.

    Where a difference and a gradient differ, smaller steps are tried, because a kink, such as that of relu at
    0, may lie within a step. The few parameters whose kink lies just at their value are left out.

    This finds mistakes in your own losses and activations; `GradientCheck.parted_layer` says where they are.
    A few rows are enough: with n rows, the time is that of about 2 k forward passes over them.

    Parameters
    ----------
    net : Network
    X, y : array_like, or sparse for X
        Inputs (n, n_in) and targets as for `fit`.
    parameters : int, >= 1, or "all"
        Number of weights and biases to check, drawn at random, equally many from each layer if it has them.
    seed : int, >= 0
        Seed of the draw.
    step : float, >= 1e-12 and < 1, optional
        First step of the differences, times max(1, |w|). Default: 6e-6, about the cube root of the rounding
        error.
    sample_weight : array_like, shape (n,) or (n, n_targets), optional
        Weights of the loss, as for `evaluate`.

    Returns
    -------
    GradientCheck
        ``print(check)`` shows the verdict, the worst parameter and the largest errors of each layer.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, DataError
        An argument is not as above, or as for `evaluate`; the loss is not finite.
    BusyError
        Another thread is changing the network.

    References
    ----------
    Stanford cs231n, Neural networks part 3: learning and evaluation, section on gradient checks.

    Examples
    --------
    ::

        check = fastbp.inspect.check_gradients(net, X[:50], y[:50])
        print(check)
        assert check.passed
    """
    probe = Probe(net)
    indices, places = _chosen(probe.layers, parameters, integer("seed", seed, at_least=0))
    first = STEP if step is None else number("step", step, at_least=LEAST_STEP, below=1)
    engines = Engines(probe, X, y, sample_weight)
    exact = engines.model("native", np.float64)
    gradients = {"native float64": engines.gradient(exact)}
    differences = Differences(lambda: engines.loss(exact), exact.engine.parameters, first)
    if not np.isfinite(differences.loss):
        raise DataError(f"the loss is {differences.loss} at the network's parameters, expected a finite one")
    gradients["reference float64"] = engines.gradient(engines.model("reference", np.float64))
    if probe.dtype == np.float32:
        own = "reference" if net._model.engine.isa == "numpy" else "native"
        gradients[f"{own} float32"] = engines.gradient(engines.model(own, np.float32))
    gradients = {name: gradient[indices] for name, gradient in gradients.items()}
    found = [
        differences.by(i, float(a))
        for i, a in zip(indices.tolist(), gradients["native float64"], strict=True)
    ]
    numerical, steps, roundings = (
        np.array([getattr(each, name) for each in found]) for name in ("value", "step", "rounding")
    )
    is_kink = np.array([each.is_kink for each in found], bool)
    errors = {
        name: np.where(is_kink, np.nan, _errors(name, gradient, numerical, roundings, places))
        for name, gradient in gradients.items()
    }
    for array in (indices, places, numerical, is_kink, steps, *gradients.values(), *errors.values()):
        array.flags.writeable = False
    return GradientCheck(
        indices, places, numerical, gradients, errors, is_kink, steps, differences.loss, probe.layers
    )


def _chosen(layers: Sequence[Layer], parameters: Any, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices (k,) of the parameters to check, and their layers from 1."""
    if isinstance(parameters, str) and parameters != "all":
        raise ParameterError(f"parameters is {shown(parameters)}, expected a number of them, or 'all'")
    sizes = [layer.n_parameters for layer in layers]
    left = sum(sizes) if parameters == "all" else integer("parameters", parameters, at_least=1)
    shares = dict.fromkeys(range(len(layers)), 0)
    for rank, number_ in enumerate(
        sorted(shares, key=sizes.__getitem__)
    ):  # small layers leave more to others
        shares[number_] = min(sizes[number_], -(-left // (len(layers) - rank)))
        left -= shares[number_]
    random, starts = np.random.default_rng(seed), np.cumsum([0, *sizes])
    drawn = [
        starts[i] + np.sort(random.choice(size, shares[i], replace=False)) for i, size in enumerate(sizes)
    ]
    places = np.repeat(np.arange(1, len(layers) + 1), [len(each) for each in drawn])
    return np.concatenate(drawn).astype(np.intp), places


def _errors(name: str, gradient: Array, numerical: Array, roundings: Array, places: Array) -> Array:
    """Return the errors (k,) of an engine's gradients (k,), as `GradientCheck.errors`."""
    if name.endswith("64"):
        triples = zip(gradient.tolist(), numerical.tolist(), roundings.tolist(), strict=True)
        return np.array([relative_error(*triple) for triple in triples])
    largest = np.zeros(places.max(initial=0) + 1)
    np.maximum.at(largest, places, np.abs(numerical))
    scale = np.maximum(largest[places], np.finfo(np.float32).smallest_normal)
    errors = np.abs(gradient - numerical) / scale
    return np.where(np.isfinite(errors), errors, np.inf)


class Engines:
    """The engines with the numbers of a network, for its loss without penalties, dropout and noise."""

    def __init__(self, probe: Probe, X: Inputs, y: ArrayLike, sample_weight: ArrayLike | None) -> None:
        self._probe = probe
        self._X, self._y = probe.checks.examples(X, y)
        self._weights = resolve_weights(probe.checks, self._y, sample_weight, None)
        self._layers = tuple(
            layer._replace(l1=0.0, l2=0.0, dropout=0.0, max_norm=None, trainable=True)
            for layer in probe.layers
        )

    def model(self, engine: str, dtype: Any) -> Model:
        """Return a model over the engine "native" or "reference"."""
        probe = self._probe
        architecture = probe.architecture.__replace__(
            layers=self._layers, dtype=np.dtype(dtype), input_noise=0.0
        )
        model = Model(architecture, SGD(), 0, _core.Engine if engine == "native" else _reference())
        model.engine.parameters[:] = probe.parameters
        model.trainer.set_scaling(probe.input_scaling, probe.target_scaling)
        return model

    def loss(self, model: Model) -> float:
        """Return the loss of all rows."""
        return model.trainer.loss(self._X, self._y, self._weights)

    def gradient(self, model: Model) -> Array:
        """Return the gradient (P,) of the loss of all rows, in float64."""
        with np.errstate(all="ignore"):  # what is not finite shows in the result
            model.trainer.loss_and_gradients(self._X, self._y, self._weights)
        return model.engine.gradients.astype(np.float64)


def _reference() -> EngineClass:
    from fastbp.reference import Engine  # only the check needs it

    return Engine
