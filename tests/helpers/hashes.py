"""One text that stands for the results of a fit, to compare fits in other processes by."""

import hashlib

from helpers.inside import comparable


def hash_of(net):
    """Return hex digits of the numbers of a network and its history, except for the seconds.

    Parameters, optimizer state, number of steps, learning rate and what callbacks remember count.
    """
    state = net.__getstate__()
    columns = {name: column for name, column in state["history"].to_dict().items() if name != "seconds"}
    numbers = comparable((state["numbers"], state["schedule"], state["remembered"]))
    found = repr((numbers, comparable(columns), state["history"].stopped))
    return hashlib.sha256(found.encode()).hexdigest()[:16]
