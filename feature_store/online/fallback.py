"""Reading through Feast, for what the fast path cannot do, under the same rule of age."""

from __future__ import annotations

from typing import Any

from feast import FeatureService, FeatureStore

from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.online.plan import ReadPlan, ViewPlan
from headrace.feature_store.online.request import Request
from headrace.feature_store.online.result import OnlineFeatures, Rows, Status


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
    names = [name for name in request.echo if name in values]
    columns = [values.pop(name) for name in names]
    sources: list[int | None] = [None] * len(names)
    views = [view for group in plan.groups for view in group.views]
    instant = round(moment * 1_000_000)
    known: list[Rows] = []
    for name, number, _ in plan.outputs:
        kept, rows = _checked(values.pop(name), stamps[name], views[number], instant)
        names.append(name)
        columns.append(kept)
        sources.append(len(known))
        known.append(rows)
    names += values
    columns += values.values()
    sources += [None] * len(values)
    return OnlineFeatures(names, columns, sources, known, moment, plan.fallback)


def _checked(
    values: list[Any], times: list[int], view: ViewPlan, instant: int
) -> tuple[list[Any], Rows]:
    states: list[int] = []
    for time in times:
        if not time or time > instant:
            states.append(int(Status.NOT_FOUND))
        elif view.ttl is not None and time < instant - view.ttl:
            states.append(int(Status.OUTSIDE_MAX_AGE))
        else:
            states.append(int(Status.PRESENT))
    seen = [
        time if state != Status.NOT_FOUND else 0 for time, state in zip(times, states, strict=True)
    ]
    kept = [
        value if state == Status.PRESENT else None
        for value, state in zip(values, states, strict=True)
    ]
    return kept, Rows(view.name, states, seen)
