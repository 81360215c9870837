"""Errors for people: what was expected, what was got, and what to do."""

from __future__ import annotations


class EdgeError(Exception):
    """A bundle, a row or a column is not usable.

    Attributes:
        message: What was expected and what was got.
        fix: What the reader should do next.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n{self.fix}"
