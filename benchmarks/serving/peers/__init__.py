"""Other Python model servers with our model, each run in an environment of its own."""
