"""The JSON of a classify or regress request: ``tf.Example``s by feature name."""

from __future__ import annotations

import re
from typing import Any

from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import input_pb2

from headrace.serving.server.errors import ServingError
from headrace.serving.server.rest.codec.base64_value import decode_base64, is_base64
from headrace.serving.server.rest.codec.debug_string import debug_string
from headrace.serving.server.rest.codec.tensor_errors import invalid, json_type

_INT64_MAX = 2**63 - 1
_ESCAPED_BYTES = re.compile("[\ud800-\udfff]")
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def read_examples(document: dict[str, Any], target: input_pb2.Input) -> None:
    """Adds the examples of a request, and the ``context`` they share, to ``target``.

    Raises:
        ServingError: INVALID_ARGUMENT, with TensorFlow Serving's texts.
    """
    holder = target.example_list
    if "context" in document:
        holder = target.example_list_with_context
        _fill(holder.context, document["context"])
    if "examples" not in document:
        raise _format_error(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if type(examples) is not list:
        raise _format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _format_error(document, "'examples' value is an empty array")
    for example in examples:
        _fill(holder.examples.add(), example)


def _format_error(document: dict[str, Any], text: str) -> ServingError:
    return invalid(f"JSON Value: {debug_string(document)} {text}")


def _fill(example: example_pb2.Example, features: Any) -> None:
    if type(features) is not dict:
        raise invalid(f"Example must be JSON object but got JSON {json_type(features)}")
    for name, content in features.items():
        if not name.isascii() and _ESCAPED_BYTES.search(name):
            raise invalid("The name of a feature is not UTF-8")
        feature = example.features.feature[name]
        for value in content if type(content) is list else [content]:
            kind, plain = _kind_and_value(value, name)
            known = feature.WhichOneof("kind")
            if known not in (None, kind):
                raise invalid(
                    f"Unexpected element type in feature: {name} expecting type: {_KINDS[known]}"
                )
            getattr(feature, kind).value.append(plain)


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
