"""Connections on which many commands go out at once and all replies are parsed in C.

redis-py makes the connections (address, password, TLS, database) and says how often to try again.
It would spend about three microseconds on each reply, and more on handing a connection out: a sixth
of a small request. What is used of its inside is named here and nowhere else.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from typing import Any

import hiredis
import redis

#: Bytes that one system call may bring.
_READ_SIZE = 1 << 16
#: How often to look for the replies of a server on this machine before going to sleep; one look
#: takes about a microsecond. The server is often quicker than the kernel, which takes 30 of them to
#: wake a sleeper on another core of a virtual machine: a quarter of a small request.
_LOOKS = 64
#: What the parser returns while a reply is not whole; None is a reply.
_MORE = object()


class Connections:
    """A client's connections, kept ready between requests.

    A connection that the server has closed is noticed when it is used, and made anew as the
    client's retry says.
    """

    def __init__(self, client: Any) -> None:
        """Wraps a client of one server."""
        self.client = client
        self._idle: list[_Line] = []
        self._process = os.getpid()

    def exchange(self, message: bytes, count: int) -> list[Any]:
        """Sends packed commands and returns their ``count`` replies, in order.

        After any failure the connection is closed: replies that were not read must never be taken
        for the replies to the next request.

        Raises:
            redis.RedisError: the server cannot be reached, is too slow or refuses a command.
        """
        if self._process != os.getpid():  # after a fork the sockets are the parent's, too
            self._idle, self._process = [], os.getpid()
        try:
            line = self._idle.pop()
        except IndexError:
            line = _Line(self.client.connection_pool.get_connection())
        try:
            return line.exchange(message, count)
        except BaseException:
            line.close()
            raise
        finally:
            self._idle.append(line)

    def close(self) -> None:
        """Closes all connections."""
        self._idle = []
        self.client.close()


class _Line:
    """One of redis-py's connections, with a parser of our own; it opens itself when it is used."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket: Any = None
        self._replies: Any = None
        self._looks = 0

    def exchange(self, message: bytes, count: int) -> list[Any]:
        replies: list[Any] = self._connection.retry.call_with_retry(
            lambda: self._exchange(message, count), lambda error: self.close()
        )
        return replies

    def close(self) -> None:
        self._connection.disconnect()
        self._socket = None

    def _open(self) -> None:
        if self._connection._sock is None:
            self._connection.connect()
        self._socket = _timed_by_kernel(self._connection._sock)
        self._replies = hiredis.Reader(
            replyError=self._connection._parser.parse_error, notEnoughData=_MORE
        )
        self._looks = _LOOKS if _is_near(self._socket) else 0

    def _exchange(self, message: bytes, count: int) -> list[Any]:
        if self._socket is None:
            self._open()
        parser = self._replies
        replies: list[Any] = []
        try:
            self._socket.sendall(message)
            while len(replies) < count:
                data = self._receive()
                if not data:
                    raise redis.ConnectionError("Connection closed by server.")
                parser.feed(data)
                while (reply := parser.gets()) is not _MORE:
                    replies.append(reply)
        except (TimeoutError, BlockingIOError) as error:
            raise redis.TimeoutError("Timeout reading from socket") from error
        except OSError as error:
            raise redis.ConnectionError(f"Error while talking to the server: {error}") from error
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _receive(self) -> bytes:
        """Waits for bytes of replies."""
        connected: socket.socket = self._socket
        for _ in range(self._looks):
            try:
                return connected.recv(_READ_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()  # the server may be waiting for this very core
        return connected.recv(_READ_SIZE)


def _is_near(connected: socket.socket) -> bool:
    """Whether the other end is on this machine, and bytes come as they are on the wire."""
    if isinstance(connected, ssl.SSLSocket):
        return False
    local = connected.family == socket.AF_UNIX
    return local or connected.getpeername()[0] == connected.getsockname()[0]


def _timed_by_kernel(connected: socket.socket) -> socket.socket:
    """The socket with its time-out left to the kernel, whose calls then raise BlockingIOError.

    Python would ask the kernel twice for each call: whether it may, and to do it. TLS needs that.
    """
    seconds = connected.gettimeout()
    if seconds and not isinstance(connected, ssl.SSLSocket):
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        connected.settimeout(None)
    return connected
