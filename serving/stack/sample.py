"""A request that a gateway can answer: of a real row, or of typical values of the training data."""

from __future__ import annotations

import json
import shlex
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from headrace.components.features.historical_features.history import EVENT_TIMESTAMP, LABELS
from headrace.pipelines.local.home import Home
from headrace.pipelines.local.records import DONE

_STEP, _ARTIFACT = "feature-builder", "built"


def instance(gateway: str, model: str, home: Path, now: datetime) -> dict[str, Any]:
    """What to ask for.

    Args:
        gateway: Its URL.
        model: The model's name.
        home: Where the project's runs are; the newest that built labelled rows has real ones.
        now: The moment for which features are asked; the newest row until then is taken.

    Returns:
        Value by name of every field that the gateway asks for.
    """
    with urllib.request.urlopen(f"{gateway}/openapi.json", timeout=30) as answer:
        operation = json.load(answer)["paths"][f"/v1/predict/{model}"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    typical: dict[str, Any] = content["example"]["instances"][0]
    return _real(home, list(typical), now) or typical


def _real(home: Path, names: list[str], now: datetime) -> dict[str, Any]:
    """The newest labelled row until a moment; empty when no run has one with all fields."""
    labels = _labels(Home(home))
    if labels is None:
        return {}
    rows = pl.scan_parquet(labels)
    if not {EVENT_TIMESTAMP, *names} <= set(rows.collect_schema()):
        return {}
    known = rows.filter(pl.col(EVENT_TIMESTAMP) <= now).drop_nulls(names)
    found = known.sort(EVENT_TIMESTAMP).last().select(names).collect()
    return found.row(0, named=True) if found.height else {}


def _labels(home: Home) -> Path | None:
    for run_id in home.run_ids():
        step = home.read(run_id).tasks.get(_STEP)
        if step and step.state in DONE:
            path = Path(step.outputs.artifacts[_ARTIFACT].uri) / LABELS
            if path.is_file():
                return path
    return None


def curl(gateway: str, model: str, row: dict[str, Any], *, authorised: bool) -> str:
    """The command that asks for a row."""
    body = json.dumps({"instances": [row]})
    token = ' -H "Authorization: Bearer $TOKEN"' if authorised else ""
    return f"curl -s {gateway}/v1/predict/{model}{token} -d {shlex.quote(body)}"
