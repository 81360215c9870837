"""The runner's side of the warm processes: starts them, hands steps over, hears how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.pipelines.local.resources import Stopped

CORE = "core"
TFX = "tfx"
_ZYGOTE = "headrace.pipelines.local.zygote"
_GRACE_SECONDS = 2.0
#: What a container variable with such a prefix sets, a warm process has already read.
_READ_AT_START = (
    "CUDA_",
    "KERAS_",
    "LD_",
    "MKL_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "TF_",
    "XLA_",
)

PRELOAD: dict[str, tuple[str, ...]] = {
    CORE: (
        "kfp.dsl.executor_main",
        "numpy",
        "pandas",
        "pyarrow",
        "headrace.components.shared.errors",
    ),
    TFX: (
        "kfp.dsl.executor_main",
        "headrace.components.shared.errors",
        "headrace.components.shared.preload",
    ),
}
ENVIRONMENT = {
    "_KFP_RUNTIME": "true",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_USE_LEGACY_KERAS": "0",
}


def kind_of(image: str) -> str:
    """Which warm process serves steps with this image."""
    return TFX if "headrace/tfx" in image else CORE


@dataclass
class Ending:
    """How a step's process ended."""

    code: int
    cpu_seconds: float
    peak_bytes: int


@dataclass
class Handle:
    """A step's process.

    Attributes:
        ending: How it ended; none when the warm process itself died.
        exceeded: Bytes it used when it was ended for using more than its limit.
    """

    process: WarmProcess
    id: str
    pid: int | None = None
    ending: Ending | None = None
    exceeded: int | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def kill(self) -> None:
        """Ends the step's whole process group."""
        self.process.send(op="kill", id=self.id)


class WarmProcess:
    """One zygote."""

    def __init__(self, kind: str, log: Path) -> None:
        self.kind = kind
        self.ready = threading.Event()
        self._handles: dict[str, Handle] = {}
        self._lock = threading.Lock()
        self._is_gone = False
        self._environment = {**os.environ, **ENVIRONMENT}
        with log.open("ab") as stream:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", _ZYGOTE, "--preload", ",".join(PRELOAD[kind])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=self._environment,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name=f"warm-{kind}", daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether it can take steps."""
        return not self._is_gone and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def submit(self, step: str, request: Path, env: dict[str, str]) -> Handle:
        """Starts a step.

        Args:
            step: A name of its own.
            request: The file that describes the step.
            env: The step's environment variables.
        """
        handle = Handle(self, step)
        cold = any(
            name.startswith(_READ_AT_START) and self._environment.get(name) != value
            for name, value in env.items()
        )
        with self._lock:
            # Once its reports have ended, nobody would ever tell how a new step fares.
            if self._is_gone:
                handle.done.set()
                return handle
            self._handles[step] = handle
        if not self.send(op="run", id=step, request=str(request), cold=cold):
            self._abandon()
        return handle

    def send(self, **message: Any) -> bool:
        """Writes a request; false when the process is gone."""
        assert self._popen.stdin is not None
        with self._lock:
            try:
                self._popen.stdin.write(json.dumps(message).encode() + b"\n")
                self._popen.stdin.flush()
            except (BrokenPipeError, ValueError):
                return False
        return True

    def close(self) -> None:
        """Ends it and all its steps."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()
        if not self.ready.is_set():
            self._popen.kill()
        try:
            self._popen.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _listen(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            report = json.loads(line)
            if report["event"] == "ready":
                self.ready.set()
            elif report["event"] == "started":
                self._handles[report["id"]].pid = report["pid"]
            else:
                with self._lock:
                    handle = self._handles.pop(report["id"])
                handle.ending = Ending(report["code"], report["cpu_seconds"], report["peak_bytes"])
                handle.done.set()
        self._abandon()
        self.ready.set()

    def _abandon(self) -> None:
        with self._lock:
            self._is_gone = True
            handles, self._handles = self._handles, {}
        for handle in handles.values():
            handle.done.set()


class WarmPool:
    """The warm processes of a run, started from one thread when first needed.

    Linux ends a child that asked for it when the *thread* that started it ends, so the thread
    that lives as long as the run starts them all.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes: dict[str, WarmProcess] = {}
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._started = threading.Condition()
        self._closed = False

    def start(self, kind: str) -> None:
        """Asks for a warm process without waiting for it."""
        self._wanted.put(kind)

    def is_ready(self, kind: str) -> bool:
        """Whether ``get`` would answer at once."""
        return self._is_up(kind) and self._processes[kind].ready.is_set()

    def get(self, kind: str) -> WarmProcess:
        """A warm process that is ready; started if need be.

        Raises:
            Stopped: The run ends.
        """
        with self._started:
            current = self._processes.get(kind)
            if not self._is_up(kind):
                self.start(kind)
                self._started.wait_for(
                    lambda: self._processes.get(kind) is not current or self._closed
                )
            if self._closed:
                raise Stopped
            process = self._processes[kind]
        process.ready.wait()
        return process

    def serve(self, until: Callable[[], bool], *, tick: float, on_tick: Callable[[], None]) -> None:
        """Starts what is asked for, until told to stop; runs in the thread that owns the run."""
        while not until():
            with contextlib.suppress(queue.Empty):
                kind = self._wanted.get(timeout=tick)
                if kind is not None:
                    self._spawn(kind)
            on_tick()

    def wake(self) -> None:
        """Has ``serve`` look at once whether it should stop."""
        self._wanted.put(None)

    @property
    def processes(self) -> list[WarmProcess]:
        """Those started so far."""
        return list(self._processes.values())

    def close(self) -> None:
        """Ends all warm processes and their steps."""
        with self._started:
            self._closed = True
            self._started.notify_all()
        for process in self.processes:
            process.close()

    def _is_up(self, kind: str) -> bool:
        return kind in self._processes and self._processes[kind].is_alive

    def _spawn(self, kind: str) -> None:
        with self._started:
            if not self._closed and not self._is_up(kind):
                self._processes[kind] = WarmProcess(kind, self._logs / f"warm-{kind}.log")
            self._started.notify_all()
