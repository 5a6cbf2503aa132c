"""Keeps BLAS to one thread if imported before NumPy: its other threads would not survive a fork."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
