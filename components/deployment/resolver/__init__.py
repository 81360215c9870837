"""Finds the newest pushed version to compare with."""
