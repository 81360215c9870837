"""Text-format files of configuration."""

from __future__ import annotations

from typing import Any, TypeVar

import tensorflow as tf
from google.protobuf import text_format

from headrace.serving.server.errors import Code, ServingError

Message = TypeVar("Message")


def read(path: str, message: type[Message]) -> Message:
    """Reads a text-format file into a new message.

    Raises:
        ServingError: NOT_FOUND, there is no such file; INVALID_ARGUMENT, it does not parse.
    """
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            text = file.read()
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), f"{path}: {error.message}") from None
    return parse(text, message, path)


def parse(text: str, message: type[Message], origin: str) -> Message:
    """Reads text into a new message; ``origin`` is named when it does not parse.

    Raises:
        ServingError: INVALID_ARGUMENT, it does not parse.
    """
    parsed: Any = message()
    try:
        text_format.Parse(text, parsed)
    except (text_format.ParseError, TypeError, ValueError) as error:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Error parsing text-format {parsed.DESCRIPTOR.full_name}: {origin}:{error}",
        ) from None
    return parsed  # type: ignore[no-any-return]
