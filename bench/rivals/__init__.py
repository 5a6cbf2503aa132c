"""fastbp and all its rivals: those of `fastbp.cli.rivals`, which says how a module works, and some more."""

from dataclasses import replace

from fastbp.cli.rivals import (
    FASTBP,
    JAX,
    KEEP_MEMORY,
    NUMPY,
    PYTORCH,
    SCIKIT_LEARN,
    Rival,
    UnsupportedError,
    activations,
    first_parameters,
)

__all__ = ["FASTBP", "RIVALS", "Rival", "UnsupportedError", "activations", "first_parameters"]

# The wrapper in C++ makes a small step a sixth shorter. Without the cache, nothing is compiled beforehand.
COMPILED = KEEP_MEMORY | {"TORCHINDUCTOR_CPP_WRAPPER": "1", "TORCHINDUCTOR_FX_GRAPH_CACHE": "0"}

EACH = (
    NUMPY,
    replace(NUMPY, name="NumPy as installed", best_blas=False, variant_of=NUMPY.name),
    JAX,
    PYTORCH,
    Rival("PyTorch compiled", "rivals.torch_compiled", COMPILED, package="torch"),
    SCIKIT_LEARN,
    Rival("onnxruntime", "rivals.onnxruntime_session", package="onnxruntime"),
    Rival("FANN", "rivals.fann"),
    Rival("hand-written C", "rivals.hand_c"),
)
RIVALS = {rival.name: rival for rival in EACH}
