"""Reading JSON: what RapidJSON accepts and says, whichever of the readers answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.rest.codec import exact_reader
from headrace.serving.server.rest.codec.json_reader import read_object


def error(body: bytes) -> str:
    with pytest.raises(ServingError) as caught:
        read_object(body)
    assert caught.value.code == Code.INVALID_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The document is empty"),
        (b"  ", "The document is empty. at offset: 2"),
        (b"instances = [1, 2]", "Invalid value. at offset: 0"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b"}', "Missing a comma or '}' after an object member. at offset: 8"),
        (b'{"a": 1,}', "Missing a name for object member. at offset: 8"),
        (b'{"a": [1 2]}', "Missing a comma or ']' after an array element. at offset: 9"),
        (b'{"a": [1, ]}', "Invalid value. at offset: 10"),
        (b'{"a": 01}', "Missing a comma or '}' after an object member. at offset: 7"),
        (b'{"a": 1.}', "Miss fraction part in number. at offset: 8"),
        (b'{"a": 1e}', "Miss exponent in number. at offset: 8"),
        (b'{"a": 1e999}', "Number too big to be stored in double. at offset: 6"),
        (b'{"a": nul}', "Invalid value. at offset: 9"),
        (b'{"a": -}', "Invalid value. at offset: 7"),
        (b'{"a": "x', "Missing a closing quotation mark in string. at offset: 8"),
        (b'{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": "\\u12x4"}', "Incorrect hex digit after \\u escape in string. at offset: 7"),
        (b'{"a": "\\ud800"}', "The surrogate pair in string is invalid. at offset: 7"),
    ],
)
def test_what_is_no_json_is_told_with_the_offset(body: bytes, text: str) -> None:
    assert error(body) == f"JSON Parse error: {text}"


def test_the_document_must_be_an_object() -> None:
    assert error(b"[1, 2.5]") == "JSON Value: [1, 2.5] Is not object"


def test_numbers_that_are_not_json_are_accepted() -> None:
    numbers = read_object(b'{"a": [NaN, Infinity, -Infinity, Inf, -Inf]}')["a"]
    assert math.isnan(numbers[0])
    assert numbers[1:] == [math.inf, -math.inf, math.inf, -math.inf]


@pytest.mark.parametrize("after", [b"X", b"}", b' {"a": 2}', b"\0", b"\n\xff"])
def test_text_after_the_document_is_ignored(after: bytes) -> None:
    assert read_object(b'{"a": 1}' + after) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a": 1, "a": 2}', {"a": 1}),
        (b'{"a": [{"b": 1, "b": 2}]}', {"a": [{"b": 1}]}),
        (b'{"a": {"b": {"c": [{"d": 1, "d": 2}]}}}', {"a": {"b": {"c": [{"d": 1}]}}}),
        (b'{"a": "12:30", "a": 2}', {"a": "12:30"}),
    ],
)
def test_of_repeated_keys_the_first_counts(body: bytes, read: dict[str, Any]) -> None:
    assert read_object(body) == read


def test_integers_keep_their_type_up_to_64_bits() -> None:
    body = (
        b'{"a": [18446744073709551615, 18446744073709551616, -9223372036854775809, -0, 1.0, 1e2]}'
    )
    assert [(type(x), x) for x in read_object(body)["a"]] == [
        (int, 2**64 - 1),
        (float, 2.0**64),
        (float, -(2.0**63)),
        (int, 0),
        (float, 1.0),
        (float, 100.0),
    ]


def test_bytes_that_are_not_utf_8_survive() -> None:
    assert read_object(b'{"a": "\xff"}')["a"].encode(errors="surrogateescape") == b"\xff"


def test_deep_nesting_is_read() -> None:
    body = b'{"instances": [1], "nested":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert read_object(body)["instances"] == [1]


def test_large_documents_are_read_only_by_the_fast_readers() -> None:
    values = b", ".join([b"NaN, 1.5, 1e10"] * 100_000)
    assert len(read_object(b'{"a": [' + values + b"]} x")["a"]) == 300_000
    assert "must be plain JSON" in error(b'{"a": [' + values)


def test_large_documents_may_hold_the_integer_that_stands_for_a_missing_one() -> None:
    body = b'{"a": [' + b", ".join([b"NaN, -9223372036854775808"] * 100_000) + b"]}"
    assert read_object(body)["a"][-1] == -(2**63)


@pytest.mark.parametrize(
    "number",
    [b"-9223372036854775808.5", b"-9223372036854775808e2", b"1234567890123456789.5"],
)
def test_long_numbers_are_read_exactly(number: bytes) -> None:
    body = b'{"a": [NaN, ' + number + b"]}"
    assert read_object(body)["a"][1] == exact_reader.read(body)["a"][1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON), st.randoms(use_true_random=False))
def test_all_readers_agree(document: dict[str, Any], random: Any) -> None:
    body = json.dumps(document, ensure_ascii=random.random() < 0.5).encode()
    assert read_object(body) == exact_reader.read(body)
    # The same by way of the second reader, which the text after the document asks for.
    assert read_object(body + b" x") == exact_reader.read(body)
