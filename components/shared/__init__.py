"""What every component uses: errors, configuration, the TFX adapter, artifact and report helpers."""
