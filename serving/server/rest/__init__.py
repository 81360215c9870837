"""The REST front end: HTTP, routes, and JSON in and out, as TensorFlow Serving has them."""
