"""A project as a TFX pipeline, written as TFX's own guides write it."""
