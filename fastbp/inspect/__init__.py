"""What a network's derivatives say: sensitivities, shares of the error, curvature, diagnosis, remedies."""

from fastbp.inspect._blame import Blame, blame
from fastbp.inspect._chain_rule import ChainRule, Factor, chain_rule
from fastbp.inspect._sensitivity import deltas, input_gradients

__all__ = [
    "Blame",
    "ChainRule",
    "Factor",
    "blame",
    "chain_rule",
    "deltas",
    "input_gradients",
]
