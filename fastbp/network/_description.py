"""`Description`: what a network is, and the state it is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import _core, optimizers
from fastbp._base.arrays import read_only
from fastbp.history import History
from fastbp.layers import Layer
from fastbp.losses import Loss
from fastbp.network._files import Files
from fastbp.optimizers import Optimizer

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling
    from fastbp._summary import Summary

Array: TypeAlias = NDArray[Any]


class Description(Files):
    """A network that shows what it is."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers with their defaults filled in: n_in, n_out, activation and the options of `Dense`."""
        return self._model.architecture.layers

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self._model.architecture.n_parameters

    @property
    def trainable(self) -> tuple[bool, ...]:
        """Whether training changes W and b, one bool per layer; set it to such a list or to one bool.

        Training computes no gradient below the lowest trainable layer. Setting it keeps parameters and
        optimizer state; gradients and outputs for `backward` are stale afterwards. BusyError in a fit.

        Adam and its relatives correct their running means by the number of steps of the whole network. For a
        layer that is trained later, set the optimizer, too: ``net.optimizer = Adam(1e-4)`` starts anew.
        """
        return self._model.architecture.trainable

    @trainable.setter
    def trainable(self, trainable: bool | Iterable[bool]) -> None:
        self._model.set_training("trainable", self._model.architecture.with_trainable(trainable))

    @property
    def learning_rate_factors(self) -> tuple[float, ...]:
        """Factor > 0 of the learning rate, one per layer; settable, with one number for all layers, too.

        Setting it keeps parameters and optimizer state; gradients and outputs for `backward` are stale
        afterwards. BusyError in a fit. ``net.learning_rate_factors = (0.1, 1)`` changes a trained body slowly
        while a new output layer learns.
        """
        return self._model.architecture.learning_rate_factors

    @learning_rate_factors.setter
    def learning_rate_factors(self, factors: float | Iterable[float]) -> None:
        changed = self._model.architecture.with_learning_rate_factors(factors)
        self._model.set_training("learning_rate_factors", changed)

    @property
    def loss(self) -> Loss:
        """Loss, callable: ``net.loss(net.predict(X), y)``."""
        return self._model.architecture.loss

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the parameters, float32 or float64."""
        return self._model.architecture.dtype

    @property
    def seed(self) -> int:
        """Seed of the initial weights, of the order of the rows in each epoch, of dropout and of noise."""
        return self._model.seed

    @property
    def input_noise(self) -> float:
        """Standard deviation of the noise that training adds to the inputs."""
        return self._model.architecture.input_noise

    @property
    def history(self) -> History:
        """All epochs since the network was made or reset."""
        return self._model.history

    @property
    def optimizer(self) -> Optimizer:
        """Current optimizer; setting it resets the optimizer's state."""
        return self._model.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: str | Optimizer) -> None:
        self._model.set_optimizer(optimizers.get(optimizer))

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step.

        Setting it ends a schedule: the rate stays until `reset` or until the optimizer is set. The optimizer
        keeps its state, and the attribute `optimizer` shows the new rate.
        """
        return self._model.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._model.set_learning_rate(rate)

    @property
    def parameters(self) -> Array:
        """All weights and biases as one vector (P,), W then b (if any) of each layer; writable."""
        return _core.handed_out(self._model.engine.parameters)

    @property
    def weights(self) -> tuple[Array, ...]:
        """Matrix W (n_in, n_out) per layer, views into `parameters`: ``net.weights[0][:] = ...``."""
        return tuple(W for W, _ in self._model.architecture.split(self.parameters))

    @property
    def biases(self) -> tuple[Array, ...]:
        """Vector b (n_out,) per layer, views into `parameters`; (0,) for a layer without bias."""
        return tuple(b for _, b in self._model.architecture.split(self.parameters))

    @property
    def input_mean(self) -> Array | None:
        """Mean that is subtracted from each input (n_in,), float64, read-only; None without `adapt`."""
        return _part(self._model.scaling, "mean")

    @property
    def input_scale(self) -> Array | None:
        """Scale that each input is then divided by (n_in,), float64, read-only; None without `adapt`."""
        return _part(self._model.scaling, "scale")

    @property
    def target_mean(self) -> Array | None:
        """Mean that is subtracted from each target (n_targets,), float64, read-only; None if not scaled."""
        return _part(self._model.target_scaling, "mean")

    @property
    def target_scale(self) -> Array | None:
        """Scale that each target is then divided by, like `target_mean`."""
        return _part(self._model.target_scaling, "scale")

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the inputs, distinct strings; None without. Set it to a list of n_in names, or to None.

        A network without names takes those of the X of `fit`, `adapt` or `minimize`, if that is a data frame
        of pandas, polars or pyarrow whose column names are distinct strings. From then on, every call that
        takes X reads the columns of such a frame in the order of the names, whatever their order in the
        frame. It raises ShapeError if a column is missing, occurs twice, or is not among the names.

        Arrays, and frames without strings for names, go by position. So does everything while there are no
        names. Copies, pickles, model files, `reset` and `replace_output` keep the names.
        """
        return self._model.feature_names

    @feature_names.setter
    def feature_names(self, names: Iterable[str] | None) -> None:
        self._model.name("feature_names", names)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, one per output, like `feature_names`; `replace_output` drops them."""
        return self._model.class_names

    @class_names.setter
    def class_names(self, names: Iterable[str] | None) -> None:
        self._model.name("class_names", names)

    def summary(self) -> Summary:
        """Return a table of the layers, with what trains them: ``print(net.summary())``; a str.

        It shows sizes, activation, initializer, parameters and options of each layer, then the loss, the
        optimizer, the memory of parameters and optimizer state, and how long the network has been trained.
        Notebooks show it as a table, and so they show a network.
        """
        from fastbp._summary import summarize  # few need it

        return summarize(self._model, type(self).__name__)

    def __repr__(self) -> str:
        model, architecture = self._model, self._model.architecture
        sizes = " -> ".join(
            [str(architecture.n_in), *(f"{layer.n_out} {layer.activation}" for layer in architecture.layers)]
        )
        return (
            f"Network({sizes}; {architecture.n_parameters:,} parameters, {architecture.dtype} on "
            f"{model.engine.isa}; {architecture.loss}, {model.optimizer}, seed={model.seed})"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _part(found: Scaling | None, name: str) -> Array | None:
    """Return a read-only view of a vector of a scaling."""
    return None if found is None else read_only(getattr(found, name))
