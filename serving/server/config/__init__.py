"""What the server is asked for: TensorFlow Serving's flags, and the text files they name."""
