"""Rows that clients push, to the online store with our writer, to the offline store with Feast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feast import FeatureStore, PushSource
from feast.data_source import PushMode

from headrace.feature_store.online.errors import FeatureRequestError, UnknownFeaturesError
from headrace.feature_store.online.rows import Layout
from headrace.feature_store.online.writer import WriteResult, find_view, write_features
from headrace.feature_store.server import wire

_TARGETS = ("online", "offline", "online_and_offline")


def _views_of(store: FeatureStore, source: str) -> list[Any]:
    """The feature views that a push source feeds."""
    registry, project = store.registry, store.project
    views = [
        view
        for view in (
            *registry.list_feature_views(project, allow_cache=True),
            *registry.list_stream_feature_views(project, allow_cache=True),
        )
        if isinstance(view.stream_source, PushSource) and view.stream_source.name == source
    ]
    if not views:
        raise UnknownFeaturesError(
            f"No feature view of project {project!r} has a push source {source!r}.",
            fix="Correct push_source_name, or run `feast apply`.",
        )
    return views


def push_to(store: FeatureStore, request: Mapping[str, Any]) -> dict[str, WriteResult]:
    """Writes pushed rows where the request says; answers what was written online, by view.

    Raises:
        UnknownFeaturesError: No view has this push source.
        FeatureRequestError: The request is unusable.
        DataError: The rows are.
        OnlineStoreError: The online store cannot be written.
    """
    target = request.get("to", "online")
    if target not in _TARGETS:
        raise FeatureRequestError(
            f"'to' must be one of {', '.join(_TARGETS)}, but got {target!r}.",
            fix="Leave it out to push to the online store.",
        )
    views = _views_of(store, str(request.get("push_source_name")))
    table = wire.parse_table(request.get("df"))
    results = {}
    for view in views:
        timed = wire.with_times(table, Layout.of(view).time_columns)
        if target != "offline":
            results[view.name] = write_features(store, view, timed)
    if target != "online":
        source = views[0].stream_source.name
        store.push(source, timed.to_pandas(), to=PushMode.OFFLINE)
    return results


def write_to(store: FeatureStore, request: Mapping[str, Any]) -> dict[str, WriteResult]:
    """Writes rows of one feature view online, as Feast's remote online store sends them.

    Raises:
        UnknownFeaturesError: There is no such view.
        FeatureRequestError: The request is unusable.
        DataError: The rows are.
        OnlineStoreError: The online store cannot be written.
    """
    view = find_view(store, str(request.get("feature_view_name")))
    table = wire.with_times(wire.parse_table(request.get("df")), Layout.of(view).time_columns)
    return {view.name: write_features(store, view, table)}
