"""Checks on the data before a model learns from it."""
