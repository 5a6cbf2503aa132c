"""Import paths of earlier versions: each leads to the module's present place, with a DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Earlier path and present place of each module.
MOVED = {
    f"fastbp.{old}": f"fastbp.{new}"
    for old, new in {
        "arguments": "_base.hints",
        "arrays": "_base.arrays",
        "bench": "cli.bench",
        "config": "_base.config",
        "demo": "cli.demo",
        "evaluation": "_engine.inference",
        "fitting": "_training.fit",
        "levenberg_marquardt": "optimizers",
        "loss": "losses",
        "minimization": "_scipy",
        "optimizer": "optimizers",
        "optional": "_base.optional",
        "own_loss": "_engine.custom_loss",
        "parallel": "_base.threads",
        "progress": "_training.progress",
        "random": "_base.philox",
        "reference.regularisation": "reference.regularization",
        "scaling": "_data.scaling",
        "shown": "_base.shown",
        "state": "_model",
        "validation": "_data.checks",
        "values": "_base.value",
        "weights": "_data.sample_weights",
    }.items()
}


class Finder:
    """Finds modules under their earlier paths; Python asks it after all other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load the module, or None if the name is not an earlier path."""
        loader: Any = self
        return ModuleSpec(name, loader) if name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create a module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the present module in the place of `module`."""
        old, new = module.__name__, MOVED[module.__name__]
        is_private = any(part.startswith("_") for part in new.split("."))
        advice = "it is private now" if is_private else "import it from there"
        warnings.warn(f"{old} has moved to {new}: {advice}", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


sys.meta_path.append(Finder())
