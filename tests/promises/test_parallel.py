"""The number of threads, and a pool that survives forks, exits and heavy use."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import fastbp
from fastbp import ParameterError
from fastbp._base import threads
from fastbp._base.cpus import available_cpus, cgroup_cpus
from helpers.paths import ROOT

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


# ---- the number to begin with ------------------------------------------------------------------------------

ENVIRONMENTS = [
    ({}, CPUS),
    ({"FASTBP_NUM_THREADS": "", "OMP_NUM_THREADS": ""}, CPUS),
    ({"FASTBP_NUM_THREADS": "7"}, 7),
    ({"FASTBP_NUM_THREADS": "7", "OMP_NUM_THREADS": "5"}, 7),
    ({"OMP_NUM_THREADS": "5"}, 5),
    ({"OMP_NUM_THREADS": "5,3,2"}, 5),
    ({"OMP_NUM_THREADS": "many"}, CPUS),
    ({"OMP_NUM_THREADS": "0"}, CPUS),
    ({"OMP_NUM_THREADS": "1025"}, CPUS),
]


@pytest.mark.parametrize(("environment", "n"), ENVIRONMENTS)
def test_the_default(environment, n):
    assert threads.default(environment) == n


@pytest.mark.parametrize("value", ["0", "1025", "-2", "two", "2.5", "4,2", " "])
def test_a_wrong_variable_of_ours_is_an_error(value):
    message = f"^FASTBP_NUM_THREADS is '?{value}'?, expected an integer >= 1 and < 1025$"
    with pytest.raises(ParameterError, match=message):
        threads.default({"FASTBP_NUM_THREADS": value, "OMP_NUM_THREADS": "2"})


def test_it_is_raised_at_import(python):
    result = python("import fastbp", FASTBP_NUM_THREADS="two")
    assert result.returncode != 0
    assert "ParameterError: FASTBP_NUM_THREADS is 'two'" in result.stderr


@pytest.mark.parametrize(("environment", "n"), ENVIRONMENTS[2:6:2])
def test_the_environment_counts_at_import(python, environment, n):
    unset = {"FASTBP_NUM_THREADS": None, "OMP_NUM_THREADS": None}
    result = python("import fastbp; fastbp.show_config()", **(unset | environment))
    assert f"threads   {n} (this process may use {CPUS} CPUs)" in result.stdout, result.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_the_affinity_mask_counts(python):
    code = """
        import os
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        import fastbp
        print(fastbp.get_num_threads())
    """
    result = python(code, FASTBP_NUM_THREADS=None, OMP_NUM_THREADS=None)
    assert result.stdout == "1\n", result.stderr


UNIFIED, DOCKER = "0::/user/session\n", "0::/docker/0123\n"
VERSION_1 = "5:cpuset:/a\n4:cpuacct:/b\n3:memory,cpu:/batch\n1:name=systemd:/\n0::/\n"
CGROUPS = {
    "no control groups": (None, {}, None),
    "no files": (UNIFIED, {}, None),
    "no limit": (UNIFIED, {"user/session/cpu.max": "max 100000"}, None),
    "limit": (UNIFIED, {"user/session/cpu.max": "400000 100000"}, 4),
    "rounded up": (UNIFIED, {"user/session/cpu.max": "210000 100000"}, 3),
    "a tenth of a CPU": (UNIFIED, {"user/session/cpu.max": "10000 100000"}, 1),
    "limit above": (UNIFIED, {"user/session/cpu.max": "400000 100000", "user/cpu.max": "200000 100000"}, 2),
    "limit below": (UNIFIED, {"user/session/cpu.max": "200000 100000", "user/cpu.max": "400000 100000"}, 2),
    "a container's own view": (DOCKER, {"cpu.max": "150000 100000"}, 2),
    "nonsense": (UNIFIED, {"user/session/cpu.max": "-5 0", "user/cpu.max": "", "cpu.max": "3"}, None),
    "nonsense in /proc": ("0\n:\n\n7:cpu\n", {"cpu.max": "200000 100000"}, None),
    "version 1": (
        VERSION_1,
        {"cpu/batch/cpu.cfs_quota_us": "550000", "cpu/batch/cpu.cfs_period_us": "100000"},
        6,
    ),
    "version 1, none": (VERSION_1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "version 1, other groups": (
        VERSION_1,
        {"cpu/b/cpu.cfs_quota_us": "1", "cpu/b/cpu.cfs_period_us": "1"},
        None,
    ),
}


@pytest.mark.parametrize(("groups", "files", "cpus"), CGROUPS.values(), ids=CGROUPS.keys())
def test_control_groups(tmp_path, groups, files, cpus):
    if groups is not None:
        files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()} | {"proc/self/cgroup": groups}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cgroup_cpus(str(tmp_path)) == cpus


WATCH_FILES = """
import sys
files = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and "cgroup" in arguments[0]:
        files.append(arguments[0])
sys.addaudithook(watch)
import fastbp
"""


@pytest.mark.parametrize(
    ("variable", "reads"), [("FASTBP_NUM_THREADS", False), ("OMP_NUM_THREADS", False), (None, True)]
)
def test_the_import_reads_control_groups_only_if_no_variable_decides(python, variable, reads):
    environment = {"FASTBP_NUM_THREADS": None, "OMP_NUM_THREADS": None} | (
        {variable: "2"} if variable else {}
    )
    result = python(WATCH_FILES + "print(bool(files))", **environment)
    assert result.stdout == f"{reads}\n", result.stderr


@pytest.mark.parametrize(
    ("number", "code", "calls"),
    [
        ("1", "net()", 0),
        ("2", "", 0),
        ("2", "net(); net()", 1),
        ("1", "net(); fastbp.set_num_threads(2)", 1),
        ("1", "net()\nwith fastbp.threads(2): pass", 1),
    ],
)
def test_the_pool_learns_the_limit_before_several_threads_work(python, number, code, calls):
    start = """
import fastbp
from fastbp import _core
calls = []
_core.set_cpu_limit(lambda: calls.append(1))
def net():
    return fastbp.Network([2, 1])
"""
    result = python(f"{start}{code}\nprint(len(calls))", FASTBP_NUM_THREADS=number)
    assert result.stdout == f"{calls}\n", result.stderr


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


# ---- the pool by itself ------------------------------------------------------------------------------------


def run(*command):
    """Run a command outside the sanitizers that this process may run under."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def compile_c(tmp_path):
    """Compile C to a program, or to an object with -c; return its path, or None if the compiler refuses."""
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        pytest.skip(f"there is no C compiler called {compiler[0]}")

    def compile_c(name, *arguments):
        flags = ["-std=c11", "-g", "-O1", "-pthread", "-I", ROOT / "src_c"]
        result = run(*compiler, *flags, *arguments, "-o", tmp_path / name)
        print(result.stderr)
        return tmp_path / name if result.returncode == 0 else None

    return compile_c


@pytest.fixture
def compile_for_tsan(compile_c, tmp_path):
    """The same, with ThreadSanitizer."""

    def compile_for_tsan(name, *arguments):
        return compile_c(name, "-fsanitize=thread", *arguments)

    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    probe = compile_for_tsan("probe", empty)
    if probe is None or run(probe).returncode:
        pytest.skip("the C compiler, or this system, has no ThreadSanitizer")
    return compile_for_tsan


def assert_runs(program, *arguments):
    assert program is not None, "it does not compile"
    result = run(program, *arguments)
    assert (result.returncode, result.stderr) == (0, "")


POOL = [
    ROOT / "tests/c/pool_stress.c",
    *(ROOT / f"src_c/system/{name}.c" for name in ("pool", "thread_limits", "cpus", "clock")),
]


def test_the_pool_under_load(compile_c):
    assert_runs(compile_c("pool", *POOL), "with processes")


def test_the_pool_under_thread_sanitizer(compile_for_tsan):
    assert_runs(compile_for_tsan("pool", *POOL))


def test_plans_under_thread_sanitizer(compile_for_tsan):
    """No two parts of a product, and no two lanes, touch the same memory; on the baseline path."""

    def kernels(bits):
        macros = [f"-DREAL_BITS={bits}", "-DFASTBP_ISA=baseline"]
        return compile_for_tsan(f"kernels_{bits}.o", *macros, "-c", ROOT / "src_c/kernels/kernels.c")

    with ThreadPoolExecutor(2) as both:
        objects = list(both.map(kernels, (32, 64)))
    assert None not in objects
    core = [path for path in sorted((ROOT / "src_c").glob("*/*.c")) if path.name != "kernels.c"]
    assert_runs(compile_for_tsan("train", ROOT / "tests/c/train_stress.c", *core, *objects, "-lm"))
