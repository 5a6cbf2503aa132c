"""The number of threads, of the process and in contexts, and threads beside forks and exits."""

import sys
import threading

import pytest

import fastbp
from fastbp import ParameterError
from fastbp._base.cpus import available_cpus

CPUS = available_cpus()


@pytest.fixture(autouse=True)
def number_as_before():
    before = fastbp.get_num_threads()
    yield
    fastbp.set_num_threads(before)


def in_thread(call):
    """Return what the call returns in another thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


# ---- numbers -----------------------------------------------------------------------------------------------


def test_the_number_of_the_process():
    fastbp.set_num_threads(3)
    assert fastbp.get_num_threads() == in_thread(fastbp.get_num_threads) == 3


def test_a_context_holds_for_its_thread_and_restores():
    fastbp.set_num_threads(4)
    with fastbp.threads(3):
        assert fastbp.get_num_threads() == 3
        assert in_thread(fastbp.get_num_threads) == 4
        with fastbp.threads(2):
            fastbp.set_num_threads(5)  # for the others
            assert fastbp.get_num_threads() == 2
        assert fastbp.get_num_threads() == 3
        assert in_thread(fastbp.get_num_threads) == 5
    assert fastbp.get_num_threads() == 5


def test_a_context_restores_after_an_exception():
    fastbp.set_num_threads(4)
    with fastbp.threads(3):
        with pytest.raises(ZeroDivisionError), fastbp.threads(1):
            1 / 0  # noqa: B018
        assert fastbp.get_num_threads() == 3
    assert fastbp.get_num_threads() == 4


def test_a_context_belongs_to_the_thread_that_enters_it():
    """Any thread may leave it; here a thread leaves it by closing a generator."""

    def within(n):
        with fastbp.threads(n):
            yield

    fastbp.set_num_threads(4)
    first, second = within(1), within(2)
    next(first)
    next(second)
    in_thread(first.close)
    assert fastbp.get_num_threads() == 2
    with fastbp.threads(3):
        assert in_thread(lambda: (second.close(), fastbp.get_num_threads())[1]) == 4
        assert fastbp.get_num_threads() == 3
    assert fastbp.get_num_threads() == 4


def test_contexts_may_end_in_any_order():
    fastbp.set_num_threads(4)
    outer, inner = fastbp.threads(1), fastbp.threads(2)
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert fastbp.get_num_threads() == 2
    inner.__exit__(None, None, None)
    assert fastbp.get_num_threads() == 4


def test_a_context_may_outlive_its_thread():
    fastbp.set_num_threads(4)
    contexts = [fastbp.threads(1) for _ in range(50)]
    for context in contexts:
        in_thread(context.__enter__)
    for context in contexts:
        context.__exit__(None, None, None)
    assert fastbp.get_num_threads() == in_thread(fastbp.get_num_threads) == 4


def test_each_thread_in_a_context_of_its_own():
    inside = threading.Barrier(2)

    def number(n):
        with fastbp.threads(n):
            inside.wait(10)
            seen = fastbp.get_num_threads()
            inside.wait(10)
        return seen, fastbp.get_num_threads()

    fastbp.set_num_threads(4)
    results = []
    other = threading.Thread(target=lambda: results.append(number(2)))
    other.start()
    assert number(3) == (3, 4)
    other.join()
    assert results == [(2, 4)]


@pytest.mark.parametrize("n", [0, -1, 1025, 2.0, True, "2", None])
@pytest.mark.parametrize("use", ["set_num_threads", "threads"])
def test_wrong_numbers_change_nothing(use, n):
    def enter():
        with fastbp.threads(n):
            raise AssertionError("entered")

    fastbp.set_num_threads(3)
    with pytest.raises(ParameterError) as caught:
        fastbp.set_num_threads(n) if use == "set_num_threads" else enter()
    assert str(caught.value) == f"n is {n!r}, expected an integer >= 1 and < 1025"
    assert fastbp.get_num_threads() == 3


@pytest.mark.parametrize("n", [1, 1024])
def test_the_smallest_and_the_largest_number(n):
    fastbp.set_num_threads(n)
    with fastbp.threads(n):
        assert fastbp.get_num_threads() == n


# ---- processes ---------------------------------------------------------------------------------------------

TRAINING = """
import os, signal, sys, threading
import numpy as np, fastbp
signal.alarm(60)
fastbp.set_num_threads(2)
rng = np.random.default_rng(0)
X, y = rng.normal(size=(512, 256)), rng.normal(size=(512, 16))
def train(seed=0, epochs=2):
    net = fastbp.Network([256, 256, 16], seed=seed)  # large enough for two threads
    net.fit(X, y, epochs=epochs, batch_size=128)
    return net.parameters.tobytes()
def threads_of_the_process():
    return len(os.listdir("/proc/self/task"))
"""

only_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc of Linux")


@only_linux
def test_train_fork_train(python):
    """The child has none of the parent's threads, and starts its own, whatever the parent was doing."""
    code = """
expected = train()
def child():
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        before = threads_of_the_process()
        os._exit(not (train() == expected and threads_of_the_process() == before + 1))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
child()
threading.Thread(target=train, args=[0, 10**6], daemon=True).start()
for _ in range(5):
    child()
assert train() == expected
"""
    result = python(TRAINING + code)
    assert result.returncode == 0, result.stderr


@only_linux
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_fits_in_several_processes(python, tmp_path, method):
    """Processes start as in joblib and multiprocessing, from one that has used its own threads."""
    (tmp_path / "training.py").write_text(TRAINING)
    code = f"""
    import multiprocessing, sys
    sys.path.insert(0, {str(tmp_path)!r})
    from training import train
    expected = [train(seed) for seed in range(4)]
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        assert pool.map(train, range(4), chunksize=1) == expected
    assert len(set(expected)) == 4
    """
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_exit_during_a_fit(python):
    code = """
train()
threading.Thread(target=train, args=[0, 10**6], daemon=True).start()
train()
"""
    result = python(TRAINING + code)
    assert result.returncode == 0, result.stderr
