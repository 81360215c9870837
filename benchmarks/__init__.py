"""Measurements against the targets, side by side in one run: ``python -m benchmarks``."""
