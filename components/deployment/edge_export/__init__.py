"""Exports the model for devices, in forms that are proven to answer as the server does."""
