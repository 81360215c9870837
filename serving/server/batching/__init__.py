"""Merging requests that are waiting at the same time into one run of the model."""
