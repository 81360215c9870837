"""The tf.Examples of a request."""

from __future__ import annotations

import numpy as np
from tensorflow_serving.apis import input_pb2

from headrace.serving.server.inference.common import invalid
from headrace.serving.server.seam import Array


def example_count(given: input_pb2.Input) -> int:
    """How many examples a request holds."""
    kind = given.WhichOneof("kind")
    return 0 if kind is None else len(getattr(given, kind).examples)


def serialized_examples(given: input_pb2.Input) -> Array:
    """The examples of a request, each with the context's bytes in front.

    Returns:
        ``[examples]`` of bytes: a concatenation of serialized messages is their merge.

    Raises:
        ServingError: INVALID_ARGUMENT, there is no example.
    """
    kind = given.WhichOneof("kind")
    if kind == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    else:
        context, examples = b"", given.example_list.examples
    if not examples:
        raise invalid("Input is empty.")
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array
