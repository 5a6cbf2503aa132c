"""Random calls of every public entry.

    PYTHONPATH=tests python -m fuzz.campaign --seconds 60 --seed 0
    PYTHONPATH=tests python -m fuzz.campaign --replay SEED:INDEX

A probe is a function of a seed and an index: a call, or every tenth time loads of a damaged file. A worker,
which is a fork, runs one probe after another and says which one is in flight. So a crash or a hang is known
by its probe, and another worker takes over. The exit status is 1 where anything was found.
"""

import argparse
import contextlib
import json
import math
import mmap
import os
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator

import scipy.optimize  # noqa: F401, for `minimize`: loaded before the memory is limited

import fastbp
import fuzz.one_thread  # noqa: F401, before NumPy
from fuzz.damage import DamagedCheckpoint, DamagedFile
from fuzz.probe import Probe

HANG = 30.0  # seconds: much longer than any probe takes on a busy machine
MEMORY = 4 << 30  # bytes of addresses for a worker: what wants more gets MemoryError
TURN = 1000  # probes of one worker
MEMORY_DISK = (
    "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
)  # where no file waits for a disk
FILES = 10  # one of so many probes is a damaged file
SHOWN = 4  # seeds of each kind of finding


class Flight:
    """Which probe a worker is at: two numbers in memory that both processes see."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16)

    def begin(self, index: int) -> None:
        self._memory[:] = struct.pack("qd", index, time.monotonic())

    def read(self) -> tuple[int, float]:
        return struct.unpack("qd", self._memory[:])


def probe_at(seed: int, index: int) -> Probe | DamagedFile:
    """Return the probe of this index."""
    files = {FILES - 1: DamagedFile, 2 * FILES - 1: DamagedCheckpoint}
    return files.get(index % (2 * FILES), Probe)(seed, index)


def work(seed: int, first: int, flight: Flight, pipe: int) -> None:
    """Run the probes of one turn, in a folder that is emptied before each; write a line for each of them."""
    if "LD_PRELOAD" not in os.environ:  # a sanitizer takes terabytes of addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    for index in range(first, first + TURN):
        flight.begin(index)
        for name in os.listdir():
            os.unlink(name)
        probe = probe_at(seed, index)
        found = probe.run()
        os.write(pipe, (json.dumps([index, probe.entry, found]) + "\n").encode())


class Campaign:
    """Probes in turn, and what they found."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.calls: Counter[str] = Counter()  # by entry
        self.findings: defaultdict[str, list[int]] = defaultdict(list)  # the indices, by what was found

    def run(self, *, seconds: float = math.inf, probes: float = math.inf) -> None:
        """Go on until time is up or so many probes are done."""
        deadline, next_index = time.monotonic() + seconds, 0
        while next_index < probes and time.monotonic() < deadline:
            next_index = self._turn(next_index, deadline, probes)

    def _turn(self, first: int, deadline: float, probes: float) -> int:
        """Let a worker run; return the index of the next probe."""
        flight, end = Flight(), ""
        flight.begin(first)
        read, write = os.pipe()
        folder = tempfile.mkdtemp(dir=MEMORY_DISK)
        pid = os.fork()
        if pid == 0:
            try:
                os.chdir(folder)
                work(self._seed, first, flight, write)
                os._exit(0)
            finally:
                os._exit(1)  # a probe that cannot be drawn
        os.close(write)
        done = first
        for line in self._lines(read):
            if line:
                done = self._note(*json.loads(line)) + 1
            elif time.monotonic() - flight.read()[1] > HANG:
                end = "hangs"
            if end or done >= probes or time.monotonic() > deadline:
                break
        os.kill(pid, signal.SIGKILL)
        os.close(read)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        shutil.rmtree(folder)
        if status not in (0, -signal.SIGKILL):
            end = signal.Signals(-status).name if status < 0 else f"ends with {status}"
        if end:
            done, _ = flight.read()
            entry = probe_at(self._seed, done).entry
            self._note(done, entry, [end])
            done += 1
        return done

    def _lines(self, read: int) -> Iterator[str]:
        """Yield the lines of a worker until it ends; an empty one where nothing comes for a while."""
        rest = b""
        while True:
            if not select.select([read], [], [], HANG / 10)[0]:
                yield ""
                continue
            data = os.read(read, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode() for line in lines)

    def _note(self, index: int, entry: str, found: list[str]) -> int:
        """Count a probe, and what it found; return its index."""
        self.calls[entry] += 1
        for what in found:
            self.findings[f"{entry}: {what}"].append(index)
        return index

    def report(self) -> str:
        """Return the counts, and how to see each finding again."""
        kinds = Counter(what.split(": ")[1] for what, indices in self.findings.items() for _ in indices)
        lines = [f"seed {self._seed}: {self.calls.total()} calls of {len(self.calls)} entries"]
        lines += [f"{count:8} {kind}" for kind, count in kinds.most_common()] or ["       0 findings"]
        for what, indices in sorted(self.findings.items()):
            seeds = " ".join(f"{self._seed}:{index}" for index in indices[:SHOWN])
            lines.append(f"{what}\n    {len(indices)} times, --replay {seeds}")
        return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--probes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--replay", metavar="SEED:INDEX", help="run this probe alone, in this process, and show it"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.replay:
        probe = probe_at(*map(int, options.replay.split(":")))
        print(probe.describe(), flush=True)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            found = probe.run()
        print(*found or ["nothing was found"], sep="\n")
        return bool(found)
    campaign = Campaign(options.seed)
    campaign.run(seconds=options.seconds, probes=options.probes)
    print(campaign.report())
    return bool(campaign.findings)


if __name__ == "__main__":
    fastbp.set_num_threads(1)
    sys.exit(main())
