"""Parts common to both engines: interface, prediction in slices, custom losses, step-by-step runs."""
