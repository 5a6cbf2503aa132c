"""Training of many networks at once."""
