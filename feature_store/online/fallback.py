"""Reading through Feast, for what the fast path cannot do, under the same rule of age."""

from __future__ import annotations

from typing import Any

from feast import FeatureService, FeatureStore

from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.online.plan import ReadPlan, ViewPlan
from headrace.feature_store.online.request import Request
from headrace.feature_store.online.result import Column, OnlineFeatures, Rows, Status


def read_with_feast(
    store: FeatureStore,
    features: FeatureService | list[str],
    plan: ReadPlan,
    request: Request,
    moment: float,
    full: bool,
) -> OnlineFeatures:
    """Asks Feast, then takes out what is too old, from the future or unknown."""
    try:
        response = store.get_online_features(
            features=features,
            entity_rows={name: list(values) for name, values in request.given.items()},
            full_feature_names=full,
        )
    except (ConnectionError, OSError) as error:
        raise OnlineStoreError(
            f"The online store did not answer Feast: {error}",
            fix="Check that it runs and that online_store in feature_store.yaml is right.",
        ) from error
    values = response.to_dict()
    stamps = {
        name: [stamp.ToMicroseconds() for stamp in vector.event_timestamps]
        for name, vector in zip(
            response.proto.metadata.feature_names.val, response.proto.results, strict=True
        )
    }
    columns = [Column(name, values.pop(name)) for name in request.echo if name in values]
    views = [view for group in plan.groups for view in group.views]
    instant = round(moment * 1_000_000)
    for name, number, _ in plan.outputs:
        columns.append(_checked(name, values.pop(name), stamps[name], views[number], instant))
    columns += [Column(name, column) for name, column in values.items()]
    known = {column.rows.view: column.rows for column in columns if column.rows is not None}
    return OnlineFeatures(columns, list(known.values()), moment, plan.fallback)


def _checked(
    name: str, values: list[Any], times: list[int], view: ViewPlan, instant: int
) -> Column:
    states = []
    for time in times:
        if not time or time > instant:
            states.append(Status.NOT_FOUND)
        elif view.ttl is not None and time < instant - view.ttl:
            states.append(Status.OUTSIDE_MAX_AGE)
        else:
            states.append(Status.PRESENT)
    seen = [
        time if state is not Status.NOT_FOUND else 0
        for time, state in zip(times, states, strict=True)
    ]
    kept = [
        value if state is Status.PRESENT else None
        for value, state in zip(values, states, strict=True)
    ]
    return Column(name, kept, Rows(view.name, states, seen))
