"""A warm process: imports libraries once, then forks one child per step.

Speaks JSON lines: requests on standard input, reports on standard output. It runs nothing but
imports before it forks, and no thread of its own. It ends, with everything it started, as soon as
its standard input is closed, that is when the runner ends, however it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from headrace.pipelines.local import child, processes

_CHUNK = 1 << 16
_GRACE_SECONDS = 1.0


class Zygote:
    """Forks steps, reaps them and reports."""

    def __init__(self, reports: int) -> None:
        self._reports = reports
        self._children: dict[int, tuple[str, str]] = {}
        self._buffer = b""
        self._inherited: list[int] = []

    def report(self, **fields: Any) -> None:
        """Writes one report."""
        os.write(self._reports, json.dumps(fields).encode() + b"\n")

    def serve(self) -> None:
        """Handles requests until standard input is closed."""
        wakeup, wakeup_end = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(wakeup_end, False)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            self._inherited = [wakeup, wakeup_end, selector.fileno()]
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if wakeup in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wakeup, _CHUNK)
                self._reap()
                if 0 in ready and not self._receive():
                    break
        _end_all()

    def _receive(self) -> bool:
        data = os.read(0, _CHUNK)
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["op"] == "run":
                self._fork(request["id"], Path(request["request"]), cold=request["cold"])
            else:
                self._kill(request["id"])
        return bool(data)

    def _fork(self, step: str, request: Path, *, cold: bool) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_step(request, cold=cold)
        self._children[pid] = (step, request.parent.name.removesuffix(".code"))
        self.report(event="started", id=step, pid=pid)

    def _become_step(self, path: Path, *, cold: bool) -> None:
        code = 1
        try:
            zygote = os.getppid()
            processes.die_with_parent(signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (*self._inherited, self._reports):
                os.close(descriptor)
            request = json.loads(path.read_text(encoding="utf-8"))
            child.enter(request)
            if os.getppid() != zygote:
                return
            if cold:
                module = "headrace.pipelines.local.child"
                os.execv(sys.executable, [sys.executable, "-m", module, str(path)])
            code = child.run(request)
        except BaseException:
            traceback.print_exc()
        finally:
            child.leave(code)

    def _kill(self, step: str) -> None:
        for pid, (name, _) in self._children.items():
            if name == step:
                processes.kill_group(pid)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                # The group is killed while its leader is still a zombie: afterwards the number
                # may belong to somebody else.
                processes.kill_group(ended.si_pid)
                _, status, usage = os.wait4(ended.si_pid, 0)
                if ended.si_pid in self._children:
                    self._conclude(ended.si_pid, status, usage)

    def _conclude(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        step, marker = self._children.pop(pid)
        for orphan in processes.children():
            # What the step started in a session of its own.
            if orphan not in self._children and processes.has_variable(
                orphan, child.STEP_VARIABLE, marker
            ):
                processes.kill_group(orphan)
        self.report(
            event="exited",
            id=step,
            code=os.waitstatus_to_exitcode(status),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=usage.ru_maxrss * 1024,
        )


def _end_all() -> None:
    """Ends all children, and theirs as they become orphans."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while (pids := processes.children()) and time.monotonic() < deadline:
        for pid in pids:
            processes.kill_group(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def preload(modules: list[str]) -> None:
    """Imports modules; one that cannot be imported is left to the step that needs it."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:
            traceback.print_exc()


def main() -> None:
    """Preloads, says so, and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--preload", default="")
    modules = [name for name in parser.parse_args().preload.split(",") if name]
    processes.die_with_parent(signal.SIGKILL)
    processes.adopt_orphans()
    reports = os.dup(1)
    os.dup2(2, 1)
    started = time.monotonic()
    preload(modules)
    gc.collect()
    gc.freeze()
    # From here on the end of standard input tells, and the steps' own children are ended too.
    processes.die_with_parent(0)
    zygote = Zygote(reports)
    zygote.report(event="ready", seconds=time.monotonic() - started)
    zygote.serve()


if __name__ == "__main__":
    main()
