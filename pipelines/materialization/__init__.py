"""The materialization pipeline."""
