"""fastbp and its rivals, each at its best on the same work: a module each, with one or both of

    Training(workload)     reset() to the first weights; train(epochs) -> loss of the last epoch
    Inference(workload)    predict() -> the outputs (rows, n_out) for the rows of the workload

and `VERSION`, which tells apart what may differ in speed. What is done once (compilation, first weights, data
in the rival's own arrays) is done in __init__ or reset. All start from fastbp's first weights, go through the
rows in its order and compute its formulas, the loss of every step included. A module raises
`UnsupportedError` where the rival has no words for the workload.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from numpy._core import _multiarray_umath
from numpy.typing import NDArray

from fastbp.cli.bench import Workload


class UnsupportedError(Exception):
    """The rival cannot do this work; the message says why."""


def has_avx512() -> bool:
    """Tell whether this processor has AVX-512."""
    info = Path("/proc/cpuinfo")
    return info.exists() and "avx512f" in info.read_text()


@dataclass(frozen=True)
class Rival:
    """A module of this package, and what has to be in the environment of its process."""

    module: str
    environment: Mapping[str, str] = field(default_factory=dict)
    variant_of: str = ""  # a rival from whom it may turn out not to differ here


# Some NumPy wheels leave AVX-512 unused on some processors that have it; told to use it they are nearly twice
# as fast, and that is the NumPy to compare with.
BEST_BLAS = {"OPENBLAS_CORETYPE": "SkylakeX"} if has_avx512() else {}

FASTBP = Rival("fastbp_native")
RIVALS = {
    "NumPy": Rival("numpy_preallocated", BEST_BLAS),
    "NumPy as installed": Rival("numpy_preallocated", variant_of="NumPy"),
    "JAX": Rival("jax_scan"),
    "PyTorch": Rival("torch_eager"),
    "scikit-learn": Rival("sklearn_mlp", BEST_BLAS),
    "onnxruntime": Rival("onnxruntime_session"),
    "FANN": Rival("fann"),
    "hand-written C": Rival("hand_c"),
}


def first_parameters(workload: Workload) -> list[tuple[NDArray, NDArray]]:
    """Return copies of the W (n_in, n_out) and b (n_out,) that fastbp starts from."""
    net = workload.network()
    return [(W.copy(), b.copy()) for W, b in zip(net.weights, net.biases, strict=True)]


def activations(workload: Workload) -> list[str]:
    """Return the names of the activations, layer by layer."""
    return [layer.activation.name for layer in workload.network().layers]


def blas_kernels() -> str:
    """Return for which processor NumPy's OpenBLAS has chosen its kernels, where it is that of the wheels."""
    numpy_core = ctypes.CDLL(_multiarray_umath.__file__)
    if not hasattr(numpy_core, "scipy_openblas_get_corename64_"):
        return "a BLAS that does not name its kernels"
    numpy_core.scipy_openblas_get_corename64_.restype = ctypes.c_char_p
    return f"OpenBLAS for {numpy_core.scipy_openblas_get_corename64_().decode()}"
