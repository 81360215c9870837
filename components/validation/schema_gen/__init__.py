"""The schema: inferred by TFX, or curated."""
