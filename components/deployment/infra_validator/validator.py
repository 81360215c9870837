"""The work of ``infra_validator``: the probe, in a process that may crash without harm."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_ROWS = 200
_SECONDS = 300


@dataclass(frozen=True)
class Result:
    """Whether the model can be served, and what the probe saw."""

    blessed: bool
    verdict: str
    numbers: dict[str, Any] = field(default_factory=dict)


def run(*, model: Path, source: Path) -> Result:
    """Loads the model in a child process and queries it.

    Args:
        model: SavedModel.
        source: Examples artifact.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender, model, source))
    child.start()
    sender.close()
    try:
        answer = receiver.recv() if receiver.poll(_SECONDS) else "it did not answer in time"
    except EOFError:
        child.join()
        answer = f"the process that loaded it died with exit code {child.exitcode}"
    child.kill()
    child.join()
    if isinstance(answer, str):
        return Result(False, f"the model cannot be served: {answer}")
    text = (
        f"{answer['rows']} real rows answered alike by both signatures "
        f"(largest difference {answer['difference']:.1e})"
    )
    return Result(True, text, answer)


def _child(sender: Connection, model: Path, source: Path) -> None:
    from headrace.components.deployment.infra_validator.probe import probe

    try:
        sender.send(probe(model, source, _ROWS))
    except Exception as error:  # whatever it is, it is the verdict
        sender.send(f"{type(error).__name__}: {_reason(error)}")


def _reason(error: Exception) -> str:
    """The first line that says something; TensorFlow starts with a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.endswith(":")] or lines
    return said[0][:400] if said else "no reason given"
