"""Derivatives of a network: sensitivities, shares of the error, curvature, diagnosis with remedies."""

from fastbp.inspect._blame import Blame, blame
from fastbp.inspect._chain_rule import ChainRule, Factor, chain_rule
from fastbp.inspect._curvature import gauss_newton_product, hessian_vector_product
from fastbp.inspect._diagnosis.diagnose import Diagnosis, diagnose
from fastbp.inspect._diagnosis.layer_states import LayerState
from fastbp.inspect._diagnosis.remedies import Finding
from fastbp.inspect._diagnosis.thresholds import THRESHOLDS
from fastbp.inspect._eigenvalues import Spectrum, hessian_eigenvalues
from fastbp.inspect._fold import fold_linear
from fastbp.inspect._gradient_check import GradientCheck, check_gradients
from fastbp.inspect._importance import FeatureImportance, Importance, feature_importance
from fastbp.inspect._landscape import Landscape, landscape
from fastbp.inspect._samples import gradient_blocks, per_sample_gradient_norms, per_sample_gradients
from fastbp.inspect._sensitivity import deltas, input_gradients, jacobian

__all__ = [
    "THRESHOLDS",
    "Blame",
    "ChainRule",
    "Diagnosis",
    "Factor",
    "FeatureImportance",
    "Finding",
    "GradientCheck",
    "Importance",
    "Landscape",
    "LayerState",
    "Spectrum",
    "blame",
    "chain_rule",
    "check_gradients",
    "deltas",
    "diagnose",
    "feature_importance",
    "fold_linear",
    "gauss_newton_product",
    "gradient_blocks",
    "hessian_eigenvalues",
    "hessian_vector_product",
    "input_gradients",
    "jacobian",
    "landscape",
    "per_sample_gradient_norms",
    "per_sample_gradients",
]
