"""The process of one contestant, with requests beyond those of `fastbp.cli.rivals.worker`. See race.py.

python worker.py MODULE FD
"""

import importlib
import sys
from functools import cache

from fastbp.cli.rivals import worker


class Contestant(worker.Contestant):
    """The requests that a worker answers."""

    def machine(self, figure: str, *arguments: str) -> float:
        """Measure a limit of bench/machine.py in this process."""
        return getattr(machine(), figure)(*arguments)

    def product(self, *arguments):
        """Time a product of bench/products.py by fastbp and by NumPy in this process."""
        return importlib.import_module("products").measure(*arguments)


@cache
def machine():
    return importlib.import_module("machine")


if __name__ == "__main__":
    worker.main(sys.argv[1], sys.argv[2], Contestant)
