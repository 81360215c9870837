"""The embedded model server with one model, in a process that may crash without harm."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.components.shared.errors import HeadraceError
from headrace.serving.client import GrpcClient, RestClient
from headrace.serving.server.config.flags import Flags

if TYPE_CHECKING:
    from headrace.serving.server.app import Server

#: How long a process that has dropped a connection may take to be seen dead.
_DYING_SECONDS = 2.0


class RefusedError(Exception):
    """The model cannot be served; the text says why."""


@dataclass(frozen=True)
class ModelServer:
    """A server that loads its model, or has loaded it.

    Attributes:
        process: It runs there.
        connection: Tells when the model is loaded, or why it is not.
        flags: What the server was told.
        end: When its time is over, as ``time.monotonic`` has it.
    """

    process: ForkProcess
    connection: Connection
    flags: Flags
    end: float

    @contextlib.contextmanager
    def clients(self) -> Iterator[tuple[GrpcClient, RestClient]]:
        """Waits for the model, then gives a client for each protocol.

        Raises:
            RefusedError: the model does not load, or an answer to a client does not come.
        """
        if not self.connection.poll(self._left()):
            raise RefusedError("it did not load in time")
        try:
            reason = self.connection.recv()
        except EOFError:
            raise RefusedError(self._death() or "the server went away") from None
        if reason is not None:
            raise RefusedError(reason)
        grpc = GrpcClient(f"localhost:{self.flags.port}", deadline=self._left())
        rest = RestClient(f"http://localhost:{self.flags.rest_api_port}", deadline=self._left())
        with grpc, rest:
            try:
                yield grpc, rest
            except HeadraceError as error:
                raise RefusedError(self._death() or error.message) from None

    def _left(self) -> float:
        return max(self.end - time.monotonic(), 0.001)

    def _death(self) -> str | None:
        self.process.join(_DYING_SECONDS)
        code = self.process.exitcode
        return None if code is None else f"the process that loaded it died with exit code {code}"


@contextlib.contextmanager
def started(model: Path, name: str, seconds: float) -> Iterator[ModelServer]:
    """A server that begins to load the model; it ends with the context, or with this process.

    It is forked, so that a step whose process has imported TensorFlow already does not wait for it
    again. TensorFlow must not have run in this process yet.

    Args:
        model: SavedModel.
        name: By which the server knows it.
        seconds: How long the server may take for everything.
    """
    # With TensorFlow, which both processes need: imported once, before the fork.
    from headrace.serving.server.app import Server

    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="headrace-serve-") as base:
        (Path(base) / "1").symlink_to(model.resolve(), target_is_directory=True)
        port, rest_port = _free_ports()
        flags = Flags(
            port=port,
            rest_api_port=rest_port,
            model_name=name,
            model_base_path=base,
            file_system_poll_wait_seconds=0,
            max_num_load_retries=0,
        )
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, ours, Server, flags), daemon=True)
        process.start()
        theirs.close()
        try:
            yield ModelServer(process, ours, flags, time.monotonic() + seconds)
        finally:
            process.kill()
            process.join()
            ours.close()


def _serve(
    connection: Connection, parents: Connection, make: Callable[[Flags], Server], flags: Flags
) -> None:
    """Serves until the other process closes its end of the connection, or is no more."""
    parents.close()
    try:
        server = make(flags)
        server.start()
    except Exception as error:  # whatever it is, it is the verdict
        connection.send(_reason(error))
        return
    connection.send(None)
    with contextlib.suppress(EOFError):
        connection.recv()
    server.stop(0)


def _reason(error: Exception) -> str:
    """The first line that says something; TensorFlow starts with a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.endswith(":")] or lines
    return said[0][:400] if said else type(error).__name__


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("", 0)) as first, socket.create_server(("", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]
