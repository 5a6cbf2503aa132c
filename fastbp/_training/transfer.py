"""A trained network with a new output layer."""

from __future__ import annotations

from fastbp._architecture import Architecture
from fastbp._model import Model


def with_output(model: Model, architecture: Architecture, seed: int) -> Model:
    """Return a model with the weights of all layers below the output, and a new output layer.

    `architecture` is that of the model with another output layer, whose weights are drawn from `seed`. The
    optimizer is the one that the user set, and starts anew. The scaling of the inputs is the same; targets
    are no longer scaled, and classes have no names, because the new output layer is for others.
    """
    new = Model(architecture, model.chosen, seed, model.engine_class)
    new.draw_weights(new.engine.parameters)
    body = sum(layer.n_parameters for layer in architecture.layers[:-1])
    new.engine.parameters[:body] = model.engine.parameters[:body]
    new.scale(model.scaling, None)
    new.feature_names = model.feature_names
    return new
