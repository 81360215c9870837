"""Amounts as Kubernetes writes them: ``500m`` of a core, ``4G`` or ``512Mi`` of memory."""

from __future__ import annotations

import re

_UNITS = {"": 1.0, "m": 1e-3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGT", start=1)}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[KMGT]i?)?")


def amount(text: str) -> float:
    """Cores or bytes that a quantity stands for.

    Raises:
        ValueError: the text is no such quantity.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a quantity")
    return float(match[1]) * _UNITS[match[2] or ""]
