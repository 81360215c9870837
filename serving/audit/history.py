"""What the audit trail says: what happened to a model, and which version answered at a moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.serving.audit.trail import Entry

#: Events of a gateway: from the first on it answers with a version, from the others on with none.
ANSWERING = "answering"
_ENDS = ("stopped", "unreachable")
_AVAILABLE = "available"


@dataclass(frozen=True)
class Answering:
    """A version that answered at the moment in question.

    Attributes:
        model: The model.
        version: The version.
        who: The gateway, or the model server, that answered with it.
        since: From when on.
    """

    model: str
    version: int
    who: str
    since: dt.datetime


def of_model(entries: Iterable[Entry], model: str | None) -> list[Entry]:
    """The entries about a model, or about all, in the order in which things happened."""
    chosen = [entry for entry in entries if model in (None, entry.event.model)]
    return sorted(chosen, key=lambda entry: entry.time)


def answering_at(entries: Sequence[Entry], moment: dt.datetime) -> list[Answering]:
    """Which versions answered at a moment: normally one per model.

    A model for which a gateway recorded anything until then is judged by its gateways. Else its
    model servers answer with the newest version that is available.

    Args:
        entries: In the order in which things happened.
        moment: The moment, with its zone.
    """
    gateways: dict[tuple[str, str], Answering | None] = {}
    servers: dict[tuple[str, str], dict[int, Answering]] = {}
    for entry in entries:
        if entry.time > moment:
            break
        event = entry.event
        key = (event.model, event.actor)
        found = Answering(event.model, event.version, event.actor, entry.time)
        if event.what == ANSWERING:
            gateways[key] = found
        elif event.what in _ENDS:
            gateways[key] = None
        elif event.what == _AVAILABLE:
            servers.setdefault(key, {})[event.version] = found
        elif key in servers:
            servers[key].pop(event.version, None)
    judged = {model for model, _ in gateways}
    newest = [
        versions[max(versions)]
        for (model, _), versions in servers.items()
        if versions and model not in judged
    ]
    return [found for found in gateways.values() if found] + newest
