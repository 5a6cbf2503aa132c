"""Plots; they need matplotlib: pip install "fastbp[plot]"."""

from fastbp.plot import _needs as _needs
from fastbp.plot._activation import ActivationDisplay
from fastbp.plot._calibration import CalibrationDisplay
from fastbp.plot._confusion import ConfusionMatrixDisplay
from fastbp.plot._decision_boundary import DecisionBoundaryDisplay
from fastbp.plot._display import Display
from fastbp.plot._gradient_flow import GradientFlowDisplay
from fastbp.plot._gradient_norms import GradientNormsDisplay
from fastbp.plot._importance import FeatureImportanceDisplay
from fastbp.plot._landscape import LandscapeDisplay
from fastbp.plot._learning_curve import LearningCurveDisplay
from fastbp.plot._learning_rate import LearningRateDisplay
from fastbp.plot._network import NetworkDisplay
from fastbp.plot._residuals import ResidualsDisplay
from fastbp.plot._saliency import SaliencyDisplay
from fastbp.plot._slopes import SlopesDisplay
from fastbp.plot._style import BLUE, GREEN, GREY, PURPLE, VERMILION, style
from fastbp.plot.curves import digits, training

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "PURPLE",
    "VERMILION",
    "ActivationDisplay",
    "CalibrationDisplay",
    "ConfusionMatrixDisplay",
    "DecisionBoundaryDisplay",
    "Display",
    "FeatureImportanceDisplay",
    "GradientFlowDisplay",
    "GradientNormsDisplay",
    "LandscapeDisplay",
    "LearningCurveDisplay",
    "LearningRateDisplay",
    "NetworkDisplay",
    "ResidualsDisplay",
    "SaliencyDisplay",
    "SlopesDisplay",
    "digits",
    "style",
    "training",
]
