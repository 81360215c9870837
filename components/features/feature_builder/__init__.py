"""Runs the project's features.py."""
