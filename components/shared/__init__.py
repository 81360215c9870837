"""What every component uses: errors, configuration, the TFX adapter, artifacts, reports."""
