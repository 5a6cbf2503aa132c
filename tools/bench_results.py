"""Reads the results in bench/results/, groups their records, and puts their figures into words.

A record tells the time of some work, beside a rival or alone, or why the rival could not do it; bench/race.py
makes them. Some tests measure something else: `FIGURES`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fastbp.cli.bench import number

RESULTS = Path(__file__).parents[1] / "bench/results"
NAMES = {"amd-26-2": "Zen 5", "amd-25-17": "Zen 4", "amd-25-1": "Zen 3", "intel-6-207": "Intel"}
# tests that measure something else than times of steps: `value` of a `subject`, in some `unit`
FIGURES = {
    "accuracy": "accuracy after equal time of training",
    "memory": "peak memory of a fit",
    "import_time": "time of the import",
    "size": "size on disk",
}

Record = dict[str, Any]


@dataclass(frozen=True)
class Machine:
    """The results of one kind of processor."""

    file: str
    parts: dict[str, Any]

    @property
    def name(self) -> str:
        """A short name for tables."""
        return NAMES.get(self.file, self.file)

    @property
    def cpu(self) -> dict[str, Any]:
        """The processor."""
        return self.parts["cpu"]

    def about(self, part: str) -> dict[str, Any]:
        """Return date, versions and notes of a part."""
        return self.parts.get(part, {})

    def records(self, part: str) -> list[Record]:
        """Return the records of a part, none if it was not measured."""
        return self.about(part).get("records", [])

    @property
    def date(self) -> str:
        """The day of the last comparison with rivals."""
        return self.about("rivals").get("date", "")


def machines() -> list[Machine]:
    """Return all machines whose rivals were timed, the newest results first."""
    files = sorted(RESULTS.glob("*.json"))
    found = [Machine(file.stem, json.loads(file.read_text())) for file in files]
    return sorted((each for each in found if each.date), key=lambda each: each.date, reverse=True)


def shown() -> Machine:
    """Return the machine that the README shows: that of the newest results."""
    return machines()[0]


def beside_rivals(records: Iterable[Record]) -> list[Record]:
    """Return the records of a rival, also of one that could not run."""
    return [r for r in records if r.get("rival", "one thread") not in ("", "one thread")]


def groups(records: Iterable[Record]) -> dict[tuple[Any, ...], list[Record]]:
    """Return the records by the work that they are about, in the order of measurement."""
    together: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        together.setdefault((record["task"], record["description"], record["threads"]), []).append(record)
    return together


def of_times(group: Iterable[Record]) -> list[Record]:
    """Return the records of a group that have times."""
    return [record for record in group if "fastbp_us" in record]


def typical(records: Iterable[Record], figure: str) -> float:
    """Return the median of a figure that was measured once per rival."""
    return median(record[figure][1] for record in records)


def limits(machine: Machine) -> dict[str, list[float]]:
    """Return the limits of one core as quartiles: as measured by themselves, or else in the rounds."""
    about = machine.about("rivals")
    if "limits" in about:
        return about["limits"]
    seen: dict[str, list[list[float]]] = {}
    for record in of_times(machine.records("rivals")):
        unit, dtype = record["limit_unit"], record["description"].split()[-1]
        name = f"{record['isa']} {dtype}, GFLOP/s" if unit == "GFLOP/s" else "L2, GB/s"
        if record["threads"] == 1:
            seen.setdefault(name, []).append(record["limit"])
    return {name: [median(each) for each in zip(*of_name, strict=True)] for name, of_name in seen.items()}


def network(record: Record) -> str:
    """Return layers and activation of the network that was timed."""
    return record["description"].split(",")[0]


def work(record: Record) -> str:
    """Return a short description of the work that was timed."""
    threads = f", {record['threads']} threads" if record["threads"] > 1 else ""
    if record["task"] == "Inference":
        rows = "one row" if record["batch_size"] == 1 else f"{record['batch_size']} rows"
        return f"prediction of {rows}, {network(record)}{threads}"
    return f"{record['description']}{threads}"


def percent(share: float) -> str:
    """Return a share in whole percent; "below 1%" instead of "0%"."""
    return "below 1%" if share < 0.01 else f"{share:.0%}"


def in_words(figure: list[float]) -> str:
    """Return a median, with the interquartile range in parentheses if there is one."""
    low, middle, high = map(number, figure)
    return f"{middle} ({low} to {high})" if low != high else middle


def ratio(record: Record) -> str:
    """Return how many times faster fastbp is, bold if it is slower; or that the rival could not run."""
    if "cannot" in record:
        return "not installed" if record["cannot"] == "not installed" else "cannot"
    low, middle, high = map(number, record["times_faster"])
    shown = f"**{middle}**" if record["times_faster"][1] < 1 else middle
    star = "\\*" if all_count(record) else ""
    return f"{shown} ({low} to {high}){star}"


def all_count(record: Record) -> bool:
    """Return whether the marked rounds count, because they are most."""
    return record.get("contended", 0) > record["rounds"] - record.get("counted", record["rounds"])
