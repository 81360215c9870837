"""Is a feature view what its tags and its baseline promise?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
from feast import FeatureStore

from headrace.feature_store.online.reader import OnlineReader
from headrace.feature_store.online.result import Status
from headrace.feature_store.quality.baseline import Baseline, find_views, read_baseline
from headrace.feature_store.quality.drift import MIN_VALUES, drift, measure
from headrace.feature_store.quality.limits import NULL_RATE_MARGIN, Limits
from headrace.feature_store.quality.pulls import BEGINNING, TIME, latest_keys, rows_between
from headrace.feature_store.quality.sampling import SEED
from headrace.feature_store.quality.statistics import FeatureStatistics, describe

#: Entities of a view that are looked for in the online store.
_SAMPLES = 1000
_TICK = dt.timedelta(microseconds=1)

Measure = Literal["age", "missing", "null_rate", "drift"]


@dataclass(frozen=True)
class Alarm:
    """A promise that is not kept.

    Attributes:
        view: The feature view.
        feature: The feature; None when it is about the whole view.
        measure: What is measured.
        message: What was found and what is allowed.
    """

    view: str
    feature: str | None
    measure: Measure
    message: str

    def __str__(self) -> str:
        return f"{self.view}{f'.{self.feature}' if self.feature else ''}: {self.message}"


@dataclass(frozen=True)
class FeatureQuality:
    """One feature in the window.

    Attributes:
        name: The feature.
        now: Its statistics in the window.
        baseline: Its statistics in the baseline, if there is one.
        drift: Its distance from the baseline; None when that is not known.
    """

    name: str
    now: FeatureStatistics
    baseline: FeatureStatistics | None
    drift: float | None


@dataclass(frozen=True)
class ViewQuality:
    """One feature view.

    Attributes:
        view: The feature view.
        since: The first moment of the window.
        until: The last one.
        rows: Rows in the window.
        age: Age of the newest row; None when there is none at all.
        missing: Share of sampled current entities that are not online, or are too old there; None
            when the view is not online or has no current entity.
        features: The features.
        alarms: What is not as it should be.
        compared: Whether there is a baseline for the view as it is defined now.
    """

    view: str
    since: dt.datetime
    until: dt.datetime
    rows: int
    age: dt.timedelta | None
    missing: float | None
    features: list[FeatureQuality]
    alarms: list[Alarm]
    compared: bool


def check_quality(
    store: FeatureStore,
    views: Sequence[str] | None = None,
    *,
    now: dt.datetime,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> list[ViewQuality]:
    """Measures feature views and compares them with their limits.

    Args:
        store: Feast's feature store.
        views: Names of feature views; None means all.
        now: The moment for which ages and online values count.
        since: Start of the window of rows; by default just after the baseline's end, or the
            beginning.
        until: End of the window; by default ``now``.

    Raises:
        ConfigError: there is no such view, or one of its tags is unusable.
        HeadraceError: a source, a baseline or the online store cannot be read.
    """
    return [_one(store, view, now, since, until or now) for view in find_views(store, views)]


def _one(
    store: FeatureStore, view: Any, now: dt.datetime, since: dt.datetime | None, until: dt.datetime
) -> ViewQuality:
    limits, baseline = Limits.of(view), read_baseline(store, view)
    start = since or (baseline.until + _TICK if baseline else BEGINNING)
    rows = rows_between(store, view, start, until)
    latest = latest_keys(store, view, BEGINNING, now)
    newest = latest[TIME].max()
    age = now - newest if isinstance(newest, dt.datetime) else None
    missing = _missing_online(store, view, latest, now)
    features = [_feature(name, rows[name], baseline) for name in rows.columns if name != TIME]
    fields = {field.name: field for field in view.features}
    alarms = _view_alarms(view.name, limits, age, missing)
    for feature in features:
        alarms += _feature_alarms(view.name, feature, Limits.of(view, fields[feature.name]))
    return ViewQuality(
        view=view.name,
        since=start,
        until=until,
        rows=rows.height,
        age=age,
        missing=missing,
        features=features,
        alarms=alarms,
        compared=baseline is not None,
    )


def _feature(name: str, column: pl.Series, baseline: Baseline | None) -> FeatureQuality:
    before = baseline.features.get(name) if baseline else None
    now = describe(column, before)
    return FeatureQuality(name, now, before, drift(before, now) if before else None)


def _missing_online(
    store: FeatureStore, view: Any, latest: pl.DataFrame, now: dt.datetime
) -> float | None:
    """The share of current entities, as the source has them, that do not answer online."""
    current = latest.filter(pl.col(TIME) >= now - view.ttl) if view.ttl else latest
    if not view.online or current.is_empty():
        return None
    sampled = current.sample(min(_SAMPLES, current.height), seed=SEED)
    keys = sampled.drop(TIME).to_dict(as_series=False)
    reader = OnlineReader(store, [f"{view.name}:{view.features[0].name}"], now=now.timestamp)
    try:
        statuses = reader.read(keys).statuses[view.features[0].name]
    finally:
        reader.close()
    absent = (int(Status.NOT_FOUND), int(Status.OUTSIDE_MAX_AGE))
    return sum(status in absent for status in statuses) / len(statuses)


def _view_alarms(
    view: str, limits: Limits, age: dt.timedelta | None, missing: float | None
) -> list[Alarm]:
    alarms = []
    if age is None:
        alarms.append(Alarm(view, None, "age", "its source has no row"))
    elif limits.max_age is not None and age > limits.max_age:
        text = f"the newest row is {age} old, {limits.max_age} is allowed"
        alarms.append(Alarm(view, None, "age", text))
    if missing is not None and missing > limits.max_missing:
        text = f"{missing:.1%} of current entities are not online, {limits.max_missing:.1%} may be"
        alarms.append(Alarm(view, None, "missing", text))
    return alarms


def _feature_alarms(view: str, feature: FeatureQuality, limits: Limits) -> list[Alarm]:
    alarms = []
    allowed = limits.max_null_rate
    if allowed is None and feature.baseline is not None and feature.now.rows >= MIN_VALUES:
        allowed = min(1.0, feature.baseline.null_rate + NULL_RATE_MARGIN)
    if allowed is not None and feature.now.null_rate > allowed:
        text = f"{feature.now.null_rate:.1%} are null, {allowed:.1%} may be"
        alarms.append(Alarm(view, feature.name, "null_rate", text))
    if feature.drift is not None and feature.drift > limits.max_drift:
        text = (
            f"{measure(feature.now.kind)} from the baseline {feature.drift:.3f}, "
            f"{limits.max_drift:g} is allowed"
        )
        alarms.append(Alarm(view, feature.name, "drift", text))
    return alarms
