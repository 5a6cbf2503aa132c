"""Makes the tables of the guide about Dask: rows per second, the model beside the times, and many workers."""

from collections.abc import Sequence

from bench_results import Machine, Record, in_words, machines
from bench_tables import markdown

from fastbp.cli.bench import number

WAYS = {
    "Network.fit": "`Network.fit` on this machine",
    "synchronous": '`mode="synchronous"`',
    "local": '`mode="local"`',
    "Incremental": "dask-ml's `Incremental` over scikit-learn's MLP",
}


def cluster_block() -> str:
    """Return the tables of the newest results; nothing if there are none."""
    found = sorted(machines(), key=lambda each: each.about("dask").get("date", ""))
    return of_machine(found[-1]) if found else ""


def of_machine(machine: Machine) -> str:
    """Return the tables of one machine, each with what it says."""
    by_test: dict[str, list[Record]] = {}
    for record in machine.records("dask"):
        by_test.setdefault(record["test"], []).append(record)
    parts = []
    if timed := by_test.get("cluster", []):
        parts += [speeds(timed), legend(machine, timed)]
    if compared := by_test.get("cluster_model", []):
        parts += [beside_model(compared), costs(compared[0]["costs"])]
    parts += [text for record in by_test.get("cluster_extrapolated", []) for text in extrapolated(record)]
    return "\n".join(parts)


def speeds(records: Sequence[Record]) -> str:
    """Return rows per second: a row per way to train, and two columns per network."""
    titles = [f"{record['workload']} steps, {on}" for record in records for on in ("on one", "on two")]
    lines = [["rows per second", *titles]]
    for way, title in WAYS.items():
        cells = []
        for record in records:
            found = [
                figure for name, figure in record["rows_per_second"].items() if name.startswith(f"{way},")
            ]
            cells += [in_words(figure) for figure in found] or [record["cannot"].get(way, "")] * 2
        lines.append([title, *cells])
    return markdown(lines)


def legend(machine: Machine, records: Sequence[Record]) -> str:
    """Return what was trained and where."""
    about = machine.about("dask")
    works = "; ".join(f"{record['workload']} steps: {record['description']}" for record in records)
    return (
        f"The median of the epochs but the first, with the interquartile range. {works}. On one or two: "
        f"threads of `Network.fit`, or worker processes of one thread. {records[0]['shards']} shards. Caller "
        f"and scheduler share the {machine.cpu['cores']} cores of the machine with the workers. "
        "Measured with: "
        f"{machine.cpu['name']} ({machine.name}), {about['isa']} path; {'; '.join(records[0]['versions'])}. "
        f"{about['date']}.\n"
    )


def beside_model(records: Sequence[Record]) -> str:
    """Return the seconds of a round that were timed and those that the model says."""
    lines = [["a round", "timed, one worker", "model", "timed, two workers", "model"]]
    for record in records:
        cells = [in_time(record[what][n]) for n in ("1", "2") for what in ("timed", "said")]
        lines.append([f"{record['workload']} steps, {record['mode']}", *cells])
    return markdown(lines)


def costs(found: dict[str, float]) -> str:
    """Return the numbers of the model in words."""
    speed = {name: f"{1e-9 / found[name]:.2g} GB/s" if found[name] else "no limit" for name in ("down", "up")}
    return (
        f"The model has, on this machine, {in_time(found['round'])} per round and {in_time(found['task'])} "
        f"per task, {speed['down']} to the workers and {speed['up']} back.\n"
    )


def extrapolated(record: Record) -> list[str]:
    """Return what the model says about many workers: a table, and what it assumes."""
    gains, least = record["gains"], record["least_step"]
    workers = [n for n in next(iter(gains.values())) if n != "1"]
    lines = [["extrapolated, times one thread of one machine", *(f"{n} workers" for n in workers)]]
    lines += [[name, *(number(found[n]) for n in workers)] for name, found in gains.items()]
    lines.append(["a step gains if it takes more than", *(in_time(least[n]) for n in workers)])
    text = (
        f"Not measured: the model with {record['link'] / 1.25e8:g} Gbit/s and {in_time(record['latency'])} "
        f"to reach a machine, for {record['description']}, which has {record['parameters']:,} parameters. "
        "Each worker has one thread and one shard.\n"
    )
    return [markdown(lines), text]


def in_time(seconds: float) -> str:
    """Return a time in ms or s."""
    if seconds == float("inf"):
        return "never"
    return f"{number(1e3 * seconds)} ms" if seconds < 1 else f"{number(seconds)} s"
