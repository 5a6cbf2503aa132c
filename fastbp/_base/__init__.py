"""Foundations of all other modules: checks of arguments, frozen values, random numbers, threads."""
