"""The local runner: executes a compiled pipeline on this machine, warm, cached and resumable."""
