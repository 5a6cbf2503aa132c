"""The command `fastbp bench`, which times training steps by fastbp and by other libraries."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from importlib.util import find_spec
from math import isclose
from pathlib import Path
from statistics import median, quantiles

import fastbp
from fastbp import _core
from fastbp.cli import picture
from fastbp.cli.bench import WORKLOADS, Workload, number
from fastbp.cli.picture import Figures
from fastbp.cli.rivals import FASTBP, JAX, NUMPY, PYTORCH, SCIKIT_LEARN, UnsupportedError
from fastbp.cli.rivals.process import Process

RIVALS = (NUMPY, JAX, PYTORCH, SCIKIT_LEARN)
TIMED = WORKLOADS[:-1]  # without the largest, whose steps take too long
ROUNDS = 9
ROUND_SECONDS = 0.25  # shared by all libraries


def run(output: Path | None = None) -> None:
    """Print a table for each workload, and write a picture of them to `output`.

    Raises
    ------
    Error
        The losses of two libraries differ, or there is no matplotlib for the picture.
    """
    if output is not None and find_spec("matplotlib") is None:
        raise fastbp.Error('a picture needs matplotlib: pip install "fastbp[plot]"')
    with ExitStack() as running:
        ours, others = running.enter_context(Process(FASTBP)), start(running)
        heading = describe([process.version for process in others.values()])
        print(heading)
        found = {workload: compare(workload, ours, others) for workload in TIMED}
    if output is not None:
        picture.draw(heading.partition("\n")[0], found, output)
        print(f"\npicture: {output.resolve()}")


def start(running: ExitStack) -> dict[str, Process]:
    """Return the process of every library that can run, and print which cannot."""
    processes, missing = {}, []
    for rival in RIVALS:
        if find_spec(rival.package) is None:
            missing.append(rival.name)
            continue
        try:
            processes[rival.name] = running.enter_context(Process(rival))
        except (UnsupportedError, RuntimeError) as error:
            print(f"left out: {reason(error, rival.name)}")
    if missing:
        print(f"not installed: {', '.join(missing)}")
    return processes


def compare(workload: Workload, ours: Process, others: dict[str, Process]) -> list[Figures]:
    """Time a workload, and print one line per library."""
    print(f"\n{workload.name}: {workload}", flush=True)
    able, left_out = agreeing(workload, ours, others)
    figures = measure(workload, able)
    print(f"  {'':14}{'us':>8}   times faster, quartiles of {ROUNDS} rounds")
    for each in figures:
        low, faster, high = each.faster
        beside = "" if each.name == FASTBP.name else f"   {faster:.3g} ({low:.3g} to {high:.3g})"
        print(f"  {each.name:14}{number(each.microseconds):>8}{beside}")
    for text in left_out:
        print(f"  left out: {text}")
    return figures


def agreeing(
    workload: Workload, ours: Process, others: dict[str, Process]
) -> tuple[dict[str, Process], list[str]]:
    """Return the processes that can do this work, and why the others cannot; print their loss."""
    ours.ask("load", "Training", workload)
    loss = ours.ask("result")
    able, left_out = {FASTBP.name: ours}, []
    for name, process in others.items():
        try:
            loaded = process.ask("load", "Training", workload)
        except (UnsupportedError, RuntimeError) as error:
            left_out.append(reason(error, name))
            continue
        other = process.ask("result")
        if not isclose(other, loss, rel_tol=max(workload.rtol, loaded["rtol"])):
            raise fastbp.Error(
                f"{workload.name}: nothing is timed, because the losses differ: {loss}, {other} of {name}"
            )
        able[name] = process
    print(f"  loss after {workload.epochs} epochs, the same for all: {loss:.4g}", flush=True)
    return able, left_out


def measure(workload: Workload, processes: dict[str, Process]) -> list[Figures]:
    """Return the figures of each library, the first of which is fastbp; they take turns."""
    seconds = ROUND_SECONDS / len(processes)
    counts = {name: process.ask("count_for", seconds) for name, process in processes.items()}
    times: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(ROUNDS):
        for name, process in processes.items():
            with ExitStack() as stopped:
                for other in processes.values():
                    if other is not process:
                        stopped.enter_context(other.stopped())
                steps = counts[name] * workload.batches
                times[name].append(1e6 * process.ask("seconds", counts[name]) / steps)
    figures = []
    for name, each in times.items():
        ratios = [b / a for a, b in zip(times[FASTBP.name], each, strict=True)]
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        figures.append(Figures(name, median(each), (low, middle, high)))
    return figures


def reason(error: Exception, name: str) -> str:
    """Return the last line of an error, which says what is wrong, after the name of the library."""
    text = str(error).strip().splitlines()[-1]
    return text if text.startswith(name) else f"{name}: {text}"


def describe(versions: list[str]) -> str:
    """Return the heading of the tables: versions, processor, unit."""
    return (
        f"fastbp {fastbp.__version__} on its {_core.isa()} path, {processor()}, one thread\n"
        f"beside {'; '.join(versions) or 'no other library'}\n"
        "microseconds per training step, and how many times faster fastbp is"
    )


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
