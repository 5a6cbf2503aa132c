"""`fastbp.explain`: a page that shows what the derivatives do, in general or in your network."""

from fastbp._explain.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
