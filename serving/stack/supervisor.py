"""Starts processes, waits until they answer, watches them, and ends them all."""

from __future__ import annotations

import contextlib
import functools
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import tenacity

from headrace.components.shared.errors import HeadraceError
from headrace.feature_store.local_redis import is_free
from headrace.pipelines.local.processes import die_with_parent

#: A model server imports TensorFlow and loads its models; the others are quicker.
_START_SECONDS = 300.0
#: Longer than model servers and gateways need to answer what is under way.
_STOP_SECONDS = 40.0
_POLL_SECONDS = 0.25
_LOG_LINES = 15


class StackError(HeadraceError):
    """A process of the stack cannot start, or has ended."""


@dataclass(frozen=True)
class Service:
    """One process.

    Attributes:
        name: What people call it.
        command: Starts it; it must end on SIGTERM.
        port: Where it listens.
        option: The option that chooses another port.
        url: What is shown to people.
        health: URL that answers 200 when it is ready; empty when the open port says so.
        more_ports: Other ports that it opens, by option.
    """

    name: str
    command: Sequence[str]
    port: int
    option: str
    url: str
    health: str = ""
    more_ports: Sequence[tuple[str, int]] = ()

    def ready(self) -> bool:
        """Whether it answers."""
        if not self.health:
            return not is_free(self.port)
        try:
            with urllib.request.urlopen(self.health, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


class Supervisor:
    """Runs services as child processes; when one ends, the others are ended too."""

    def __init__(self, services: Sequence[Service], logs: Path) -> None:
        """Prepares.

        Args:
            services: In the order in which they start; each waits for the one before.
            logs: Folder of one log file per service.
        """
        self._services = services
        self._logs = logs
        self._running: list[tuple[Service, psutil.Popen]] = []
        self._asked_to_end = threading.Event()

    def log(self, service: Service) -> Path:
        """Where the output of a service goes."""
        return self._logs / f"{service.name.replace(' ', '-')}.log"

    def check_ports(self) -> None:
        """Looks whether all ports are free.

        Raises:
            StackError: one is taken.
        """
        wanted = [
            (service.name, option, port)
            for service in self._services
            for option, port in ((service.option, service.port), *service.more_ports)
        ]
        taken = [item for item in wanted if not is_free(item[2])]
        if taken:
            raise StackError(
                "; ".join(f"Port {port}, for the {name}, is taken" for name, _, port in taken)
                + ".",
                fix="End what listens there, or choose another port: "
                + ", ".join(f"{option} PORT" for _, option, _ in taken),
            )

    def run(self, on_ready: Callable[[Service], None], on_all_ready: Callable[[], None]) -> None:
        """Starts everything and stays until SIGINT or SIGTERM; nothing is left running.

        Args:
            on_ready: Called for each service that answers.
            on_all_ready: Called when all do.

        Raises:
            StackError: a port is taken, or a process ends or does not become ready.
        """
        self.check_ports()
        self._logs.mkdir(parents=True, exist_ok=True)
        with self._signals():
            try:
                for service in self._services:
                    self._start(service)
                    self._wait_until_ready(service)
                    if self._asked_to_end.is_set():
                        return
                    on_ready(service)
                on_all_ready()
                while not self._asked_to_end.wait(_POLL_SECONDS):
                    self._check_alive()
            finally:
                self._stop()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {
            number: signal.signal(number, lambda *_: self._asked_to_end.set()) for number in numbers
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, service: Service) -> None:
        with self.log(service).open("wb") as log:
            process = psutil.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this process alone, which ends the others in their order.
                start_new_session=True,
                preexec_fn=functools.partial(die_with_parent, signal.SIGTERM),
            )
        self._running.append((service, process))

    def _wait_until_ready(self, service: Service) -> None:
        def answers() -> bool:
            self._check_alive()
            return service.ready()

        until = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda ready: not ready),
            wait=tenacity.wait_fixed(_POLL_SECONDS),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(_START_SECONDS),
                tenacity.stop_when_event_set(self._asked_to_end),
            ),
            sleep=tenacity.sleep_using_event(self._asked_to_end),
        )
        try:
            until(answers)
        except tenacity.RetryError:
            if not self._asked_to_end.is_set():
                raise self._failed(
                    service, f"was not ready after {_START_SECONDS:.0f} seconds"
                ) from None

    def _check_alive(self) -> None:
        for service, process in self._running:
            code = process.poll()
            if code is not None:
                raise self._failed(service, f"has ended with exit code {code}")

    def _failed(self, service: Service, what: str) -> StackError:
        lines = self.log(service).read_text(encoding="utf-8", errors="replace").splitlines()
        end = "\n".join(f"  {line}" for line in lines[-_LOG_LINES:]) or "  (nothing)"
        return StackError(
            f"The {service.name} {what}; the others are ended. Its log ends with:\n{end}",
            fix=f"All of it is in {self.log(service)}",
        )

    def _stop(self) -> None:
        """Ends the last first: each may still need those before it for what is under way."""
        for _, process in reversed(self._running):
            children = _children(process)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
            _, alive = psutil.wait_procs([process, *children], timeout=_STOP_SECONDS)
            for left in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    left.kill()
            psutil.wait_procs(alive, timeout=_STOP_SECONDS)


def _children(process: psutil.Popen) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found
