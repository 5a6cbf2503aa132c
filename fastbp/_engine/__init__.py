"""What both engines share: their interface, prediction in slices, custom losses, runs step by step."""
