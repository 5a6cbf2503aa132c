"""The results kept in bench/results/: one file per kind of processor, with one part per run.

A file is called after vendor, family and model, such as amd-26-2.json. It holds the processor and the parts
that were measured on it: {"cpu": {...}, "rivals": {...}, "growth": {...}, ...}. A part has the date, the
limits, the versions, and its records, one per line. Writing one part keeps the others.

A run of pytest stores its records if the environment variable BENCH_PART names their part.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine

RESULTS = Path(__file__).with_name("results")
VENDORS = {"AuthenticAMD": "amd", "GenuineIntel": "intel"}

Record = dict[str, Any]


def name_of(cpu: dict[str, Any]) -> str:
    """Return the name of the file for a processor: vendor, family and model, or else its words."""
    vendor = VENDORS.get(cpu["vendor"], cpu["vendor"])
    numbers = [str(cpu[field]) for field in ("family", "model") if cpu[field] is not None]
    words = [vendor, *numbers] if numbers else [cpu["name"]]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-") or "unknown"


def keep(part: str, records: Sequence[Record]) -> None:
    """Write a part of the results of this processor, if there are any records."""
    if records:
        cpu = machine.processor()
        date = datetime.now(UTC).strftime("%Y-%m-%d")
        about = {"date": date, **machine.describe(), "limits": machine.limits()}
        write(RESULTS / f"{name_of(cpu)}.json", cpu, part, {**about, "records": list(records)})


def write(path: Path, cpu: dict[str, Any], part: str, content: dict[str, Any]) -> None:
    """Write a part into a file and keep the other parts."""
    parts = json.loads(path.read_text()) if path.exists() else {}
    parts |= {"cpu": cpu, part: content}
    unfinished = path.with_suffix(".new")
    unfinished.write_text(as_text(parts))
    unfinished.replace(path)


def as_text(parts: dict[str, Any]) -> str:
    """Return the parts as JSON with one record per line, so that a diff shows which of them changed."""
    blocks = []
    for name, content in sorted(parts.items()):
        lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in content.items() if k != "records"]
        if "records" in content:
            records = ",\n".join(f"  {json.dumps(record)}" for record in content["records"])
            lines.append(f' "records": [\n{records}\n ]')
        blocks.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"
