"""The batch inference pipeline."""
