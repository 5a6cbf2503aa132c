"""`Workers`: which workers there are, and which of them can compute what the others can."""

from __future__ import annotations

import time
from typing import Any

from fastbp.dask._waiting import waited
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
        The best instruction set that the caller and all workers of the beginning have.
    """

    def __init__(self, client: Any, isa: str, timeout: float) -> None:
        self._client, self._timeout = client, timeout
        self._known: dict[str, Facts | Exception] = {}
        self._unfit: set[str] = set()
        self._missed: float | None = None
        self.isa, self.kind = isa, facts().kind

    def begin(self) -> None:
        """Wait for a worker by a task, upon which clusters that grow on demand start one; then `agree`."""
        future = self._client.submit(facts, pure=False)
        try:
            waited(
                self._client,
                self._client.gather(future, asynchronous=True),
                lambda: self.watch("the first task"),
            )
        except ShardError:
            raise
        except Exception:  # `agree` asks each worker by itself
            self.check_scheduler()
        finally:
            future.release()
        self.agree()

    def agree(self) -> None:
        """Ask all workers what they can compute, and find what they have in common.

        Raises
        ------
        ParameterError
            fastbp is missing on a worker, or is another version there, or workers are of several kinds.
        """
        found = self._ask(self.present())
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
        kinds = sorted({one.kind for one in found.values() if isinstance(one, Facts)})
        if len(kinds) > 1:
            raise ParameterError(
                "client: workers are of several kinds, on which results differ: "
                + ", ".join(kind.machine for kind in kinds)
            )
        mine = facts().isas
        sets = [one.isas for one in found.values() if isinstance(one, Facts)]
        usable = mine[mine.index(self.isa) :] if self.isa in mine else (self.isa,)
        self.isa = next(isa for isa in usable if all(isa in isas for isas in sets))
        self.kind = kinds[0] if kinds else self.kind
        self._unfit.clear()  # found by what the caller would have liked

    def present(self) -> set[str]:
        """Return the addresses of all workers that the scheduler knows.

        Raises
        ------
        ShardError
            There is no scheduler, or it does not answer.
        """
        return set(self._answer(self._client.nthreads, asynchronous=True))

    def refused(self) -> None:
        """Find out who refused a task: ask the workers that have not been asked."""
        self._ask(self.present() - self._known.keys())

    def restriction(self) -> list[str] | None:
        """Return the only workers that may get tasks; None while all of them may."""
        if not self._unfit:
            return None
        present = self.present()
        self._unfit &= present
        if not self._unfit:
            return None
        self._ask(present - self._known.keys())
        return sorted(present - self._unfit) or None

    def watch(self, awaited: str) -> set[str]:
        """Return the workers that may compute.

        Raises
        ------
        ShardError
            There has been none for longer than the timeout, or there is no scheduler; the message says what
            was awaited.
        """
        able = self.present() - self._unfit
        now = time.monotonic()
        if able:
            self._missed = None
        elif self._missed is None:
            self._missed = now
        elif now - self._missed > self._timeout:
            raise ShardError(
                f"no worker that can compute for {self._timeout:g} s (timeout); {awaited} waited for one"
            )
        return able

    def check_scheduler(self) -> None:
        """Raise ShardError if the client has lost its scheduler."""
        if self._client.status != "running":
            raise ShardError(
                f"the client lost its scheduler (it is {self._client.status}): connect to a scheduler, then "
                "continue from the last checkpoint with resume="
            )

    def _ask(self, addresses: set[str]) -> dict[str, Facts | Exception]:
        """Return what workers can compute, or why they cannot; those that have gone are left out."""
        if not addresses:
            return {}
        found = self._answer(
            self._client.run, facts, workers=sorted(addresses), on_error="return", asynchronous=True
        )
        found = {address: one for address, one in found.items() if not isinstance(one, OSError)}
        self._known |= found
        self._unfit |= {address for address, one in found.items() if not self._fit(one)}
        return dict(found)

    def _fit(self, one: Facts | Exception) -> bool:
        return isinstance(one, Facts) and one.kind == self.kind and self.isa in one.isas

    def _answer(self, method: Any, *arguments: Any, **options: Any) -> Any:
        """Return what the scheduler answers."""
        self.check_scheduler()
        begun = time.monotonic()

        def look() -> None:
            self.check_scheduler()
            if time.monotonic() - begun > ANSWER:
                raise ShardError(f"the scheduler did not answer for {ANSWER:g} s")

        try:
            return waited(self._client, method(*arguments, **options), look)
        except OSError as error:  # of the connection
            self.check_scheduler()
            raise ShardError(f"the scheduler does not answer: {error!r:.200}") from error
