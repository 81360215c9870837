"""Events in a Redis stream, read by a consumer group."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from headrace.feature_store.streaming.source import DeadLetter, Entry

_FIELD = "event"
_SOCKET_SECONDS = 10.0
_CLAIMED_AT_ONCE = 1_000
_TRIM_SECONDS = 1.0
_TRANSIENT = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError)


def connect(url: str) -> redis.Redis:
    """A client that never repeats a command by itself.

    A repeated XREADGROUP would hand out the messages after those whose reply was lost; whoever
    repeats must first read what is pending.
    """
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
    )


class RedisStreamSource:
    """Reads a stream as one consumer of a group.

    Only one consumer of a group works at a time (the event log's lock sees to it), so all that
    others left pending is taken over at once, and messages come in the stream's order.

    Attributes:
        lost: Messages that someone removed from the stream before they were read.
    """

    transient: tuple[type[Exception], ...] = _TRANSIENT

    def __init__(
        self,
        url: str,
        stream: str,
        *,
        group: str = "headrace",
        consumer: str = "headrace",
        dead_letters: str | None = None,
        dead_letters_kept: int = 100_000,
        trim: bool = True,
    ) -> None:
        """Prepares a source; nothing is connected yet.

        Args:
            url: Such as ``redis://localhost:6379/0``.
            stream: The stream's key.
            group: The consumer group; made when it does not exist, from the stream's beginning.
            consumer: This consumer's name in it.
            dead_letters: Key of the stream of unusable messages; by default `<stream>:dead`.
            dead_letters_kept: About how many of them to keep.
            trim: Whether to remove messages that every group has acknowledged.
        """
        self.lost = 0
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._dead = dead_letters or f"{stream}:dead"
        self._dead_kept = dead_letters_kept
        self._trim = trim
        self._trimmed = 0.0
        self._redis = connect(url)
        # Whether messages may be pending that this object has not seen.
        self._unsure = True

    def open(self) -> None:
        """Makes the group if need be, and claims what its consumers left pending."""
        self._make_group()
        cursor: Any = "0-0"
        while True:
            reply = cast(
                "list[Any]",
                self._redis.xautoclaim(
                    self._stream,
                    self._group,
                    self._consumer,
                    min_idle_time=0,
                    start_id=cursor,
                    count=_CLAIMED_AT_ONCE,
                ),
            )
            cursor = reply[0]
            if cursor in (b"0-0", "0-0"):
                return

    def poll(self, most: int, seconds: float) -> list[Entry]:
        """Reads what is pending, then what is new."""
        if self._unsure:
            pending = self._read("0", most, None)
            if pending:
                return pending
            self._unsure = False
        return self._read(">", most, max(1, int(seconds * 1000)))

    def commit(self, entries: Sequence[Entry]) -> None:
        """Acknowledges messages."""
        if entries:
            positions = [entry.position for entry in entries]
            self._redis.xack(self._stream, self._group, *positions)
        if self._trim and time.monotonic() - self._trimmed > _TRIM_SECONDS:
            self._remove_acknowledged()
            self._trimmed = time.monotonic()

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Adds messages with their reason and their position to the stream of dead letters."""
        with self._redis.pipeline(transaction=False) as pipe:
            for letter in letters:
                fields = {
                    _FIELD: letter.entry.payload,
                    "reason": letter.reason,
                    "position": letter.entry.position,
                }
                pipe.xadd(self._dead, cast(Any, fields), maxlen=self._dead_kept, approximate=True)
            pipe.execute()

    def close(self) -> None:
        """Closes the connection."""
        self._redis.close()

    def _read(self, position: str, most: int, block: int | None) -> list[Entry]:
        try:
            reply = self._redis.xreadgroup(
                self._group, self._consumer, {self._stream: position}, count=most, block=block
            )
        except redis.ResponseError as error:
            if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                raise
            # The server came back without its data, or someone deleted the stream.
            self._unsure = True
            self._make_group()
            return []
        except Exception:
            self._unsure = True
            raise
        messages = cast("list[Any]", reply)[0][1] if reply else []
        gone = [position for position, fields in messages if not fields]
        if gone:
            self.lost += len(gone)
            self._redis.xack(self._stream, self._group, *gone)
        return [
            Entry(position, fields.get(_FIELD.encode(), b""), int(position.split(b"-")[0]) / 1000)
            for position, fields in messages
            if fields
        ]

    def _make_group(self) -> None:
        try:
            self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _remove_acknowledged(self) -> None:
        """Trims up to the first message that some group still needs."""
        needed = []
        for group in cast("list[dict[str, Any]]", self._redis.xinfo_groups(self._stream)):
            if group["pending"]:
                summary = cast("dict[str, Any]", self._redis.xpending(self._stream, group["name"]))
                needed.append(_number(summary["min"]))
            else:
                milliseconds, sequence = _number(group["last-delivered-id"])
                needed.append((milliseconds, sequence + 1))
        if needed:
            milliseconds, sequence = min(needed)
            before = f"{milliseconds}-{sequence}"
            self._redis.xtrim(self._stream, minid=before, approximate=True, limit=0)


class RedisStreamSink:
    """Publishes to a stream, many messages in one round trip."""

    transient: tuple[type[Exception], ...] = _TRANSIENT

    def __init__(self, url: str, stream: str) -> None:
        """Prepares a sink.

        Args:
            url: Such as ``redis://localhost:6379/0``.
            stream: The stream's key.
        """
        self._stream = stream
        self._redis = connect(url)

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Adds messages at the stream's end."""
        with self._redis.pipeline(transaction=False) as pipe:
            for payload in payloads:
                pipe.xadd(self._stream, {_FIELD: payload})
            pipe.execute()

    def backlog(self) -> int:
        """How many messages the slowest group has not processed; all of them without a group."""
        if not self._redis.exists(self._stream):
            return 0
        groups = cast("list[dict[str, Any]]", self._redis.xinfo_groups(self._stream))
        behind = [_behind(group) for group in groups]
        if not behind or None in behind:
            return cast(int, self._redis.xlen(self._stream))
        return max(count for count in behind if count is not None)

    def close(self) -> None:
        """Closes the connection."""
        self._redis.close()


def _behind(group: dict[str, Any]) -> int | None:
    """Messages not delivered yet, which the server may not know, and not acknowledged yet."""
    return None if group["lag"] is None else group["lag"] + group["pending"]


def _number(position: Any) -> tuple[int, int]:
    text = position.decode() if isinstance(position, bytes) else str(position)
    milliseconds, sequence = text.split("-")
    return int(milliseconds), int(sequence)
