"""Callbacks that tests pass to `fit`."""


def stop_after(epochs, reason="callback"):
    """Return a callback that stops the fit after so many epochs."""

    def callback(state):
        if state.epoch == epochs - 1:
            state.stop(reason)

    return callback


class KillError(Exception):
    """What ends a fit where a kill would."""


class Kill:
    """A callback that ends the fit after so many steps, as a kill would: nothing more is written."""

    def __init__(self, steps):
        self.left = steps

    def on_batch_end(self, state):
        self.left -= 1
        if self.left == 0:
            raise KillError
