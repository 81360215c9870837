"""Turning tables into the labelled table that a model learns from."""
