"""The JSON of a classify or regress request: ``tf.Example``s by feature name."""

from __future__ import annotations

from typing import Any

from tensorflow.core.example import example_pb2

from headrace.serving.server.rest.codec.base64_value import decode_base64, is_base64
from headrace.serving.server.rest.codec.debug_string import debug_string
from headrace.serving.server.rest.codec.tensor_errors import invalid, json_type

_INT64_MAX = 2**63 - 1
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def read_examples(document: dict[str, Any]) -> list[bytes]:
    """The serialized examples of a request, each with the ``context`` they share before it.

    Raises:
        ServingError: INVALID_ARGUMENT, with TensorFlow Serving's texts.
    """
    context = _example(document["context"]) if "context" in document else b""
    shown = f"JSON Value: {debug_string(document)}"
    if "examples" not in document:
        raise invalid(
            f"{shown} When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if type(examples) is not list:
        raise invalid(f"{shown} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"{shown} 'examples' value is an empty array")
    return [context + _example(example) for example in examples]


def _example(features: Any) -> bytes:
    if type(features) is not dict:
        raise invalid(f"Example must be JSON object but got JSON {json_type(features)}")
    example = example_pb2.Example()
    for name, content in features.items():
        feature = example.features.feature[name]
        for value in content if type(content) is list else [content]:
            kind, plain = _kind_and_value(value, name)
            known = feature.WhichOneof("kind")
            if known not in (None, kind):
                raise invalid(
                    f"Unexpected element type in feature: {name} expecting type: {_KINDS[known]}"
                )
            getattr(feature, kind).value.append(plain)
    serialized: bytes = example.SerializeToString()
    return serialized


def _kind_and_value(value: Any, name: str) -> tuple[str, Any]:
    if type(value) is str:
        return "bytes_list", value.encode(errors="surrogateescape")
    if type(value) is float:
        return "float_list", value
    if type(value) in (int, bool):
        if value > _INT64_MAX:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        return "int64_list", int(value)
    if is_base64(value):
        return "bytes_list", decode_base64(value)
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")
