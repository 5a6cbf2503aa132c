"""The fit loop and its parts."""
