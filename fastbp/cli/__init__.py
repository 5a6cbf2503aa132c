"""The command line: fastbp demo, fastbp bench, fastbp config."""
