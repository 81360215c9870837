"""Predictions on a device beside TensorFlow in process."""
