"""Plots; they need matplotlib: pip install "fastbp[plot]"."""

from fastbp.plot._activation import ActivationDisplay
from fastbp.plot._display import Display
from fastbp.plot._gradient_flow import GradientFlowDisplay
from fastbp.plot._learning_curve import LearningCurveDisplay
from fastbp.plot._network import NetworkDisplay
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
    "Display",
    "GradientFlowDisplay",
    "LearningCurveDisplay",
    "NetworkDisplay",
    "SlopesDisplay",
    "digits",
    "style",
    "training",
]
