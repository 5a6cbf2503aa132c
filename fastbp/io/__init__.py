"""Tables in files: reading their columns, what the columns mean to a network, and both in one model file."""

from fastbp.io._columns import UNKNOWN, Columns
from fastbp.io._files import load, save
from fastbp.io._read import read_columns
from fastbp.io._unseen import average_unseen
from fastbp.io.table import Column, Table

__all__ = ["UNKNOWN", "Column", "Columns", "Table", "average_unseen", "load", "read_columns", "save"]
