"""Parts of the page about a network: what its answers depend on, and how far they can be trusted."""

from __future__ import annotations

from fastbp._explain.about_rows import MOST_IMAGES, SALIENCY_SIZE
from fastbp._explain.fragments import beside, note
from fastbp._explain.pictures import PAIRED, WIDE, picture
from fastbp._explain.subject import Data, Subject, Topic
from fastbp.inspect import FeatureImportance, feature_importance
from fastbp.plot import (
    CalibrationDisplay,
    ConfusionMatrixDisplay,
    DecisionBoundaryDisplay,
    FeatureImportanceDisplay,
    ResidualsDisplay,
    SaliencyDisplay,
)

REPEATS = 5  # permutations of each input
MOST_PERMUTED = 200  # inputs; with more of them, gradients are integrated instead
MOST_BARS = 15


# ---- inputs ------------------------------------------------------------------------------------------------


def saliency(subject: Subject) -> str:
    """Return images, and which pixels the outputs react to."""
    data = subject.few()
    return picture(
        lambda ax: SaliencyDisplay.from_network(
            subject.net, data.X[:MOST_IMAGES], image_shape=subject.image_shape, limit=MOST_IMAGES, ax=ax
        ),
        "Images with the answer of the network, and how strongly it depends on each pixel.",
        size=SALIENCY_SIZE,
    )


def importance(subject: Subject) -> str:
    """Return how much the network relies on each input."""
    found, data = _importance(subject)
    what = (
        f"By how much the {found.measure} rises if the values of one input are exchanged among the rows"
        if found.method == "permutation"
        else "How much of the output each input accounts for, by integrated gradients"
    )
    return picture(
        lambda ax: FeatureImportanceDisplay.from_importance(found, limit=MOST_BARS, ax=ax),
        f"{what}.{subject.sampled(data)}",
        size=(WIDE[0], 1.4 + 0.3 * min(MOST_BARS, len(found.names))),
    )


def _importance(subject: Subject) -> tuple[FeatureImportance, Data]:
    """Return the importance of the inputs, and the rows that it was measured on."""
    n_in, P = subject.layers[0].n_in, subject.net.n_parameters
    if n_in > MOST_PERMUTED:
        data = subject.few(100 * P)
        return feature_importance(subject.net, data.X, method="integrated_gradients"), data
    data = subject.few(n_in * REPEATS * P)
    return feature_importance(
        subject.net, data.X, data.y, n_repeats=REPEATS, seed=subject.seed, sample_weight=data.w
    ), data


# ---- outputs -----------------------------------------------------------------------------------------------


def classes(subject: Subject) -> str:
    """Return which classes are taken for which, and whether probabilities are right."""
    data = _judged(subject)
    pictures = [
        picture(
            lambda ax: ConfusionMatrixDisplay.from_network(
                subject.net, data.X, data.y, sample_weight=data.w, ax=ax
            ),
            f"Rows of each class, and the class that they were taken for{_where(subject)}.",
            size=PAIRED,
        )
    ]
    if subject.net.loss.name in ("cross_entropy", "binary_cross_entropy"):
        pictures += [
            picture(
                lambda ax: CalibrationDisplay.from_network(
                    subject.net, data.X, data.y, sample_weight=data.w, ax=ax
                ),
                f"Whether probabilities are right{_where(subject)}: of the answers given with 80%, 80% "
                "should come true.",
                size=PAIRED,
            )
        ]
    return beside(*pictures) + _caution(subject)


def numbers(subject: Subject) -> str:
    """Return predictions beside targets."""
    data = _judged(subject)
    shown = picture(
        lambda ax: ResidualsDisplay.from_network(subject.net, data.X, data.y, sample_weight=data.w, ax=ax),
        f"Predictions beside targets, and their differences{_where(subject)}.",
        size=WIDE,
    )
    return shown + _caution(subject)


def boundary(subject: Subject) -> str:
    """Return the answers in the plane of two inputs."""
    data = subject.few()
    return picture(
        lambda ax: DecisionBoundaryDisplay.from_network(subject.net, data.X, data.y, ax=ax),
        f"What the network answers for any two inputs, and the rows.{subject.sampled(data)}",
        size=(6.4, 5.0),
    )


def _judged(subject: Subject) -> Data:
    """Return the rows held out, or the only ones."""
    return subject.data if subject.held_out is None else subject.held_out


def _where(subject: Subject) -> str:
    return "" if subject.held_out is None else ", on the rows held out"


def _caution(subject: Subject) -> str:
    """Return what to keep in mind where no rows are held out."""
    if subject.held_out is not None:
        return ""
    return note("If the network was trained on these rows, its answers for new rows are likely to be worse.")


def _is_plane(subject: Subject) -> bool:
    one = subject.task == "classes" or (subject.task == "numbers" and subject.layers[-1].n_out == 1)
    return subject.is_finite and one and subject.layers[0].n_in == 2


TOPICS = (
    Topic(
        "saliency",
        "What it looks at",
        saliency,
        lambda subject: subject.is_finite and subject.image_shape is not None,
    ),
    Topic(
        "importance",
        "Which inputs matter",
        importance,
        lambda subject: subject.is_finite and subject.image_shape is None,
    ),
    Topic("classes", "Its answers", classes, lambda subject: subject.is_finite and subject.task == "classes"),
    Topic(
        "residuals", "Its answers", numbers, lambda subject: subject.is_finite and subject.task == "numbers"
    ),
    Topic("boundary", "The plane of the inputs", boundary, _is_plane),
)
