"""Findings, and the remedies that make a new network of one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp import initializers
from fastbp._architecture import Architecture
from fastbp._model import Model
from fastbp.activations import Activation
from fastbp.exceptions import ParameterError
from fastbp.layers import trained
from fastbp.network import Network, check_network
from fastbp.optimizers import GradientOptimizer, Optimizer

if TYPE_CHECKING:
    from fastbp._data.scaling import Scaling

Array: TypeAlias = NDArray[Any]

WIDTH = 100  # of the text of a finding


class Remedy(NamedTuple):
    """Changes to a network; what is not named stays as it is."""

    layers: tuple[tuple[int, int], ...]  # inputs and units of the layers of the network it is for
    activations: Mapping[int, Activation] | None = None  # of layers by index, the first is 0
    draws: bool = False  # whether the weights are drawn again, except those of frozen layers
    by_default: bool = False  # then by the default initializers of the activations
    learning_rate: float | None = None
    clip_norm: float | None = None
    inputs: Scaling | None = None
    targets: Scaling | None = None
    l2: float | None = None
    folds: bool = False

    def apply(self, net: Network) -> Network:
        """Return a new network; ParameterError if this one has other layers or cannot have the changes."""
        layers = tuple((layer.n_in, layer.n_out) for layer in net.layers)
        if layers != self.layers:
            raise ParameterError(
                f"net has layers of the sizes {layers}, expected {self.layers}, as the diagnosed network"
            )
        if self.folds:
            from fastbp.inspect._fold import fold_linear

            return fold_linear(net)
        if self.targets is not None and not net.loss.scales_targets:
            raise ParameterError(f"net has the loss {net.loss}, expected one whose targets can be scaled")
        made: Model = net._model.guard.reading(self._model, net._model)
        return net._around(made)

    def _model(self, model: Model) -> Model:
        architecture = self._architecture(model.architecture)
        new = Model(architecture, self._optimizer(model.optimizer), model.seed, model.engine_class)
        parameters: Array = model.engine.parameters
        new.engine.parameters[:] = parameters
        if self.draws:
            drawn = np.zeros_like(parameters)
            new.draw_weights(drawn)
            for part, _ in trained(architecture.layers):
                new.engine.parameters[part] = drawn[part]
        new.scale(
            self.inputs or model.scaling, self.targets or model.target_scaling, names=model.feature_names
        )
        new.class_names = model.class_names
        return new

    def _architecture(self, architecture: Architecture) -> Architecture:
        """Return the architecture with the activations, initializers and penalties of the remedy."""
        layers, names = [*architecture.layers], [*architecture.initializers]
        changed = self.activations or {}
        for i, activation in changed.items():
            layers[i] = layers[i]._replace(activation=activation)
        for i, layer in enumerate(layers):
            if self.by_default or i in changed:
                names[i] = initializers.default(layer.activation)
            if self.l2 is not None and layer.trainable:
                layers[i] = layer._replace(l2=self.l2)
        return architecture.__replace__(layers=tuple(layers), initializers=tuple(names))

    def _optimizer(self, optimizer: Optimizer) -> Optimizer:
        """Return the optimizer with the rate and the clipping of the remedy."""
        if self.learning_rate is not None:
            optimizer = optimizer.with_learning_rate(self.learning_rate)
        if (
            self.clip_norm is not None
            and isinstance(optimizer, GradientOptimizer)
            and not optimizer.clip_norm
        ):
            optimizer = optimizer.__replace__(clip_norm=self.clip_norm)
        return optimizer


class Finding(NamedTuple):
    """Something that keeps a network from learning, or from learning well.

    Attributes
    ----------
    kind : str
        Name of the finding, such as "vanishing gradient".
    layer : int or None
        The layer it is about, 1 for the first one, as in error messages; None: the whole network.
    cause, evidence, remedy : str
        Why it happens, the numbers that show it, and what to do.
    severity : int
        3: the network, or a part of it, cannot learn; 2: it learns worse; 1: it could be better.
    action : Remedy or None
        The changes that `apply` makes.
    """

    kind: str
    layer: int | None
    cause: str
    evidence: str
    remedy: str
    severity: int
    action: Remedy | None = None

    @property
    def is_mechanical(self) -> bool:
        """Whether `apply` can do the remedy."""
        return self.action is not None

    def apply(self, net: Network) -> Network:
        """Return a new network with the remedy; `net` does not change.

        Loss, optimizer, data type, seed, scaling and names are those of `net`, unless the remedy changes
        them. Optimizer state and history start anew. Where the remedy draws weights again, those of frozen
        layers stay.

        Parameters
        ----------
        net : Network
            The diagnosed network, or one with layers of the same sizes.

        Returns
        -------
        Network
            Of the same class, with copies of the attributes of a subclass.

        Raises
        ------
        ParameterError
            The remedy is not mechanical; `net` is no Network or has layers of other sizes, or cannot have
            the changes.
        BusyError
            Another thread is changing the network.
        """
        check_network(net)
        if self.action is None:
            raise ParameterError(
                f"the finding {self.kind!r} has no mechanical remedy, expected one with is_mechanical. "
                f"{self.remedy}"
            )
        return self.action.apply(net)

    def __str__(self) -> str:
        place = "" if self.layer is None else f" in layers[{self.layer}]"
        parts = (("cause", self.cause), ("evidence", self.evidence), ("remedy", self.remedy))
        return "\n".join([f"{self.kind}{place}", *(_wrapped(f"{name}: {text}") for name, text in parts)])


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
