"""`Workers`: which workers there are, and which of them can compute what the others can."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastbp.dask._waiting import TICK, waited
from fastbp.dask._worker import Facts, facts
from fastbp.exceptions import ParameterError, ShardError

#: Seconds in which the scheduler has to answer.
ANSWER = 60.0


class Workers:
    """The workers of a cluster, as a caller sees them.

    Parameters
    ----------
    client : distributed.Client
    isa : str
        The best instruction set that the caller can use.
    timeout : float
        Seconds for which there may be no worker that can compute.

    Attributes
    ----------
    isa : str
        After `agree`, the best instruction set that the caller and all workers of that time have.
    kind : Kind
        What workers have to be besides; that of the first ones.
    """

    def __init__(self, client: Any, isa: str, timeout: float) -> None:
        self._client, self._timeout = client, timeout
        self._asked: set[str] = set()
        self._unfit: set[str] = set()
        self._absent_since: float | None = None
        self.isa, self.kind = isa, facts().kind

    def agree(self) -> None:
        """Ask all workers what they can compute, and find what they have in common.

        Raises
        ------
        ParameterError
            fastbp is missing on a worker, or is another version there, or workers are of several kinds.
        ShardError
            There are no workers, or no scheduler.
        """
        found = self._ask(self.present())
        while not found:
            self._await_one()
            found = self._ask(self.present())
        usable = self._usable(found)
        self.kind = next(iter(usable.values())).kind
        mine = facts().isas
        wanted = mine[mine.index(self.isa) :] if self.isa in mine else (self.isa,)
        self.isa = next(isa for isa in wanted if all(isa in one.isas for one in usable.values()))

    def present(self) -> set[str]:
        """Return the addresses of all workers that the scheduler knows.

        Raises
        ------
        ShardError
            There is no scheduler, or it does not answer.
        """
        return set(self._answer(lambda: self._client.scheduler.ncores()))

    def refused(self, address: str | None) -> None:
        """Note that a worker refused a task; if it is not known which one, ask those that have joined."""
        if address is not None:
            self._unfit.add(address)
        self._ask_newcomers(self.present())

    def restriction(self, awaited: str) -> list[str] | None:
        """Return the only workers that may get tasks; None while all of them may.

        It waits while there are only workers that cannot compute; errors as in `watch`.
        """
        while self._unfit:
            present = self.present()
            self._unfit &= present
            self._ask_newcomers(present)
            if able := sorted(present - self._unfit):
                return able if self._unfit else None
            self.watch(awaited)
            time.sleep(TICK)
        return None

    def expect(self) -> None:
        """Begin to wait: the timeout counts from the next look at the workers."""
        self._absent_since = None

    def watch(self, awaited: str) -> set[str]:
        """Return the workers that may be able to compute.

        Raises
        ------
        ShardError
            There has been none for longer than the timeout, or there is no scheduler; the message says what
            was awaited.
        """
        able = self.present() - self._unfit
        now = time.monotonic()
        if able:
            self._absent_since = None
        elif self._absent_since is None:
            self._absent_since = now
        elif now - self._absent_since > self._timeout:
            raise ShardError(
                f"there has been no worker that can compute for {self._timeout:g} s (timeout), awaited for "
                f"{awaited}"
            )
        return able

    def check_scheduler(self) -> None:
        """Raise ShardError if the client has lost its scheduler."""
        if self._client.status != "running":
            raise ShardError(
                f"the client has lost its scheduler (it is {self._client.status}): connect to one, then "
                "continue from the last checkpoint with resume="
            )

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Raise ShardError for an error of a block that a client without its scheduler has caused."""
        try:
            yield
        except Exception:
            self.check_scheduler()
            raise

    def absent(self) -> float:
        """Return for how many seconds `watch` has seen no worker that can compute."""
        return 0.0 if self._absent_since is None else time.monotonic() - self._absent_since

    def _await_one(self) -> None:
        """Wait for a worker by means of a task, upon which clusters that grow on demand start one."""
        self.expect()
        future = self._client.submit(facts, pure=False)
        answer = self._client.gather(future, asynchronous=True)
        try:
            waited(self._client, answer, lambda: self.watch("the first task"))
        except ShardError:
            raise
        except Exception:  # what is wrong with a worker is found by asking it
            self.check_scheduler()
        finally:
            future.release()

    def _ask_newcomers(self, present: set[str]) -> None:
        """Find out which of the workers that have joined are unfit."""
        found = self._ask(present - self._asked - self._unfit)
        self._unfit |= {address for address, one in found.items() if not self._is_fit(one)}

    def _ask(self, addresses: set[str]) -> dict[str, Facts | Exception]:
        """Return what workers can compute, or why they cannot; those that have gone are left out."""
        if not addresses:
            return {}
        found = self._answer(
            self._client.run, facts, workers=sorted(addresses), on_error="return", asynchronous=True
        )
        found = {address: one for address, one in found.items() if not isinstance(one, OSError)}
        self._asked |= found.keys()
        return dict(found)

    def _is_fit(self, one: Facts | Exception) -> bool:
        return isinstance(one, Facts) and one.kind == self.kind and self.isa in one.isas

    def _usable(self, found: Mapping[str, Facts | Exception]) -> dict[str, Facts]:
        """Return what workers can compute if all of them are of one kind, else raise ParameterError."""
        usable: dict[str, Facts] = {}
        for address, one in found.items():
            if isinstance(one, Exception):
                raise ParameterError(
                    f"client: fastbp does not run on worker {address}: {one!r:.200}"
                ) from one
            if one.kind.version != self.kind.version:
                raise ParameterError(
                    f"client: worker {address} has fastbp {one.kind.version}, expected {self.kind.version}, "
                    "which is installed here"
                )
            usable[address] = one
        machines = sorted({one.kind.machine for one in usable.values()})
        if len(machines) > 1:
            raise ParameterError(
                f"client: workers are {' and '.join(machines)}, expected one kind of machine: results would "
                "depend on which of them computes"
            )
        return usable

    def _answer(self, method: Any, *arguments: Any, **options: Any) -> Any:
        """Return what the scheduler answers."""
        self.check_scheduler()
        begun = time.monotonic()

        def look() -> None:
            self.check_scheduler()
            if time.monotonic() - begun > ANSWER:
                raise ShardError(f"the scheduler has not answered for {ANSWER:g} s")

        try:
            return waited(self._client, method(*arguments, **options), look)
        except OSError as error:  # of the connection
            self.check_scheduler()
            raise ShardError(f"the scheduler does not answer: {error!r:.200}") from error
