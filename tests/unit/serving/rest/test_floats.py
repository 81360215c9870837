"""Floats in answers: TensorFlow Serving's rule, and what it gives for numbers of all sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from headrace.serving.server.rest.codec.floats import format_floats


def rule(value: np.floating[Any]) -> str:
    """One number at a time, in the words of the rule."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{float(value):g}"
    if type(value)(text) != value:
        digits = 9 if isinstance(value, np.float32) else 17
        text = f"{float(value):.{digits}g}"
    return text if "." in text or "e" in text else f"{text}.0"


def check(values: NDArray[Any]) -> None:
    assert format_floats(values) == [rule(value) for value in values]


@given(st.lists(st.floats(width=32)))
def test_singles_follow_the_rule(values: list[float]) -> None:
    check(np.array(values, np.float32))


@given(st.lists(st.floats()))
def test_doubles_follow_the_rule(values: list[float]) -> None:
    check(np.array(values, np.float64))


@pytest.mark.parametrize("bits", [np.uint32, np.uint64])
def test_any_bits_and_short_decimals_follow_the_rule(bits: type[np.unsignedinteger[Any]]) -> None:
    random = np.random.default_rng(7)
    dtype = np.dtype(f"f{np.dtype(bits).itemsize}")
    anything = random.integers(0, np.iinfo(bits).max, 20_000, bits, endpoint=True).view(dtype)
    short = random.integers(-999_999, 1_000_000, 20_000) * 10.0 ** random.integers(-44, 33, 20_000)
    check(np.concatenate([anything, short.astype(dtype)]))


def test_known_numbers() -> None:
    singles = {
        9e6: "9e+06",
        999_999: "999999.0",
        0.5: "0.5",
        3e-4: "0.0003",
        3e-5: "3e-05",
        555_557.5: "555557.5",
        0.1234567: "0.123456702",
        16_777_216: "16777216.0",
        -0.0: "-0.0",
        1e-45: "1.4013e-45",
    }
    assert format_floats(np.array(list(singles), np.float32)) == list(singles.values())
    assert format_floats(np.array([0.1, 1 / 3, 1e300])) == ["0.1", "0.33333333333333331", "1e+300"]
