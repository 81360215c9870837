"""Predict, Classify, Regress and MultiInference on one servable, whatever the protocol.

Requests and answers are TensorFlow Serving's messages. The texts of errors are its texts.
"""

from headrace.serving.server.inference.classification import classify
from headrace.serving.server.inference.common import InferenceOptions
from headrace.serving.server.inference.examples import example_count, serialized_examples
from headrace.serving.server.inference.multi import multi_inference
from headrace.serving.server.inference.predict import predict
from headrace.serving.server.inference.regression import regress

__all__ = [
    "InferenceOptions",
    "classify",
    "example_count",
    "multi_inference",
    "predict",
    "regress",
    "serialized_examples",
]
