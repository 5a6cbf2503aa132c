"""Callbacks that tests pass to `fit`."""


def stop_after(epochs, reason="callback"):
    """Return a callback that stops the fit after so many epochs."""

    def callback(state):
        if state.epoch == epochs - 1:
            state.stop(reason)

    return callback
