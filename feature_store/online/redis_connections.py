"""Connections on which many commands go out at once and all replies are parsed in C.

redis-py makes the connections (address, password, TLS, database) and says how often to try again.
It would spend about three microseconds on each reply, and more on handing a connection out: a sixth
of a small request. What is used of its inside is named here and nowhere else.
"""

from __future__ import annotations

import os
from typing import Any

import hiredis
import redis

#: Bytes that one system call may bring.
_READ_SIZE = 1 << 16
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
        self._idle: list[Any] = []
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
            connection = self._idle.pop()
        except IndexError:
            connection = self.client.connection_pool.get_connection()
        try:
            return connection.retry.call_with_retry(  # type: ignore[no-any-return]
                lambda: _exchange(connection, message, count),
                lambda error: connection.disconnect(),
            )
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        """Closes all connections."""
        self._idle = []
        self.client.close()


def _exchange(connection: Any, message: bytes, count: int) -> list[Any]:
    if connection._sock is None:
        connection.connect()
    socket = connection._sock
    reader = hiredis.Reader(replyError=connection._parser.parse_error, notEnoughData=_MORE)
    replies: list[Any] = []
    try:
        socket.sendall(message)
        while len(replies) < count:
            data = socket.recv(_READ_SIZE)
            if not data:
                raise redis.ConnectionError("Connection closed by server.")
            reader.feed(data)
            while (reply := reader.gets()) is not _MORE:
                replies.append(reply)
    except TimeoutError as error:
        raise redis.TimeoutError("Timeout reading from socket") from error
    except OSError as error:
        raise redis.ConnectionError(f"Error while talking to the server: {error}") from error
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
