"""Random calls of every public entry: the campaign and its short test."""
