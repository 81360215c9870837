"""Brings features online."""
