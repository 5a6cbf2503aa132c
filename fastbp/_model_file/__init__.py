"""Model files: what they contain, the layout of their bytes, and writing one at once."""
