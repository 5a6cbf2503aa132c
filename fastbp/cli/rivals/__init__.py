"""Other libraries, and fastbp, on the same work.

Each has a module tuned for speed, with one or both of

    Training(workload)     reset() to the initial weights; train(epochs) -> loss of the last epoch
    Inference(workload)    predict() -> the outputs (rows, n_out) for the rows of the workload

and `VERSION`, which distinguishes builds of different speed. One-time work (compilation, initial weights,
conversion of the data) is done in __init__ or reset. All start from fastbp's initial weights, use the rows in
its order and compute its formulas, including the loss of every step. A module raises `UnsupportedError` if
the library cannot express the workload. Only `fastbp.cli.rivals.worker` imports these modules, each in a
process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from fastbp.cli.bench import Workload
from fastbp.cli.rivals import blas


class UnsupportedError(Exception):
    """The library cannot do this work; the message says why."""


@dataclass(frozen=True)
class Rival:
    """A library: its module, and the environment variables of its process."""

    name: str
    module: str
    variables: Mapping[str, str] = field(default_factory=dict)
    best_blas: bool = False  # whether OpenBLAS uses the fastest kernels that this processor runs
    variant_of: str = ""  # another rival, which may be the same on this machine
    package: str = "numpy"  # what it imports

    @property
    def environment(self) -> dict[str, str]:
        """The variables, with that of the best BLAS, which is measured when it is first asked for."""
        return {**(blas.best() if self.best_blas else {}), **self.variables}


# PyTorch allocates its gradients anew in every step. The C library gives large blocks back to the system
# each time, unless told to keep them. Steps that read little but large weights are then twice as fast.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 33), "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}

FASTBP = Rival("fastbp", f"{__name__}.fastbp_native")
NUMPY = Rival("NumPy", f"{__name__}.numpy_preallocated", best_blas=True)
JAX = Rival("JAX", f"{__name__}.jax_scan", package="jax")
PYTORCH = Rival("PyTorch", f"{__name__}.torch_eager", KEEP_MEMORY, package="torch")
SCIKIT_LEARN = Rival("scikit-learn", f"{__name__}.sklearn_mlp", best_blas=True, package="sklearn")


def first_parameters(workload: Workload) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return copies of the W (n_in, n_out) and b (n_out,) that fastbp starts from."""
    net = workload.network()
    return [(W.copy(), b.copy()) for W, b in zip(net.weights, net.biases, strict=True)]


def activations(workload: Workload) -> list[str]:
    """Return the names of the activations, layer by layer."""
    return [layer.activation.name for layer in workload.network().layers]
