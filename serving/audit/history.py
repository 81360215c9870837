"""What the audit trail says: what happened to a model, and which version answered at a moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.serving.audit.trail import Entry

#: Events of a model server itself, about no model.
SERVER_STARTED, SERVER_STOPPED = "server started", "server stopped"
LABELLED, UNLABELLED = "labelled", "unlabelled"
#: Events of a gateway: from the first on it answers with a version, from the others on with none.
ANSWERING = "answering"
_ENDS = ("stopped", "unreachable")
_AVAILABLE = "available"
_GONE = ("unloading", "end")


@dataclass(frozen=True)
class Answering:
    """A version that answered at the moment in question.

    Attributes:
        model: The model.
        version: The version.
        who: The gateway, or the model server, that answered with it.
        since: From when on.
        label: The label under which it answered; empty for requests that name none.
    """

    model: str
    version: int
    who: str
    since: dt.datetime
    label: str = ""


def pusher(by: str | None) -> str:
    """How the trail calls who pushed a version."""
    return f"pusher {by}" if by else "pusher"


def of_model(entries: Iterable[Entry], model: str | None) -> list[Entry]:
    """The entries about a model, or about all, in the order in which things happened.

    What servers did as a whole belongs to each model.
    """
    chosen = [entry for entry in entries if model is None or entry.event.model in ("", model)]
    return sorted(chosen, key=lambda entry: entry.time)


def answering_at(entries: Sequence[Entry], moment: dt.datetime) -> list[Answering]:
    """Which versions answered at a moment: normally one per model, and one per label.

    A model for which a gateway recorded anything until then is judged by its gateways. Else its
    model servers answer with the newest version that is available. Labels are the model servers'.

    Args:
        entries: In the order in which things happened.
        moment: The moment, with its zone.
    """
    gateways: dict[tuple[str, str], Answering | None] = {}
    servers: dict[tuple[str, str], dict[int, Answering]] = {}
    labels: dict[tuple[str, str, str], Answering] = {}
    for entry in entries:
        if entry.time > moment:
            break
        event = entry.event
        key = (event.model, event.actor)
        label = str(event.detail.get("label", ""))
        found = Answering(event.model, event.version, event.actor, entry.time, label)
        if event.what == ANSWERING:
            gateways[key] = found
        elif event.what in _ENDS:
            gateways[key] = None
        elif event.what in (SERVER_STARTED, SERVER_STOPPED):  # it may have been killed before
            servers = {known: held for known, held in servers.items() if known[1] != event.actor}
            labels = {known: held for known, held in labels.items() if known[1] != event.actor}
        elif event.what == LABELLED:
            labels[*key, label] = found
        elif event.what == UNLABELLED:
            labels.pop((*key, label), None)
        elif event.what == _AVAILABLE:
            servers.setdefault(key, {})[event.version] = found
        elif event.what in _GONE and key in servers:
            servers[key].pop(event.version, None)
    judged = {model for model, _ in gateways}
    newest = [
        versions[max(versions)]
        for (model, _), versions in servers.items()
        if versions and model not in judged
    ]
    return [*(found for found in gateways.values() if found), *newest, *labels.values()]
