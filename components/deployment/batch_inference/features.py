"""What the model needs and the table lacks, joined from the feature service of the manifest."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from headrace.components.features.historical_features.history import EVENT_TIMESTAMP, join
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.text import nearest

_LOGGER = logging.getLogger(__name__)

Completing = Callable[[pl.DataFrame], pl.DataFrame]


@contextlib.contextmanager
def completing(
    inputs: Sequence[str], asked: Mapping[str, Any], repo_code: Mapping[str, str], root: str
) -> Iterator[Completing]:
    """Opens the feature store, as far as it is needed.

    Args:
        inputs: The features that the model takes.
        asked: The section ``feature_store`` of the model's manifest; may be empty.
        repo_code: The Feast repository's files by name.
        root: What paths in the repository are relative to.

    Yields:
        A function that adds to rows the features that they lack.

    Raises:
        ConfigError: the repository is not usable.
    """
    from headrace.feature_store import repo

    if not asked:
        yield lambda rows: rows
        return
    with contextlib.ExitStack() as stack:
        opened: list[Any] = []

        def complete(rows: pl.DataFrame) -> pl.DataFrame:
            if set(inputs) <= set(rows.columns):
                return rows
            _check(rows, asked, repo_code)
            if not opened:
                place = f"{root.rstrip('/')}/data"
                opened.append(stack.enter_context(repo.applied(repo_code, place)))
                _warn_if_changed(repo.registry_hash(opened[0]), asked)
            needed = [name for name in rows.columns if name in _brought(asked)]
            features = join(rows.select(needed), opened[0], asked["feature_service"])
            return rows.hstack([c for c in features if c.name not in rows.columns])

        yield complete


def _brought(asked: Mapping[str, Any]) -> list[str]:
    """What rows must have for the join."""
    return [*asked["join_keys"], *asked["request_fields"], EVENT_TIMESTAMP]


def _check(rows: pl.DataFrame, asked: Mapping[str, Any], repo_code: Mapping[str, str]) -> None:
    service = asked["feature_service"]
    if not repo_code:
        raise ConfigError(
            f"The table lacks features that the model gets from feature service {service!r}, and "
            "no Feast repository is given.",
            fix="Name it under feature_store.repo in project.yaml.",
        )
    if importlib.util.find_spec("feast") is None:
        raise ConfigError(
            f"The table lacks features of feature service {service!r}, and Feast, which would join "
            "them, is not installed.",
            fix="Build the image `tfx` with --extra feast, or bring the features as columns.",
        )
    lost = [name for name in _brought(asked) if name not in rows.columns]
    if lost == [EVENT_TIMESTAMP]:
        raise DataError(
            f"The table has no column {EVENT_TIMESTAMP}: as of when are its features wanted?",
            fix="Add the column, or name one moment for all rows (--as-of).",
        )
    if lost:
        raise DataError(
            f"The table lacks {', '.join(map(repr, lost))}, with which feature service "
            f"{service!r} is asked.",
            fix=nearest(lost[0], rows.columns),
        )


def _warn_if_changed(now: str, asked: Mapping[str, Any]) -> None:
    if now != asked.get("registry_hash"):
        _LOGGER.warning(
            "the feature repository has changed since the model was trained: %s is now %s",
            asked.get("registry_hash"),
            now,
        )
