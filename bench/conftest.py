"""Fixtures of the benchmarks: one process per contestant for the whole session; records, and their summary.

A test leaves its record in `benchmark.extra_info`, with its name as "test", or appends records to the fixture
`records`. store.py keeps them.
"""

import os
from contextlib import ExitStack

import pytest

import fastbp
import race
import store
from fastbp.cli.bench import Workload
from rivals import FASTBP, RIVALS, Rival, UnsupportedError

RECORDS = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def process():
    """Return a function that gives the process of a contestant and starts it on first use."""
    running = {}
    with ExitStack() as stack:

        def process(rival: Rival, threads: int = 1, isa: str | None = None) -> race.Process:
            key = rival.module, *sorted(rival.environment.items()), threads, isa
            if key not in running:
                running[key] = stack.enter_context(race.Process(rival, threads, isa))
            return running[key]

        yield process


@pytest.fixture(scope="session")
def records(request):
    """Return the list of all records of the session."""
    return request.config.stash.setdefault(RECORDS, [])


@pytest.fixture(scope="module")
def report(request):
    """Collect lines and print them at the end, under the `TITLE` of the module."""
    lines = []
    yield lines
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\n{request.module.TITLE}", *lines, sep="\n")


@pytest.fixture(autouse=True)
def collect(records, request):
    """Add the record that a test leaves in `benchmark.extra_info`."""
    benchmark = request.getfixturevalue("benchmark") if "benchmark" in request.fixturenames else None
    yield
    if benchmark and "test" in benchmark.extra_info:
        records.append({"name": request.node.name, **benchmark.extra_info})


@pytest.fixture
def compare(process, benchmark, records, request):
    """Return a function that times fastbp, and optionally a rival, on a workload and keeps a record."""

    def compare(
        workload: Workload, name="", *, task="Training", limit="peak", threads=1, isa=None, rounds=race.ROUNDS
    ) -> None:
        record = {
            "test": request.node.originalname.removeprefix("test_"),
            "task": task,
            "workload": workload.name,
            "description": str(workload),
            "layers": workload.layers,
            "batch_size": workload.batch_size,
            "threads": threads,
            "isa": isa or fastbp._core.isa(),
            "rival": name,
        }
        try:
            ours, rival = process(FASTBP, threads, isa), None
            if name == "one thread":
                rival = process(FASTBP)
            elif name:
                rival = process(RIVALS[name], threads)
                same = RIVALS[name].variant_of
                if same and process(RIVALS[same], threads).version == rival.version:
                    pytest.skip(f"the same as {same} on this machine: {rival.version}")
            contest = race.Race(ours, rival, task, workload, limit)
        except UnsupportedError as error:
            reason = str(error).removeprefix(f"{name}: ")
            reason = "not installed" if reason.startswith("No module named") else reason
            records.append({"name": request.node.name, **record, "cannot": reason})
            pytest.skip(f"{name or 'fastbp'}: {reason}")
        benchmark.pedantic(contest.round, rounds=contest.rounds(rounds))
        benchmark.extra_info.update(record | contest.record())

    return compare


def pytest_terminal_summary(terminalreporter, config):
    form = "{:14} {:9} {:>7} {:8} {:>10} {:>10} {:>24} {:>9}   {:16} {:>10}   {:26}"
    titles = (
        "",
        "",
        "threads",
        "ISA",
        "fastbp, us",
        "CPU, us",
        "of the limit",
        "contended",
        "rival",
        "us",
        "times faster (quartiles)",
    )
    records = config.stash.get(RECORDS, [])
    timed = [record for record in records if "fastbp_us" in record]
    if timed:
        terminalreporter.section("fastbp beside its rivals")
        terminalreporter.line(form.format(*titles))
    for record in timed:
        us, cpu = record["fastbp_us"][1], record["fastbp_cpu_us"][1]
        share = f"{record['share_of_limit'][1]:.0%} of {record['limit'][1]:.0f} {record['limit_unit']}"
        contended = f"{record['contended']} of {record['rounds']}"
        row = [record["test"], record["workload"], record["threads"], record["isa"]]
        row += [f"{us:.4g}", f"{cpu:.4g}", share, contended]
        if record["rival"]:
            low, times, high = record["times_faster"]
            row += [record["rival"], f"{record['rival_us'][1]:.4g}", f"{times:.3g} ({low:.3g} to {high:.3g})"]
        terminalreporter.line(form.format(*row, *[""] * (len(titles) - len(row))).rstrip())
    beside = [record for record in timed if record["rival"]]
    if behind := [record for record in beside if record["times_faster"][0] < 1]:
        terminalreporter.section(
            f"not clearly faster in {len(behind)} of {len(beside)}: lower quartile, median"
        )
    for record in behind:
        low, times, _ = record["times_faster"]
        threads = f"{record['threads']} threads" if record["threads"] > 1 else ""
        row = [record["test"], record["workload"], threads, record["rival"], f"{low:.3g}", f"{times:.3g}"]
        terminalreporter.line("{:14} {:9} {:10} {:16} {:>6} {:>6}".format(*row))


def pytest_sessionfinish(session, exitstatus):
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):  # not if it was interrupted
        if part := os.environ.get("BENCH_PART"):
            store.keep(part, session.config.stash.get(RECORDS, []))
