"""Serving: TensorFlow Serving's protocol, the gateway in front of it, and their deployment."""
