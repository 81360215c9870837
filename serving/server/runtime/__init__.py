"""Loading a model from a folder, and running it fast."""
