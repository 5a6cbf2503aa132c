"""Makes the table that compares fastbp.sklearn with scikit-learn's MLP by score and time."""

from math import prod, sqrt
from statistics import mean, stdev
from typing import Any

import numpy as np
from bench_results import Machine, Record, in_words, machines
from bench_tables import markdown

from fastbp.cli.bench import number

LIBRARIES = ("fastbp", "scikit-learn", "PyTorch")


def estimators_block() -> str:
    """Return the table of the newest results, and how they were measured; nothing if there are none."""
    found = sorted(machines(), key=lambda each: each.about("sklearn").get("date", ""))
    return of_machine(found[-1]) if found else ""


def of_machine(machine: Machine) -> str:
    """Return the table of one machine, with its legend and the searches of a grid."""
    records = machine.records("sklearn")
    problems = [record for record in records if record["test"] == "estimators"]
    if not problems:
        return ""
    titles = ["data set, rows x features"]
    titles += [f"{what}, {name}" for what in ("score", "seconds") for name in LIBRARIES]
    titles += [f"times faster than {name}" for name in LIBRARIES[1:]]
    parts = [markdown([titles, *map(cells, problems)]), legend(machine, problems)]
    parts += [searched(record) for record in records if record["test"] == "search"]
    return "\n".join(parts)


def cells(record: Record) -> list[str]:
    """Return the row of a data set."""
    rows, features = record["rows_and_features"]
    scores, seconds = record["scores"], {name: fastest(each) for name, each in record["seconds"].items()}
    row = [f"{record['problem']}, {rows:,} x {features:,}"]
    row += [in_mean(scores[name]) if name in scores else "" for name in LIBRARIES]
    row += [number(sum(seconds[name])) if name in seconds else "" for name in LIBRARIES]
    row += [faster(seconds, name) if name in seconds else "" for name in LIBRARIES[1:]]
    return row


def fastest(seconds: dict[str, list[float]]) -> list[float]:
    """Return the times of the fits on the number of threads that takes the least time."""
    return min(seconds.values(), key=sum)


def in_mean(scores: list[float]) -> str:
    """Return a mean with its standard error."""
    return f"{mean(scores):.3f} ± {stdev(scores) / sqrt(len(scores)):.3f}"


def faster(seconds: dict[str, list[float]], name: str) -> str:
    """Return the quartiles of the ratios of fits with the same seed, bold if fastbp is slower."""
    ratios = np.divide(seconds[name], seconds["fastbp"])
    figure = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
    middle, _, spread = in_words(figure).partition(" ")
    return f"{f'**{middle}**' if figure[1] < 1 else middle} {spread}".rstrip()


def legend(machine: Machine, problems: list[Record]) -> str:
    """Return what the columns mean and what was measured."""
    about, seeds = machine.about("sklearn"), min(record["seeds"] for record in problems)
    threads = list(problems[0]["seconds"]["fastbp"])
    on = "one thread" if len(threads) == 1 else f"one thread or {threads[-1]}, whichever is faster"
    versions = {version for record in problems for version in record["versions"].values()}
    by_parameters: dict[str, list[str]] = {}
    for record in problems:
        by_parameters.setdefault(given(record["parameters"]), []).append(record["problem"])
    parameters = "; ".join(f"{text} for {', '.join(names)}" for text, names in by_parameters.items())
    return (
        f"The mean score of {seeds} seeds on held-out rows, accuracy or R² (diabetes), with its standard "
        f"error; and the time of all {seeds} fits in turn, each library on {on}. Times faster is the median "
        "over the seeds, with the interquartile range. Each seed holds out another fifth of the rows; "
        "Fashion-MNIST has its own test images. Inputs are scaled, and so are the targets of diabetes. "
        f"fastbp.sklearn and scikit-learn have the same parameters: the defaults, but {parameters}. "
        "PyTorch runs an ordinary loop in float32 with fused Adam: the same network and batches, as many "
        "epochs as scikit-learn took, no penalty and no early stopping. Measured with: "
        f"{machine.cpu['name']} ({machine.name}), {about['isa']} path; Python {about['python']}; "
        f"{'; '.join(sorted(versions))}. {about['date']}.\n"
    )


def given(parameters: dict[str, Any]) -> str:
    """Return parameters as code."""
    return ", ".join(f"`{name}={value}`" for name, value in parameters.items())


def searched(record: Record) -> str:
    """Return how much faster a search of a grid is on several threads."""
    places = prod(len(values) for values in record["grid"].values())
    return (
        f"A `GridSearchCV` of fastbp's classifier on the digits, with {places} places and {record['folds']} "
        f"folds, is {in_words(record['times_faster'])} times as fast on {record['jobs']} threads of joblib "
        "as on one thread.\n"
    )
