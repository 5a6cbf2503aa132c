"""Number of CPUs that this process may use: its affinity mask, limited by the quota of its container."""

from __future__ import annotations

import os
from functools import cache

from fastbp import _core


def available_cpus() -> int:
    """Return the number of CPUs that this process may use, at least 1."""
    limit = cgroup_cpus()
    scheduled = _core.scheduled_cpus()
    return scheduled if limit is None else min(scheduled, limit)


@cache  # read once per process
def cgroup_cpus(root: str = "") -> int | None:
    """Return the limit of the control groups, rounded up to whole CPUs, or None without a limit.

    Parameters
    ----------
    root : str, optional
        Folder that holds ``proc`` and ``sys``, for tests.
    """
    limits = []
    for line in _read(f"{root}/proc/self/cgroup").split("\n"):
        _, _, rest = line.partition(":")  # number:controllers:group
        controllers, colon, group = rest.partition(":")
        if not colon or (controllers and "cpu" not in controllers.split(",")):
            continue
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)  # version 1, 2
        parts = f"{'/cpu' if controllers else ''}{group}".split("/")
        # Each group above sets a limit, too, and a container may see its own group as the topmost one.
        for n in range(1, len(parts) + 1):
            folder = f"{root}/sys/fs/cgroup{'/'.join(parts[:n])}"
            limits.append(_quota("\n".join(_read(f"{folder}/{file}") for file in files)))
    return min((limit for limit in limits if limit is not None), default=None)


def _quota(text: str) -> int | None:
    """Return the quota of a control group, rounded up to whole CPUs, or None if it sets none.

    Parameters
    ----------
    text : str
        Quota and period in microseconds. Without a limit, the quota is "max" or -1.
    """
    try:
        quota, period = map(int, text.split()[:2])
    except ValueError:
        return None
    return -(-quota // period) if quota > 0 and period > 0 else None


def _read(path: str) -> str:
    """Return the text of a file, or "" if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except (OSError, ValueError):
        return ""
