"""`ClusterExecutor` on machines that differ: the best common instruction set, workers that get no task."""

import numpy as np
import pytest

import fastbp
from fastbp import _core
from fastbp.dask import _worker
from fastbp.dask._cluster import executor_of
from fastbp.dask._executor import Load
from helpers import shard_calls
from helpers.isas import ISAS

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install fastbp[dask]")

N = 4
several = pytest.mark.skipif(len(ISAS) < 2, reason="needs a machine with two instruction sets")


def isas_of(executor, handles):
    """Return the instruction sets that workers with a task use by themselves: FASTBP_ISA tells them apart."""
    return set(executor.call(shard_calls.slow_isa, handles, [(0.05,)] * N, (np.ones(10_000),)))


def place(executor):
    return executor.place([Load(shard_calls.shard, (i,)) for i in range(N)])


def test_the_best_that_all_have(bare):
    """FASTBP_ISA is an upper limit, on a worker as here."""
    bare.worker(FASTBP_ISA=ISAS[0])
    assert executor_of(bare.client, ISAS[0]).isa == ISAS[0]
    assert executor_of(bare.client, None).isa == _core.isa()
    assert executor_of(bare.client, ISAS[-1]).isa == ISAS[-1]
    assert executor_of(bare.client, "numpy").isa == "numpy"
    bare.worker(FASTBP_ISA=ISAS[-1])
    assert executor_of(bare.client, ISAS[0]).isa == ISAS[-1]


@several
def test_a_worker_that_lacks_it_gets_no_task(bare):
    """It joins late. Nothing waits for the others once they are gone, and one that joins after that works."""
    best, last = ISAS[0], ISAS[-1]
    victim = bare.worker(FASTBP_ISA=best)
    executor = executor_of(bare.client, best, timeout=1.5)
    handles = place(executor)
    bare.worker(FASTBP_ISA=last)
    for _ in range(5):
        assert isas_of(executor, handles) == {best}
    bare.kill(victim)
    with pytest.raises(fastbp.exceptions.ShardError, match="no worker that can compute"):
        isas_of(executor, handles)
    bare.worker(FASTBP_ISA=best)
    assert isas_of(executor, handles) == {best}
    executor.close()


def test_a_worker_without_fastbp(bare, tmp_path):
    """One that is there is an error; one that joins gets no task."""
    (tmp_path / "fastbp.py").write_text("raise ModuleNotFoundError('No module named fastbp', name='fastbp')")
    victim = bare.worker(path=[tmp_path])
    with pytest.raises(
        fastbp.ParameterError, match=r"fastbp does not run on worker tcp.*No module named fastbp"
    ):
        executor_of(bare.client, None)
    bare.kill(victim)
    bare.worker(FASTBP_ISA=ISAS[-1])
    executor = executor_of(bare.client, None)
    bare.worker(path=[tmp_path])
    for _ in range(3):
        assert isas_of(executor, place(executor)) == {ISAS[-1]}
    executor.close()


def test_a_worker_with_another_version(cluster_of, monkeypatch):
    monkeypatch.setattr(_worker, "__version__", "0.0.1")
    message = f"worker tcp.* has fastbp {fastbp.__version__}, expected 0.0.1, which is installed here"
    with pytest.raises(fastbp.ParameterError, match=message):
        executor_of(cluster_of(1), None)


def test_machines_of_several_kinds(cluster_of):
    """An instruction set of the same name is another one there."""
    client = cluster_of(2)

    def pretend(dask_worker, name):
        import platform

        platform.machine = lambda: name

    addresses = sorted(client.nthreads())
    try:
        client.run(pretend, name="riscv64", workers=addresses[:1])
        with pytest.raises(fastbp.ParameterError, match=r"workers are riscv64 and .*, expected one kind"):
            executor_of(client, None)
    finally:
        client.run(pretend, name=_worker.platform.machine(), workers=addresses[:1])
