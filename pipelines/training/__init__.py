"""From sources to a served model."""
