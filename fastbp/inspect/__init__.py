"""What a network's derivatives say: sensitivities, shares of the error, curvature, diagnosis, remedies."""

from fastbp.inspect._blame import Blame, blame
from fastbp.inspect._chain_rule import ChainRule, Factor, chain_rule
from fastbp.inspect._curvature import gauss_newton_product, hessian_vector_product
from fastbp.inspect._importance import FeatureImportance, Importance, feature_importance
from fastbp.inspect._samples import gradient_blocks, per_sample_gradient_norms, per_sample_gradients
from fastbp.inspect._sensitivity import deltas, input_gradients, jacobian

__all__ = [
    "Blame",
    "ChainRule",
    "Factor",
    "FeatureImportance",
    "Importance",
    "blame",
    "chain_rule",
    "deltas",
    "feature_importance",
    "gauss_newton_product",
    "gradient_blocks",
    "hessian_vector_product",
    "input_gradients",
    "jacobian",
    "per_sample_gradient_norms",
    "per_sample_gradients",
]
