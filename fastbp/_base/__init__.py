"""Foundations of all other modules: checks of arguments, immutable values, random numbers, threads."""
