"""The process of one contestant, with requests beyond those of `fastbp.cli.rivals.worker`. See race.py.

python worker.py MODULE FD
"""

import importlib
import sys
from functools import cache
from time import process_time

from fastbp.cli.bench import timed
from fastbp.cli.rivals import worker


class Contestant(worker.Contestant):
    """The requests that a worker answers."""

    def times(self, count: int) -> tuple[float, float]:
        """Return what `seconds` does, and the CPU time of all threads of the process."""
        if self._task == "Training":
            self._job.reset()
        before = process_time()
        wall = timed(self._run, count)
        return wall, process_time() - before

    def machine(self, figure: str, *arguments: str) -> float:
        """Measure a limit of bench/machine.py in this process."""
        return getattr(machine(), figure)(*arguments)

    def call(self, function: str, *arguments):
        """Call a function of the library's module."""
        return getattr(self._module, function)(*arguments)

    def product(self, *arguments):
        """Time a product of bench/products.py by fastbp and by NumPy in this process."""
        return importlib.import_module("products").measure(*arguments)


@cache
def machine():
    return importlib.import_module("machine")


if __name__ == "__main__":
    worker.main(sys.argv[1], sys.argv[2], Contestant)
