"""Makes the tables of the benchmarks for the README and for docs/internals/performance.md."""

from collections.abc import Iterable
from statistics import quantiles

from bench_results import (
    FIGURES,
    Machine,
    Record,
    all_count,
    beside_rivals,
    groups,
    in_words,
    limits,
    machines,
    network,
    of_times,
    percent,
    ratio,
    shown,
    typical,
    work,
)

from fastbp.cli.bench import number

COLUMNS = ("NumPy", "JAX", "PyTorch", "scikit-learn")  # rivals with a column of their own


def markdown(lines: Iterable[Iterable[str]]) -> str:
    """Return a table, whose first line is its heading."""
    heading, *rest = map(list, lines)
    rows = [heading, ["---"] * len(heading), *rest]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


# ---- one machine, for the README ---------------------------------------------------------------------------


def readme_block() -> str:
    """Return the table of the newest results, and what was measured beside them."""
    machine = shown()
    records = machine.records("rivals")
    lines = [["workload", *FIGURE_TITLES]]
    lines += [[work(group[0]), *cells(group)] for group in groups(beside_rivals(records)).values()]
    parts = [
        markdown(lines),
        f"{legend([machine])} {contention(records)}Measured with: {measured_with(machine)}\n",
        *other_figures(records),
        figures_table(machine),
    ]
    return "\n".join(part for part in parts if part)


FIGURE_TITLES = ("fastbp, µs (CPU)", "share of the limit", *COLUMNS, "others")


def legend(known: list[Machine]) -> str:
    """Return what the columns mean."""
    rounds = max(record["rounds"] for machine in known for record in of_times(machine.records("rivals")))
    return (
        "The columns of the other libraries show how many times faster fastbp is: the median of up to "
        f"{rounds} alternating rounds, with the interquartile range in parentheses. Below 1, in bold, the "
        "other library is faster. An empty cell was not timed. The limit is measured in the same rounds. The "
        "CPU time, of all threads, stands in parentheses behind the time."
    )


def cells(group: list[Record]) -> list[str]:
    """Return the cells of one work on one machine: fastbp's time, share of the limit, ratios."""
    timed = of_times(group)
    ratios = {record["rival"]: ratio(record) for record in group}
    others = [f"{rival} {text}" for rival, text in sorted(ratios.items()) if rival not in COLUMNS]
    return [time(timed), share(timed), *(ratios.get(rival, "") for rival in COLUMNS), "<br>".join(others)]


def time(timed: list[Record]) -> str:
    """Return fastbp's time, with its CPU time if that was taken."""
    if not timed:
        return ""
    us = number(typical(timed, "fastbp_us"))
    with_cpu = [record for record in timed if "fastbp_cpu_us" in record]
    return f"{us} ({number(typical(with_cpu, 'fastbp_cpu_us'))})" if with_cpu else us


def share(timed: list[Record]) -> str:
    """Return the share of the limit."""
    if not timed:
        return ""
    unit = timed[0]["limit_unit"].partition(" of ")[2] or "peak"
    return f"{percent(typical(timed, 'share_of_limit'))} of {unit}"


def contention(records: list[Record]) -> str:
    """Return what the rounds met, and why rivals could not run: one sentence each, with a space behind."""
    sentences = []
    timed = [record for record in of_times(records) if "contended" in record]
    if timed:
        marked, rounds = (sum(record[name] for record in timed) for name in ("contended", "rounds"))
        sentences.append(
            f"Others used the processor in {marked} of {rounds} rounds, which are left out"
            + (", but not in rows with a star, where most met that." if any(map(all_count, timed)) else ".")
        )
    if reasons := cannot(records):
        sentences.append(f"Could not run: {reasons}.")
    return "".join(f"{sentence} " for sentence in sentences)


def cannot(records: list[Record]) -> str:
    """Return which rivals could not run, why, and on which work if there was other work that they did."""
    by_reason: dict[tuple[str, str], list[Record]] = {}
    for record in beside_rivals(records):
        if "cannot" in record:
            by_reason.setdefault((record["rival"], record["cannot"]), []).append(record)
    ran = {record["rival"] for record in beside_rivals(of_times(records))}
    texts = []
    for (rival, reason), failed in by_reason.items():
        where = dict.fromkeys(work(record) for record in failed)
        why = reason if reason.startswith(rival) else f"{rival}: {reason}"
        texts.append(why + (f" ({'; '.join(where)})" if rival in ran else ""))
    return "; ".join(texts)


def measured_with(machine: Machine) -> str:
    """Return processor, compiler, versions and date of the comparison."""
    about = machine.about("rivals")
    note = f" ({about['note']})" if "note" in about else ""
    return (
        f"{machine.cpu['name']} ({machine.name}), {about['isa']} path; {about['built_with']}, "
        f"Python {about['python']}; {'; '.join(versions(machine))}. {about['date']}{note}."
    )


def versions(machine: Machine) -> list[str]:
    """Return the versions of fastbp and of the rivals."""
    return sorted({r["version"] for r in machine.records("rivals") if r.get("version")})


def other_figures(records: list[Record]) -> list[str]:
    """Return the figures that were measured without a rival, one paragraph each."""
    paragraphs = []
    scaling: dict[int, list[str]] = {}
    for record in records:
        if record.get("rival") == "one thread" and "times_faster" in record:
            rows = f" ({record['batch_size']:,} rows)" if record["batch_size"] >= 100_000 else ""
            words = f"{network(record)}{rows} {in_words(record['times_faster'])}"
            scaling.setdefault(record["threads"], []).append(words)
    for threads, times in scaling.items():
        paragraphs.append(f"Speedup of {threads} threads over one: {', '.join(times)}.\n")
    for record in records:
        if record["test"] == "two_networks":
            low, middle, high = quantiles(record["times_the_work_of_one"], n=4)
            paragraphs.append(
                "Two networks (784-128-10 relu), each trained by its own Python thread, do "
                f"{in_words([low, middle, high])} times the work of one: fastbp releases the GIL.\n"
            )
    shares = [
        f"{network(record)} in {record['description'].split()[-1]} on the {record['isa']} path "
        f"{percent(record['share_of_limit'][1])}"
        for record in of_times(records)
        if record["rival"] == ""
    ]
    if shares:
        precisions = "Share of the peak for other precisions and instruction sets"
        paragraphs.append(f"{precisions}: {', '.join(shares)}.\n")
    return paragraphs


def figures_table(machine: Machine) -> str:
    """Return the table of what is not a time of steps: a row per test, a column per library."""
    records = figures(machine)
    subjects = list(dict.fromkeys(record["subject"] for record in records))
    lines = [["", *subjects]]
    for test, title in FIGURES.items():
        of_test = {record["subject"]: record for record in records if record["test"] == test}
        for unit in dict.fromkeys(record["unit"] for record in of_test.values()):
            shown = {each: r["value"] for each, r in of_test.items() if r["unit"] == unit}
            values = (in_words(shown[each]) if each in shown else "" for each in subjects)
            lines.append([f"{title}, {unit}" if unit else title, *values])
    return markdown(lines) if records else ""


def figures(machine: Machine) -> list[Record]:
    """Return the records of what is not a time of steps."""
    return [r for part in machine.parts.values() for r in part.get("records", []) if "subject" in r]


def notes(machine: Machine) -> str:
    """Return what the records of such figures note, a line per test."""
    lines = []
    for test, title in FIGURES.items():
        by_note: dict[str, list[str]] = {}
        for record in figures(machine):
            if record["test"] == test and record.get("note"):
                by_note.setdefault(record["note"], []).append(record["subject"])
        if by_note:
            texts = (f"{', '.join(subjects)}: {note}" for note, subjects in by_note.items())
            lines.append(f"- {title}: {'; '.join(texts)}.\n")
    return "".join(lines)


# ---- all machines, for the page on performance -------------------------------------------------------------


def machines_block() -> str:
    """Return the machines with their limits, and their results side by side."""
    known = machines()
    return "\n".join([properties(known), side_by_side(known), legend(known) + "\n", *map(said, known)])


def properties(known: list[Machine]) -> str:
    """Return the table of processors, limits and versions: a column per machine."""
    named = {machine.name: limits(machine) for machine in known}
    peaks, caches_read = [
        sorted({limit for of in named.values() for limit in of if limit.endswith(unit)})
        for unit in ("GFLOP/s", "GB/s")
    ]
    about = [machine.about("rivals") for machine in known]
    rows = [
        ["", *named],
        ["processor", *map(processor, known)],
        ["L1, L2, and a core's share of L3", *map(caches, known)],
        *(
            [f"{kind} {limit}", *(in_words(of[limit]) if limit in of else "" for of in named.values())]
            for kind, names in (("peak of", peaks), ("reads from", caches_read))
            for limit in names
        ),
        ["measured", *(each["date"] + (f"; {each['note']}" if "note" in each else "") for each in about)],
        ["built with", *(f"{each['built_with']}, Python {each['python']}" for each in about)],
        ["versions", *("; ".join(versions(machine)) for machine in known)],
        ["file in `bench/results/`", *(f"`{machine.file}.json`" for machine in known)],
    ]
    return markdown(rows)


def processor(machine: Machine) -> str:
    """Return name, family and model, cores and the widest vectors."""
    cpu = machine.cpu
    widest = next((flag for flag in ("avx512f", "avx2") if flag in cpu["flags"]), "SSE2")
    return f"{cpu['name']}, family {cpu['family']}, model {cpu['model']}; {cpu['cores']} cores; {widest}"


def caches(machine: Machine) -> str:
    """Return the sizes of the caches of one core, "?" where it is not known."""
    return ", ".join(in_bytes(size) if size else "?" for size in machine.cpu["cache_bytes"])


def in_bytes(size: int) -> str:
    """Return a size in KB or MB."""
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"


def side_by_side(known: list[Machine]) -> str:
    """Return the results of all machines: a row per work and machine."""
    by_machine = {machine.name: groups(beside_rivals(machine.records("rivals"))) for machine in known}
    works = dict.fromkeys(key for of_machine in by_machine.values() for key in of_machine)
    lines = [["workload", "machine", *FIGURE_TITLES]]
    for key in works:
        found = {name: of_machine[key] for name, of_machine in by_machine.items() if key in of_machine}
        title = work(next(iter(found.values()))[0])
        for name, group in found.items():
            lines.append([title, name, *cells(group)])
            title = ""
    return markdown(lines)


def said(machine: Machine) -> str:
    """Return the other figures of one machine, under its name."""
    records = machine.records("rivals")
    paragraphs = [text for text in (contention(records).strip(), *other_figures(records)) if text]
    text = " ".join(paragraph.rstrip() for paragraph in paragraphs)
    blocks = [f"**{machine.name}.** {text}\n", figures_table(machine), notes(machine)]
    return "\n".join(block for block in blocks if block)
