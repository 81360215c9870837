"""Turns the labelled table into TFX Examples, split into train, eval and test."""
