"""TFMA metrics by slice, with intervals and thresholds."""
