"""What trains a network: its engine, or Python code around it that calls functions of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastbp._architecture import Architecture
from fastbp.losses import CustomLoss, SumLoss

if TYPE_CHECKING:
    from fastbp._engine.protocol import Engine, Trainer


def trainer_of(engine: Engine, architecture: Architecture) -> Trainer:
    """Return the trainer of a network with this engine."""
    if isinstance(architecture.loss, CustomLoss):
        from fastbp._engine.custom_loss import CustomLossTrainer  # few need it

        return CustomLossTrainer(engine, architecture.loss, architecture.n_out)
    if any(layer.activation.is_custom for layer in architecture.layers):
        from fastbp._engine.custom_activation import CustomActivationTrainer  # few need it

        assert isinstance(architecture.loss, SumLoss)  # all others are custom ones
        return CustomActivationTrainer(engine, architecture.loss)
    return engine
