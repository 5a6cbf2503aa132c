"""Diagnosis: measures of every layer, rules that turn them into findings, and remedies."""
