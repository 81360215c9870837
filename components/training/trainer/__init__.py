"""Fits the Keras model and exports it with its preprocessing inside."""
