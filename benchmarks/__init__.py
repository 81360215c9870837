"""Measurements against the targets, side by side in one run: ``python -m benchmarks``."""

# First of all: polars sets the allocator's variable when headrace has not, and children inherit it.
import headrace  # noqa: F401
