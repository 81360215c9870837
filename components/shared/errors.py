"""The one exception tree: each error says what happened, and what to do about it."""

from __future__ import annotations


class HeadraceError(Exception):
    """Base of all errors that Headrace raises on purpose.

    Attributes:
        message: What was expected and what was got, with the file, column or component in it.
        fix: What the reader should do next.
        http_status: The status an HTTP front end answers with.
    """

    http_status = 500

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n{self.fix}"


class ConfigError(HeadraceError):
    """``project.yaml``, a command-line option or a pipeline parameter is not usable."""

    http_status = 400


class SourceError(HeadraceError):
    """A source cannot be read: missing, empty, wrong format, wrong encoding."""

    http_status = 422


class DataError(HeadraceError):
    """The data were read, but a column or a value is not what was promised."""

    http_status = 422


class ProjectCodeError(HeadraceError):
    """``features.py``, ``preprocessing.py`` or ``model.py`` raised, or lacks a function."""


class GateError(HeadraceError):
    """A gate says no: the data or the model must not go further."""

    http_status = 409


class StorageError(HeadraceError):
    """A place cannot be written or read: full disk, read-only folder, unreachable store."""

    http_status = 507


class StepError(HeadraceError):
    """A pipeline step ended without a result: killed, out of memory, or an unforeseen failure."""
