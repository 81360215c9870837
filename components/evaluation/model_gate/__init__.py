"""Decides, from every verdict on the model, whether it may be pushed."""
