"""Reports how a run ended, whatever happened."""
