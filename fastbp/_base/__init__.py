"""What every other module builds on: checks of arguments, frozen values, random numbers, threads."""
