"""TFDV statistics per split."""
