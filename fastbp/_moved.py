"""Import paths of earlier versions, which still work, with a DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Earlier path and present path of each module.
MOVED = {
    "fastbp.arguments": "fastbp._base.hints",
    "fastbp.arrays": "fastbp._base.arrays",
    "fastbp.bench": "fastbp.cli.bench",
    "fastbp.config": "fastbp._base.config",
    "fastbp.demo": "fastbp.cli.demo",
    "fastbp.evaluation": "fastbp._engine.inference",
    "fastbp.fitting": "fastbp._training.fit",
    "fastbp.levenberg_marquardt": "fastbp.optimizers",
    "fastbp.loss": "fastbp.losses",
    "fastbp.minimization": "fastbp._scipy",
    "fastbp.optimizer": "fastbp.optimizers",
    "fastbp.optional": "fastbp._base.optional",
    "fastbp.own_loss": "fastbp.losses",
    "fastbp.parallel": "fastbp._base.threads",
    "fastbp.progress": "fastbp._training.progress",
    "fastbp.random": "fastbp._base.philox",
    "fastbp.reference.regularisation": "fastbp.reference.regularization",
    "fastbp.scaling": "fastbp._data.scaling",
    "fastbp.shown": "fastbp._base.shown",
    "fastbp.state": "fastbp._model",
    "fastbp.validation": "fastbp._data.checks",
    "fastbp.values": "fastbp._base.value",
    "fastbp.weights": "fastbp._data.sample_weights",
}


class Finder:
    """Import hook for earlier paths; Python asks it after all other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the module, or None if the name is not an earlier path."""
        loader: Any = self
        return ModuleSpec(name, loader) if name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create a module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Replace `module` by the module at its present path."""
        sys.modules[module.__name__] = present(module.__name__, stacklevel=3)


def present(old: str, stacklevel: int) -> ModuleType:
    """Return the module that had this path earlier, with a warning that blames a caller of the caller."""
    new = MOVED[old]
    is_private = any(part.startswith("_") for part in new.split("."))
    advice = "it is private now" if is_private else "import it from there"
    warnings.warn(f"{old} has moved to {new}: {advice}", DeprecationWarning, stacklevel)
    return import_module(new)


sys.meta_path.append(Finder())
