"""Serves the exported model in a process of its own and queries it."""
