"""Times training steps: workloads, single samples, two threads, other instruction sets and precisions."""

from dataclasses import replace
from operator import attrgetter

import pytest

import fastbp
from rivals import RIVALS
from workloads import CHAINS, IRIS, LARGE, MNIST, ONE_SAMPLE, RL, SEED, WIDE, WORKLOADS

COMPILED = "PyTorch compiled"  # compiles for seconds, and saves the time of calls: for small networks
TRAINERS = [name for name in RIVALS if name not in (COMPILED, "onnxruntime", "FANN", "hand-written C")]
BESIDE = dict.fromkeys(WORKLOADS, TRAINERS) | {
    SEED: [*TRAINERS, COMPILED, "FANN", "hand-written C"],
    RL: [*TRAINERS, COMPILED],
    IRIS: ["NumPy", "JAX", "PyTorch", COMPILED, "scikit-learn"],
    CHAINS: ["NumPy", "JAX", "PyTorch", COMPILED, "scikit-learn"],
}
CASES = [(workload, rival) for workload, rivals in BESIDE.items() for rival in rivals]
by_name = attrgetter("name")


@pytest.mark.parametrize(("workload", "rival"), CASES, ids=[f"{w.name}-{rival}" for w, rival in CASES])
def test_training(compare, workload, rival):
    compare(workload, rival)


@pytest.mark.parametrize("rival", ["NumPy", "JAX", "PyTorch"])
@pytest.mark.parametrize("workload", [WIDE, LARGE], ids=by_name)
def test_two_threads(compare, workload, rival):
    compare(workload, rival, threads=2)


@pytest.mark.parametrize("rival", ["NumPy", "JAX", COMPILED, "FANN"])
@pytest.mark.parametrize("workload", ONE_SAMPLE, ids=by_name)
def test_one_sample(compare, workload, rival):
    compare(workload, rival, limit="peak" if workload.name != "mnist" else "L2")  # the others fit into L1


@pytest.mark.parametrize("workload", [MNIST, LARGE], ids=by_name)
def test_float64(compare, workload):
    compare(replace(workload, dtype="float64"))


@pytest.mark.parametrize(("isa", "workload"), [("avx2", MNIST), ("avx2", LARGE), ("baseline", MNIST)])
def test_paths(compare, isa, workload):
    if isa not in fastbp._core.available_isas():
        pytest.skip(f"this processor does not run {isa}")
    compare(workload, isa=isa)
