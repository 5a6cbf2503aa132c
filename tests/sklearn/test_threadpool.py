"""threadpoolctl reaches fastbp's pool of threads."""

import importlib
import sys

import pytest

import fastbp

pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
threadpoolctl = pytest.importorskip("threadpoolctl", reason="needs threadpoolctl")
if not hasattr(threadpoolctl, "register"):
    pytest.skip("threadpoolctl is older than 3.2", allow_module_level=True)

from fastbp.sklearn import _threadpool  # noqa: E402


@pytest.fixture(autouse=True)
def four_threads():
    before = fastbp.get_num_threads()
    _threadpool.register()
    fastbp.set_num_threads(4)
    yield
    fastbp.set_num_threads(before)


def pools():
    return [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "fastbp"]


def test_it_is_listed():
    (info,) = pools()
    expected = {"internal_api": "fastbp", "num_threads": 4, "version": fastbp.__version__}
    assert info.items() >= expected.items()
    assert info["filepath"].endswith(".so")


def test_limits_reach_it_and_end():
    for limits in (1, {"fastbp": 1}, {"blas": 2, "fastbp": 1}):
        with threadpoolctl.threadpool_limits(limits):
            assert fastbp.get_num_threads() == 1
            assert [info["num_threads"] for info in pools()] == [1]
        assert fastbp.get_num_threads() == 4
    with threadpoolctl.threadpool_limits(1, user_api="fastbp"):
        assert fastbp.get_num_threads() == 1
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert fastbp.get_num_threads() == 4
    controller = threadpoolctl.ThreadpoolController()
    with controller.limit(limits=2):
        assert fastbp.get_num_threads() == 2
        with controller.select(internal_api="fastbp").limit(limits=1):
            assert fastbp.get_num_threads() == 1
        assert fastbp.get_num_threads() == 2
    assert fastbp.get_num_threads() == 4


def test_what_ends_is_the_number_of_the_process():
    """A limit inside `threads` does not take the thread's own number for that of the process."""
    with fastbp.threads(3), threadpoolctl.threadpool_limits(1):
        assert fastbp.get_num_threads() == 3
    assert fastbp.get_num_threads() == 4


@pytest.mark.parametrize("n", [0, -5, 2000, 2**40])
def test_odd_limits(n):
    with threadpoolctl.threadpool_limits({"fastbp": n}):
        assert fastbp.get_num_threads() == (1 if n < 1 else 1024)
    assert fastbp.get_num_threads() == 4


def test_it_is_registered_once(monkeypatch):
    """Also if the module is loaded again, in either way."""
    calls = []
    monkeypatch.setattr(threadpoolctl, "register", calls.append)
    importlib.reload(_threadpool).register()
    monkeypatch.delitem(sys.modules, _threadpool.__name__)
    importlib.import_module(_threadpool.__name__).register()
    assert calls == []


def test_without_register_nothing_happens(monkeypatch):
    """threadpoolctl 3.1 has no `register`, and its `LibController` is another class."""
    monkeypatch.delattr(threadpoolctl, "register")
    monkeypatch.delattr(threadpoolctl, "LibController")
    importlib.reload(_threadpool).register()
