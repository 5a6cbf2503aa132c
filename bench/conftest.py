"""Fixtures of the benchmarks: one process per contestant for the whole session, and a summary at the end."""

import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import fastbp
import machine
import race
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


@pytest.fixture
def compare(process, benchmark, request):
    """Return a function that times fastbp, and optionally a rival, on a workload and keeps a record."""

    def compare(
        workload: Workload, name="", *, task="Training", limit="peak", threads=1, isa=None, rounds=race.ROUNDS
    ) -> None:
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
        except UnsupportedError as reason:
            pytest.skip(str(reason))
        benchmark.pedantic(contest.round, rounds=contest.rounds(rounds))
        test = request.node.originalname.removeprefix("test_")
        record = {"test": test, "task": task, "workload": workload.name, "rival": name} | contest.record()
        record |= {"description": str(workload), "layers": workload.layers, "batch_size": workload.batch_size}
        benchmark.extra_info.update(record | {"threads": threads, "isa": isa or fastbp._core.isa()})
        request.config.stash.setdefault(RECORDS, []).append(benchmark.extra_info)

    return compare


def pytest_terminal_summary(terminalreporter, config):
    form = "{:14} {:9} {:>7} {:8} {:>10} {:>24}   {:16} {:>10}   {:26}"
    titles = (
        "",
        "",
        "threads",
        "ISA",
        "fastbp, us",
        "of the limit",
        "rival",
        "us",
        "times faster (quartiles)",
    )
    records = config.stash.get(RECORDS, [])
    if records:
        terminalreporter.section("fastbp beside its rivals")
        terminalreporter.line(form.format(*titles))
    for record in records:
        _, us, _ = record["fastbp_us"]
        share = f"{record['share_of_limit'][1]:.0%} of {record['limit'][1]:.0f} {record['limit_unit']}"
        row = [record["test"], record["workload"], record["threads"], record["isa"], f"{us:.4g}", share]
        if record["rival"]:
            low, times, high = record["times_faster"]
            row += [record["rival"], f"{record['rival_us'][1]:.4g}", f"{times:.3g} ({low:.3g} to {high:.3g})"]
        terminalreporter.line(form.format(*row, *[""] * (len(titles) - len(row))).rstrip())
    beside = [record for record in records if record["rival"]]
    if behind := [record for record in beside if record["times_faster"][0] < 1]:
        terminalreporter.section(
            f"not clearly faster in {len(behind)} of {len(beside)}: lower quartile, median"
        )
    for record in behind:
        low, times, _ = record["times_faster"]
        threads = f"{record['threads']} threads" if record["threads"] > 1 else ""
        row = [record["test"], record["workload"], threads, record["rival"], f"{low:.3g}", f"{times:.3g}"]
        terminalreporter.line("{:14} {:9} {:10} {:16} {:>6} {:>6}".format(*row))


def pytest_benchmark_update_machine_info(machine_info):
    python, info = machine_info["python_version"], Path("/proc/cpuinfo")
    machine_info.clear()
    machine_info.update(machine.describe())
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    machine_info.update(
        cpu_flags=[flag for flag in flags if flag.startswith(("sse", "avx", "fma"))],
        platform=sys.platform,
        python=python,
        numpy=np.__version__,
        fastbp=fastbp.__version__,
        built_with=fastbp._core.COMPILER,
    )


def pytest_benchmark_update_json(output_json):
    output_json["benchmarks"] = [
        {"name": benchmark["name"], **benchmark["extra_info"]} for benchmark in output_json["benchmarks"]
    ]
    del output_json["commit_info"]
