"""Watching runs, data and models over time."""
