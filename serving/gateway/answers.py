"""Answers as JSON."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

import orjson

from headrace.components.shared.errors import HeadraceError
from headrace.serving.gateway.config import Action, State
from headrace.serving.gateway.errors import RejectedError
from headrace.serving.gateway.predictor import Answer
from headrace.serving.gateway.tensors import Flag

_SENT = {Action.OMIT: "missing", Action.DEFAULT: "default", Action.REJECT: "nothing"}


def render(request_id: str, answer: Answer) -> bytes:
    """The answer to a request of which at least one row has a prediction."""
    batch = answer.batch
    contract = batch.contract
    return orjson.dumps(
        {
            "request_id": request_id,
            "model": {
                "name": contract.model,
                "version": contract.version,
                "signature": contract.signature.name,
            },
            "feature_service": contract.service.name if contract.service else None,
            "features_as_of": _time(round(batch.features.now * 1_000_000)),
            "predictions": [_row(answer, row) for row in range(answer.start, answer.end)],
        }
    )


def render_error(request_id: str, error: HeadraceError) -> bytes:
    """What went wrong, and what to do about it."""
    return orjson.dumps({"request_id": request_id, "error": error.message, "fix": error.fix})


def check_rejected(answer: Answer) -> None:
    """Raises when no row has a prediction.

    Raises:
        RejectedError: the policy rejects all.
    """
    rejected = answer.batch.served.rejected
    rows = range(answer.start, answer.end)
    if not all(row in rejected for row in rows):
        return
    flag = rejected[answer.start]
    error = RejectedError(
        f"No prediction: {describe(flag)}. The policy for that is `reject`.",
        fix="Correct the entity, or bring the feature up to date; gateway.yaml has the policy.",
    )
    if flag.state is State.UNAVAILABLE:
        error.http_status = 503
    raise error


def describe(flag: Flag) -> str:
    """A flag in words."""
    place = f" (view {flag.view})" if flag.view else ""
    return f"feature {flag.feature!r}{place} is {flag.state.value}"


def _row(answer: Answer, row: int) -> dict[str, Any]:
    batch = answer.batch
    rejected = batch.served.rejected.get(row)
    shown: dict[str, Any] = {
        "outputs": None
        if rejected
        else {name: values[row] for name, values in batch.outputs.items()},
        "feature_times": {
            view: _time(about.times[row]) for view, about in batch.features.views.items()
        },
        "flags": {name: _flag(flag) for name, flag in batch.served.flags[row].items()},
    }
    if rejected:
        shown["rejected"] = describe(rejected)
    return shown


def _flag(flag: Flag) -> dict[str, str]:
    return {"state": flag.state.value, "sent": _SENT[flag.action]}


@lru_cache(1 << 14)
def _time(micros: int) -> str | None:
    if not micros:
        return None
    moment = dt.datetime.fromtimestamp(micros / 1_000_000, tz=dt.UTC)
    return moment.isoformat(timespec="seconds" if micros % 1_000_000 == 0 else "milliseconds")
