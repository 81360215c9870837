"""Stops the run when a check on the data said no."""
