"""`compare`: a network that is sick, diagnosed and trained, beside the one that the remedy makes of it."""

from __future__ import annotations

import copy
from typing import NamedTuple

from fastbp._explain.lesson.sick import Case
from fastbp.exceptions import Error
from fastbp.inspect import Diagnosis, Finding, diagnose
from fastbp.network import Network


class Comparison(NamedTuple):
    """A network as it is and remedied, diagnosed, then trained in the same way.

    Parameters
    ----------
    case : Case
    finding : Finding
    found, remedied : Diagnosis
        Of the network as it is, and of the remedied one before its training.
    trained, trained_remedied : Network
    failure : str
        Name of the error that the training ended with as it is; "": it did not.
    """

    case: Case
    finding: Finding
    found: Diagnosis
    remedied: Diagnosis
    trained: Network
    trained_remedied: Network
    failure: str

    @property
    def results(self) -> tuple[str, str]:
        """Loss after training, as it is and remedied, over that of a constant output; or the error."""
        return self.failure or self._loss(self.trained), self._loss(self.trained_remedied)

    def _loss(self, net: Network) -> str:
        """Return the loss on the rows to judge by, over that of a constant output."""
        right = self.case.mended or self.case
        result = diagnose(net, *(right.validation or (right.X, right.y)))
        return f"{result.loss / result.baseline:.2g}"


def compare(case: Case, kind: str) -> Comparison | None:
    """Return what the remedy does; None if there is no such finding, or the remedy does not make it train."""
    X_val, y_val = case.validation or (None, None)
    found = diagnose(case.net, case.X, case.y, X_val=X_val, y_val=y_val)
    finding = next((each for each in found.findings if each.kind == kind), None)
    if finding is None:
        return None
    trained = copy.deepcopy(case.net)
    if case.mended is not None:
        right, remedied = case.mended, case.mended.net
    else:
        right, remedied = case, finding.apply(case.net)
    before = diagnose(remedied, right.X, right.y)
    failure = "" if len(trained.history) else _train(case, trained)
    if _train(right, remedied):
        return None
    return Comparison(case, finding, found, before, trained, remedied, failure)


def _train(case: Case, net: Network) -> str:
    """Train a network; return the name of the error if there was one."""
    try:
        case.train(net)
    except Error as error:
        return type(error).__name__
    return ""
