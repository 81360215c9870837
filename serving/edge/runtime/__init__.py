"""Predictions on a device, from a bundle that ``edge_export`` wrote.

A bundle carries a copy of this package as ``headrace_edge``. It needs NumPy, and ai-edge-litert or
onnxruntime, and nothing else: no TensorFlow, no Headrace. All its imports are relative, because a
device loads the copies of two versions side by side while it changes from one to the other.
"""

from .errors import EdgeError
from .model import EdgeModel
from .preprocessing import Preprocessing

__all__ = ["EdgeError", "EdgeModel", "Preprocessing"]
