"""fastbp's pool of threads for threadpoolctl, which lists and limits the pools of a process."""

from __future__ import annotations

import os

import threadpoolctl

from fastbp import _core
from fastbp._version import __version__

_FILE = os.path.basename(os.path.realpath(_core.library.__file__)).lower()  # as threadpoolctl compares it


def register() -> None:
    """Tell threadpoolctl of fastbp's pool, unless it knows it, or is so old (3.1) that it knows no others."""
    if not hasattr(threadpoolctl, "register"):
        return
    # this module may be loaded again in the same process, so its variables do not tell
    if all(info["internal_api"] != "fastbp" for info in threadpoolctl.threadpool_info()):
        threadpoolctl.register(_controller())


def _controller() -> type:
    """Return the class, which only later versions of threadpoolctl can have as a subclass of theirs."""

    class FastbpController(threadpoolctl.LibController):
        """The number of threads of the process, which `fastbp.set_num_threads` sets.

        `with fastbp.threads(n)` is a thread's own number and stands above it, also under a limit.
        """

        user_api = "fastbp"
        internal_api = "fastbp"
        filename_prefixes = (_FILE,)
        check_symbols = ("fbp_get_num_threads", "fbp_set_num_threads")

        def get_num_threads(self) -> int:
            return int(self.dynlib.fbp_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            # an integer beyond those of C would wrap around
            self.dynlib.fbp_set_num_threads(max(1, min(num_threads, _core.MAX_THREADS)))

        def get_version(self) -> str:
            return __version__

    return FastbpController
