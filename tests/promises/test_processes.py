"""Processes and threads: forks during fits, spawned copies, contexts that cross threads, sudden ends."""

import os
import sys

import pytest

only_two = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs"
)
only_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs fork and /proc of Linux")

BEGIN = """
import multiprocessing, os, pickle, signal, sys, threading, time, warnings
import numpy as np
import fastbp

warnings.simplefilter("ignore")  # of a fork beside threads
signal.alarm(60)
rng = np.random.default_rng(0)
X = rng.random((2000, 8), np.float32)
y = X[:, :1]

def small(seed=0, **options):
    return fastbp.Network([8, 16, 1], seed=seed, **options)

def child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def large():
    big = rng.random((512, 1024), np.float32)
    fastbp.Network([1024, 1024, 10], seed=0).fit(big, big[:, :10], batch_size=512)

def beside(work):
    stop = []
    def repeat():
        while not stop:
            work()
    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    time.sleep(0.05)
    return thread, stop
"""


def check(python, code, **environment):
    """Run the code after `BEGIN`; it asserts what must hold."""
    lines = code.splitlines()
    indent = len(lines[1]) - len(lines[1].lstrip())
    result = python(BEGIN + "\n".join(line[indent:] for line in lines), **environment)
    assert result.returncode == 0, (result.returncode, result.stderr)
    return result


@only_linux
@only_two
def test_a_fork_beside_a_fit_has_all_its_threads(python):
    """Before the pool of the parent exists, whose count of callers is not the child's."""
    code = """
    fastbp.set_num_threads(2)
    net = small()
    thread, stop = beside(lambda: net.fit(X, y))  # too small for workers
    def work():
        large()
        assert len(os.listdir("/proc/self/task")) == 2
    for _ in range(6):
        child(work)
    stop.append(1)
    thread.join()
    """
    check(python, code)


@only_linux
def test_a_fork_beside_predictions_and_steps(python):
    code = """
    nets = [small(seed) for seed in range(2)]
    expected = nets[0].clone().predict(X)
    running = [beside(lambda: nets[0].predict(X)), beside(lambda: nets[1].train_on_batch(X, y))]
    for _ in range(6):
        child(lambda: large() or np.testing.assert_array_equal(nets[0].clone().predict(X), expected))
    for thread, stop in running:
        stop.append(1)
        thread.join()
    """
    check(python, code)


@only_linux
def test_a_fork_from_a_callback(python):
    """The child reads and copies the network, trains the copy and may end the fit; the parent's continues."""
    code = """
    net, alone = small(), small()
    def work(state):
        twin = state.network.clone()
        twin.fit(X, y)
        large()
        assert np.isfinite(twin.predict(X)).all()
    net.fit(X, y, epochs=4, callbacks=lambda state: child(lambda: work(state)))
    alone.fit(X, y, epochs=4)
    assert np.array_equal(net.parameters, alone.parameters)
    """
    check(python, code)


@only_linux
def test_a_child_goes_on_with_the_fit_of_its_parent(python):
    """A fork in a callback that returns in both processes: each ends like a fit that was let alone."""
    code = """
    net, alone = small(), small()
    alone.fit(X, y, epochs=4)
    parent, pids = os.getpid(), []
    def fork(state):
        if state.epoch == 1:
            pids.append(os.fork())
    net.fit(X, y, epochs=4, callbacks=fork)
    same = np.array_equal(net.parameters, alone.parameters)
    if os.getpid() != parent:
        os._exit(not same)
    assert same and os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0
    """
    check(python, code)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_networks_travel_between_processes(python, tmp_path, method):
    """Networks are passed as arguments and returned as results, and train on with the same bits."""
    module = """
def train(net, X, y):
    net.fit(X, y, epochs=2)
    return net
"""
    (tmp_path / "travelling.py").write_text(module)
    code = f"""
    sys.path.insert(0, {str(tmp_path)!r})
    import travelling
    if __name__ == "__main__":
        net = small(optimizer=fastbp.SGD(0.01, momentum=0.9))
        net.fit(X, y, epochs=2)
        with multiprocessing.get_context({method!r}).Pool(1) as pool:
            there = pool.apply(travelling.train, (net, X, y))
        here = travelling.train(net, X, y)
        assert np.array_equal(here.parameters, there.parameters)
        assert here.history.loss == there.history.loss
    """
    check(python, code)


ENDS = {
    "the end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "os._exit": ("os._exit(3)", 3),
    "an exception": ("raise SystemExit(3)", 3),
    "os._exit in a callback": ("net.fit(X, y, epochs=9, callbacks=lambda state: os._exit(3))", 3),
    "sys.exit in a callback": ("net.fit(X, y, epochs=9, callbacks=lambda state: sys.exit(3))", 3),
}


@pytest.mark.parametrize(("end", "status"), ENDS.values(), ids=ENDS.keys())
def test_an_end_beside_daemons(python, end, status):
    """One thread fits, one predicts, when the process ends."""
    code = f"""
fastbp.set_num_threads(2)
net, others = small(), [small(1), small(2)]
beside(lambda: others[0].fit(X, y, epochs=5))
beside(lambda: others[1].predict(X))
large()
{end}
"""
    result = python(BEGIN + code)
    assert result.returncode == status, result.stderr


CONTEXTS = {
    "a generator that another thread closes": """
    def generator():
        with fastbp.threads(1):
            yield
    it = generator()
    next(it)
    thread = threading.Thread(target=it.close)
    thread.start()
    thread.join()
    assert fastbp.get_num_threads() == 2
    """,
    "a context that another thread leaves": """
    found = []
    context = fastbp.threads(1)
    context.__enter__()
    def leave():
        context.__exit__(None, None, None)
        found.append(fastbp.get_num_threads())
    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert found == [2]
    assert fastbp.get_num_threads() == 2
    """,
    "a generator that the garbage collector closes in another thread": """
    import gc
    class Holder:
        pass
    def generator():
        with fastbp.threads(1):
            yield
    def make():
        holder = Holder()
        holder.it, holder.own = generator(), holder
        next(holder.it)
    make()
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
    assert fastbp.get_num_threads() == 2
    """,
}


@pytest.mark.parametrize("code", CONTEXTS.values(), ids=CONTEXTS.keys())
def test_the_number_of_threads_stays_with_its_thread(python, code):
    check(python, "\n    fastbp.set_num_threads(2)" + code)


def test_predictions_beside_fits_of_other_networks(python):
    """Threads that share one pool give the same bits as each alone."""
    code = """
    from concurrent.futures import ThreadPoolExecutor
    fastbp.set_num_threads(2)
    big = rng.random((300, 512), np.float32)
    def net(seed):
        return fastbp.Network([512, 300, 4], seed=seed)
    reader = net(9)
    def predict(n):
        return reader.predict(big[:n])
    def fit(seed):
        return net(seed).fit(big, big[:, :4], epochs=3, batch_size=100).loss
    rows = [1, 7, 300] * 4
    alone = [fit(seed) for seed in range(4)], [predict(n) for n in rows]
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(fit, seed) for seed in range(4)]
        predictions = [pool.submit(predict, n) for n in rows]
        assert [each.result() for each in fits] == alone[0]
        for each, expected in zip(predictions, alone[1]):
            assert np.array_equal(each.result(), expected)
    """
    check(python, code)
