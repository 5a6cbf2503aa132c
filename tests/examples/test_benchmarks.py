"""The benchmarks: which rounds count, where results are kept, what the tables make of them."""

import dataclasses
import importlib
import json

import numpy as np
import pytest

from helpers.paths import ROOT

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside these tests", allow_module_level=True)

import contention
import store

QUIET = [(100.0, 50.0), (98.0, 49.0)]  # speeds of the two loops after both timings of a round
BUSY = [(1.0, 1.0), (2.0, 0.9)]  # wall-clock and CPU time of fastbp, then of a rival that waits


@pytest.fixture
def noted(monkeypatch):
    """A function that returns the marks of rounds, given as (times, speeds), after a quiet first one."""
    monkeypatch.setattr(contention.Contention, "_fastest", {})

    def noted(*rounds, threads=1):
        found = contention.Contention("baseline", threads)
        for times, speeds in [(BUSY, QUIET), *rounds]:
            found.add(times, speeds)
        return found.marks().tolist()

    return noted


def test_quiet_rounds_have_no_mark(noted):
    assert noted((BUSY, QUIET), (BUSY, [(91.0, 46.0), (95.0, 48.0)])) == [[False] * 3] * 2


def test_a_slow_loop_marks_its_round(noted):
    registers, cache = [(100.0, 50.0), (89.0, 50.0)], [(100.0, 44.0), (100.0, 50.0)]
    marks = noted((BUSY, registers), (BUSY, cache), (BUSY, QUIET))
    assert marks == [[True, False, False], [False, True, False], [False] * 3]


def test_time_of_other_programs_marks_a_round(noted):
    ours, rivals = [(1.2, 1.0), (2.0, 0.9)], [(1.0, 1.0), (3.0, 0.9)]
    marks = noted((BUSY, QUIET), (ours, QUIET), (rivals, QUIET))
    assert [row[2] for row in marks] == [False, True, True]


def test_several_threads_may_wait(noted):
    always = [(1.0, 1.6), (2.0, 0.9)]
    assert [row[2] for row in noted((always, QUIET), ([(1.2, 1.6), (2.0, 0.9)], QUIET), threads=2)] == [
        False,
        True,
    ]
    assert [row[2] for row in noted(([(1.0, 0.5), (2.0, 0.9)], QUIET), threads=1)] == [True]


@pytest.mark.parametrize(("marked", "count"), [((0, 0, 0, 0), 4), ((1, 1, 0, 0), 2), ((1, 1, 1, 0), 4)])
def test_marked_rounds_are_left_out_unless_they_are_most(marked, count):
    assert contention.counted(np.array(marked, bool)).sum() == count


def test_a_part_of_the_results_leaves_the_others_alone(tmp_path):
    path, cpu = tmp_path / "some.json", {"vendor": "v", "family": 1, "model": 2, "name": "n"}
    store.write(path, cpu, "rivals", {"date": "1", "records": [{"test": "a"}, {"test": "b"}]})
    store.write(path, cpu, "growth", {"date": "2", "records": []})
    store.write(path, cpu, "rivals", {"date": "3", "records": [{"test": "c"}]})
    parts = json.loads(path.read_text())
    assert parts["rivals"] == {"date": "3", "records": [{"test": "c"}]}
    assert parts["growth"] == {"date": "2", "records": []}
    assert parts["cpu"] == cpu


@pytest.mark.parametrize(
    ("vendor", "family", "model", "name", "expected"),
    [
        ("AuthenticAMD", 26, 2, "AMD EPYC", "amd-26-2"),
        ("GenuineIntel", 6, 207, "Intel(R) Xeon(R)", "intel-6-207"),
        ("", None, None, "Some (R) CPU / 3", "some-r-cpu-3"),
        ("", None, None, "", "unknown"),
    ],
)
def test_files_are_called_after_the_processor(vendor, family, model, name, expected):
    cpu = {"vendor": vendor, "family": family, "model": model, "name": name}
    assert store.name_of(cpu) == expected


# ---- tables ------------------------------------------------------------------------------------------------


@pytest.fixture
def tables(monkeypatch):
    """The module that makes the tables."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("bench_tables")


def record(rival, ratio=None, **others):
    """Return a record of some work beside a rival."""
    times = {
        "fastbp_us": [1.0, 2.0, 3.0],
        "fastbp_cpu_us": [1.0, 1.5, 2.0],
        "share_of_limit": [0.4, 0.5, 0.6],
        "limit_unit": "GFLOP/s",
        "rounds": 11,
        "contended": 0,
        "counted": 11,
        "times_faster": ratio,
    }
    work = {"test": "training", "task": "Training", "description": "3-2-1 relu, mse", "threads": 1}
    return work | {"rival": rival, "batch_size": 4} | (times if ratio else {}) | others


def test_a_loss_is_bold_and_a_gain_is_not(tables):
    row = tables.cells([record("NumPy", [1.5, 2.0, 2.5]), record("FANN", [0.8, 0.9, 1.1])])
    assert row == [
        "2.00 (1.50)",
        "50% of peak",
        "2.00 (1.50 to 2.50)",
        "",
        "",
        "",
        "FANN **0.900** (0.800 to 1.10)",
    ]


def test_a_rival_that_cannot_run_is_named_with_the_reason(tables):
    group = [record("NumPy", [1.5, 2.0, 2.5]), record("JAX", cannot="not installed")]
    assert tables.cells(group)[3] == "not installed"
    assert tables.cells([record("JAX", cannot="JAX has no such loss")])[3] == "cannot"
    assert "JAX: not installed." in tables.contention(group)
    other_work = record("JAX", [1.0, 1.0, 1.0], description="5-5 relu, mse")
    assert "JAX: not installed (3-2-1 relu, mse)." in tables.contention([*group, other_work])


def test_rows_say_if_marked_rounds_count(tables):
    left_out = record("NumPy", [1.5, 2.0, 2.5], contended=3, counted=8)
    kept = record("NumPy", [1.5, 2.0, 2.5], contended=9, counted=11)
    assert "*" not in tables.cells([left_out])[2]
    assert tables.cells([kept])[2].endswith("\\*")
    assert "3 of 11 rounds, which are left out." in tables.contention([left_out])
    assert "12 of 22 rounds, which are left out, but not in rows with a star" in tables.contention(
        [left_out, kept]
    )


def test_figures_that_are_no_times_have_a_table(tables):
    results = importlib.import_module("bench_results")
    figure = {"test": "memory", "unit": "MB", "note": "above the data"}
    records = [
        {**figure, "subject": "fastbp", "value": [1.0, 2.0, 3.0]},
        {**figure, "subject": "PyTorch", "value": [7.0, 8.0, 9.0]},
    ]
    machine = results.Machine("some", {"extras": {"records": records}})
    text = tables.figures_table(machine)
    assert text.splitlines()[0] == "|  | fastbp | PyTorch |"
    assert text.splitlines()[2] == "| peak memory of a fit, MB | 2.00 (1.00 to 3.00) | 8.00 (7.00 to 9.00) |"
    assert tables.notes(machine) == "- peak memory of a fit: fastbp, PyTorch: above the data.\n"
    assert tables.figures_table(results.Machine("some", {})) == ""


# ---- estimators --------------------------------------------------------------------------------------------


def estimators_record(**others):
    """Return the record of two seeds on a data set."""
    return {
        "test": "estimators",
        "problem": "wine",
        "rows_and_features": [178, 13],
        "parameters": {"max_iter": 1000},
        "seeds": 2,
        "scores": {"scikit-learn": [0.9, 1.0], "fastbp": [1.0, 1.0]},
        "seconds": {
            "scikit-learn": {"1": [3.0, 5.0], "2": [4.0, 6.0]},
            "fastbp": {"1": [1.0, 9.0], "2": [1.0, 2.0]},
        },
        "versions": {"fastbp": "fastbp 1", "scikit-learn": "scikit-learn 2"},
    } | others


def test_estimators_have_a_table(tables):
    results, estimators = map(importlib.import_module, ("bench_results", "estimator_table"))
    cells = ["wine, 178 x 13", "1.000 ± 0.000", "0.950 ± 0.050", "", "3.00", "8.00", ""]
    assert estimators.cells(estimators_record()) == [*cells, "2.75 (2.62 to 2.88)", ""]
    slow = {"scikit-learn": {"1": [1.0, 1.0]}, "fastbp": {"1": [2.0, 2.0]}}
    assert estimators.cells(estimators_record(seconds=slow))[7] == "**0.500**"

    search = {
        "test": "search",
        "grid": {"alpha": [0, 1], "tol": [0, 1, 2]},
        "folds": 3,
        "jobs": 2,
        "times_faster": [1.0, 2.0, 3.0],
    }
    others = estimators_record(problem="iris", parameters={"max_iter": 1000})
    part = {"date": "1", "isa": "avx2", "python": "3", "records": [estimators_record(), others, search]}
    text = estimators.of_machine(results.Machine("some", {"cpu": {"name": "CPU"}, "sklearn": part}))
    assert "the defaults, but `max_iter=1000` for wine, iris. " in text
    assert "on one thread or 2, whichever is faster" in text
    assert "6 places and 3 folds, is 2.00 (1.00 to 3.00) times as fast on 2 threads" in text
    assert estimators.of_machine(results.Machine("some", {"cpu": {"name": "CPU"}})) == ""


# ---- sparse rows -------------------------------------------------------------------------------------------


def test_made_text_has_the_shape_of_text():
    workloads = pytest.importorskip("sparse_workloads", reason="SciPy is not installed")
    small = dataclasses.replace(workloads.ADAM, rows=1200, words=9000, entries=60)
    X, y = small.data()
    again, labels = small.data()
    assert X.shape == (1200, 9000)
    assert (X.dtype, X.indices.dtype) == (np.float32, np.int32)
    assert X.has_canonical_format
    assert abs(X - again).nnz == 0
    np.testing.assert_array_equal(y, labels)
    assert 45 < X.nnz / 1200 < 75
    np.testing.assert_allclose((X**2).sum(axis=1), 1, rtol=1e-5)
    documents = np.sort(np.bincount(X.indices, minlength=9000))[::-1]  # with each word
    assert documents[0] > 400
    assert documents[4500] < 12  # most words are rare
    centers = np.array([X[:1000][y[:1000] == label].mean(axis=0) for label in range(20)])  # (20, 9000)
    assert np.mean((X[1000:] @ centers.T).argmax(axis=1) == y[1000:]) > 0.4  # 0.05 by guessing


# ---- clusters ----------------------------------------------------------------------------------------------


def cluster_records():
    """Return the records of bench_dask.py for one network."""
    speeds = {
        "Network.fit, 1 thread": [90.0, 100.0, 110.0],
        "Network.fit, 2 threads": [200.0] * 3,
        "synchronous, 1 worker": [50.0] * 3,
        "synchronous, 2 workers": [80.0] * 3,
        "local, 1 worker": [60.0] * 3,
        "local, 2 workers": [120.0] * 3,
    }
    timed = {
        "test": "cluster",
        "workload": "quick",
        "description": "4-2 relu",
        "rows_per_second": speeds,
        "cannot": {"Incremental": "No module named 'dask_ml'"},
        "shards": 4,
        "versions": ["distributed 1"],
    }
    model = {
        "test": "cluster_model",
        "workload": "quick",
        "mode": "local",
        "costs": {"round": 0.004, "task": 0.0005, "down": 1e-9, "up": 0.0},
        "timed": {"1": 0.002, "2": 2.0},
        "said": {"1": 0.003, "2": 1.0},
    }
    far = {
        "test": "cluster_extrapolated",
        "description": "4-2 relu",
        "parameters": 10,
        "link": 1.25e9,
        "latency": 1e-4,
        "gains": {"local": {"1": 0.9, "2": 1.5, "100": 50.0}},
        "least_step": {"2": 0.02, "100": float("inf")},
    }
    return [timed, model, far]


def test_clusters_have_tables(tables):
    results, clusters = map(importlib.import_module, ("bench_results", "cluster_table"))
    part = {"date": "1", "isa": "avx2", "records": cluster_records()}
    machine = results.Machine("some", {"cpu": {"name": "CPU", "cores": 2}, "dask": part})
    lines = clusters.of_machine(machine).splitlines()
    assert "| `Network.fit` on this machine | 100 (90.0 to 110) | 200 |" in lines
    assert '| `mode="local"` | 60.0 | 120 |' in lines
    missing = [line for line in lines if "Incremental" in line]
    assert missing[0].count("No module named") == 2
    assert "| quick steps, local | 2.00 ms | 3.00 ms | 2.00 s | 1.00 s |" in lines
    assert any(
        "4.00 ms per round and 0.500 ms per task, 1 GB/s to the workers and no limit back" in each
        for each in lines
    )
    assert "| extrapolated, times one thread of one machine | 2 workers | 100 workers |" in lines
    assert "| a step gains if it takes more than | 20.0 ms | never |" in lines
    assert any("Not measured: the model with 10 Gbit/s and 0.100 ms" in each for each in lines)
    assert clusters.of_machine(results.Machine("some", {"cpu": {"name": "CPU"}})) == ""
