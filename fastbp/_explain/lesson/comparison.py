"""`compare`: a network with a finding, diagnosed and trained, beside the one that the remedy makes of it."""

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
    result, result_remedied : Diagnosis
        Of both after training, on the rows to judge by: those of the validation, or those with mended data.
    failure : str
        Name of the error that the training ended with as it is; "": it did not.
    """

    case: Case
    finding: Finding
    found: Diagnosis
    remedied: Diagnosis
    trained: Network
    trained_remedied: Network
    result: Diagnosis
    result_remedied: Diagnosis
    failure: str

    @property
    def losses(self) -> tuple[str, str]:
        """Loss after training, as it is and remedied, over that of a constant output; or the error."""
        before, after = (_relative(result) for result in (self.result, self.result_remedied))
        return self.failure or before, after


def compare(case: Case, kind: str) -> Comparison | None:
    """Return what the remedy does; None if there is no such finding, or the remedy does not make it train."""
    X_val, y_val = case.validation or (None, None)
    found = diagnose(case.net, case.X, case.y, X_val=X_val, y_val=y_val)
    finding = next((each for each in found.findings if each.kind == kind), None)
    if finding is None:
        return None
    right = case.mended or case
    trained, remedied = copy.deepcopy(case.net), finding.apply(case.net) if right is case else right.net
    before = diagnose(remedied, right.X, right.y)
    failure = "" if len(trained.history) else _train(case, trained)
    if _train(right, remedied):
        return None
    rows = right.validation or (right.X, right.y)
    results = diagnose(trained, *rows), diagnose(remedied, *rows)
    return Comparison(case, finding, found, before, trained, remedied, *results, failure)


def _train(case: Case, net: Network) -> str:
    """Train a network; return the name of the error if there was one."""
    try:
        case.train(net)
    except Error as error:
        return type(error).__name__
    return ""


def _relative(result: Diagnosis) -> str:
    return f"{result.loss / result.baseline:#.2g}".rstrip(".")
