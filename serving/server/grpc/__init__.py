"""TensorFlow Serving's gRPC services on the seam."""
