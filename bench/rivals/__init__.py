"""fastbp and its rivals on the same work. Each has a module tuned for speed, with one or both of

    Training(workload)     reset() to the initial weights; train(epochs) -> loss of the last epoch
    Inference(workload)    predict() -> the outputs (rows, n_out) for the rows of the workload

and `VERSION`, which distinguishes builds of different speed. One-time work (compilation, initial weights,
conversion of the data) is done in __init__ or reset. All start from fastbp's initial weights, use the rows in
its order and compute its formulas, including the loss of every step. A module raises `UnsupportedError` if
the rival cannot express the workload.
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
    """Return whether this processor has AVX-512."""
    info = Path("/proc/cpuinfo")
    return info.exists() and "avx512f" in info.read_text()


@dataclass(frozen=True)
class Rival:
    """A module of this package, with the environment variables of its process."""

    module: str
    environment: Mapping[str, str] = field(default_factory=dict)
    variant_of: str = ""  # another rival, which may be the same on this machine


# Some NumPy wheels do not use AVX-512 on some processors that have it. With this variable they do, and are
# nearly twice as fast. That is the NumPy to compare with.
BEST_BLAS = {"OPENBLAS_CORETYPE": "SkylakeX"} if has_avx512() else {}

# PyTorch allocates its gradients anew in every step. The C library gives large blocks back to the system
# each time, unless told to keep them. Steps that read little but large weights are then twice as fast.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 33), "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}

FASTBP = Rival("fastbp_native")
RIVALS = {
    "NumPy": Rival("numpy_preallocated", BEST_BLAS),
    "NumPy as installed": Rival("numpy_preallocated", variant_of="NumPy"),
    "JAX": Rival("jax_scan"),
    "PyTorch": Rival("torch_eager", KEEP_MEMORY),
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
    """Return the processor for which NumPy's OpenBLAS has chosen its kernels, if NumPy is from a wheel."""
    numpy_core = ctypes.CDLL(_multiarray_umath.__file__)
    if not hasattr(numpy_core, "scipy_openblas_get_corename64_"):
        return "a BLAS that does not name its kernels"
    numpy_core.scipy_openblas_get_corename64_.restype = ctypes.c_char_p
    return f"OpenBLAS for {numpy_core.scipy_openblas_get_corename64_().decode()}"
