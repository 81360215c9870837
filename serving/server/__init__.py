"""An embedded model server that speaks TensorFlow Serving's gRPC and REST protocol.

The front ends (``grpc/``, ``rest/``) know only ``seam.py``; what loads and runs models
(``models/``, ``runtime/``, ``batching/``) knows no protocol.
"""
