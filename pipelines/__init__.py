"""Pipelines built from the suite, their compiled YAML, and the runner for this machine."""
