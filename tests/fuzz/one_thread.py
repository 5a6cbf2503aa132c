"""Keeps BLAS to one thread, if imported before NumPy: the other threads would not survive a fork."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
