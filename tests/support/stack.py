"""``headrace serve --all`` as a person runs it: started, read, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from headrace.feature_store.local_redis import free_port

HEADRACE = Path(sys.executable).with_name("headrace")
_SECONDS = 400


class Stack:
    """A running stack.

    Attributes:
        ports: By name, as the command's options have them.
    """

    def __init__(self, log: Path, words: list[str], variables: Mapping[str, str]) -> None:
        self.ports = {name: free_port() for name in ("gateway", "features", "grpc", "rest")}
        self._log = log
        options = [f"--{name}-port={port}" for name, port in self.ports.items()]
        with log.open("w") as output:
            self.process = psutil.Popen(
                [HEADRACE, "serve", "--all", *words, *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **variables, "COLUMNS": "200"},
            )

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + _SECONDS
        while "Ctrl-C ends all" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < end, self.output
            time.sleep(0.1)

    def descendants(self) -> dict[str, psutil.Process]:
        """All its processes by command line."""
        found = self.process.children(recursive=True)
        return {" ".join(process.cmdline()): process for process in found}

    def curl(self) -> str:
        """The printed request."""
        (line,) = [line for line in self.output.splitlines() if line.startswith("curl ")]
        return line

    def end(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return int(self.process.wait(_SECONDS))


@contextlib.contextmanager
def stack(log: Path, *words: str | Path, **variables: str) -> Iterator[Stack]:
    """Runs it until the end of the block."""
    running = Stack(log, [str(word) for word in words], variables)
    try:
        yield running
    finally:
        running.end()
