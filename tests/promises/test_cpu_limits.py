"""The initial number of threads: environment variables, affinity mask, control groups."""

import os

import pytest

from fastbp import ParameterError
from fastbp._base import threads
from fastbp._base.cpus import available_cpus, cgroup_cpus

CPUS = available_cpus()


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


@pytest.mark.parametrize(("quota", "limits"), [(3, [3]), (None, [])])
def test_the_pool_learns_the_limit_at_import(python, quota, limits):
    code = f"""
        import importlib
        from fastbp import _core
        from fastbp._base import cpus, threads
        limits = []
        _core.limit_cpus, cpus.cgroup_cpus = limits.append, lambda: {quota}
        importlib.reload(threads)
        print(limits)
    """
    result = python(code)
    assert result.stdout == f"{limits}\n", result.stderr


def test_the_limit_is_read_once(tmp_path):
    path = tmp_path / "proc" / "self" / "cgroup"
    path.parent.mkdir(parents=True)
    path.write_text(UNIFIED)
    assert cgroup_cpus(str(tmp_path)) is None
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("100000 100000")
    assert cgroup_cpus(str(tmp_path)) is None
    assert cgroup_cpus.__wrapped__(str(tmp_path)) == 1
