"""The fit loop and its parts: options, validation, snapshots, progress, Levenberg-Marquardt."""
