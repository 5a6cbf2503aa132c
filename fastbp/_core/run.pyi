"""Plans of the C core, and the runs that train with them."""

import numpy as np
from numpy.typing import NDArray

class Run:
    converged: bool
    columns: dict[str, NDArray[np.float64]]
    @property
    def epoch(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def steps_per_epoch(self) -> int: ...
    @property
    def losses(self) -> NDArray[np.float64]: ...
    def advance(self, until_epoch: int, seconds: float) -> bool: ...
