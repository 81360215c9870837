"""What the consumer needs of a stream, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Entry(NamedTuple):
    """One message of a stream.

    Attributes:
        position: Where it is, for the source itself.
        payload: Its bytes.
        arrived: When the stream got it, in seconds since 1970.
    """

    position: Any
    payload: bytes
    arrived: float


class DeadLetter(NamedTuple):
    """A message that cannot be used, and why."""

    entry: Entry
    reason: str


class EventSource(Protocol):
    """A stream of events that remembers how far it was processed.

    Calls may raise one of `transient`; the consumer then waits and calls again. A message that was
    handed out and not committed is handed out again after a restart, in the same order.
    """

    @property
    def transient(self) -> tuple[type[Exception], ...]:
        """Errors that go away by themselves."""

    def open(self) -> None:
        """Connects, and takes over what consumers before this one did not commit."""

    def poll(self, most: int, seconds: float) -> list[Entry]:
        """Waits for messages, at most some seconds. All before were committed."""

    def commit(self, entries: Sequence[Entry]) -> None:
        """Says that messages are processed; may be repeated."""

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Puts messages aside; a repeated call puts them aside again."""

    def close(self) -> None:
        """Disconnects."""


class EventSink(Protocol):
    """Where a replay publishes to."""

    @property
    def transient(self) -> tuple[type[Exception], ...]:
        """Errors that go away by themselves."""

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Adds messages in order; when it raises, any part of them may have been added."""

    def backlog(self) -> int:
        """How many messages wait to be consumed; 0 when that is unknown."""

    def close(self) -> None:
        """Sends what is still held, and disconnects."""
