"""Features computed when asked for, from the request and from other features.

The functions work on whole columns, so that a training set of a year and a request of one row run
the same code. Feast keeps their source, so they import what they need themselves.
"""

from typing import Any

import sources
import views
from feast import Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

TAGS = {"owner": "data-platform@example.org", "sensitivity": "public"}


@on_demand_feature_view(
    sources=[sources.schedule],
    mode="python",
    schema=[
        Field(name="distance_miles", dtype=Int64),
        Field(name="block_minutes", dtype=Int64),  # Planned time from gate to gate
        Field(name="block_speed", dtype=Float64),  # Miles per planned minute
        Field(name="dep_minute", dtype=Int64),  # Minute of the day, New York time
        Field(name="arr_minute", dtype=Int64),  # Minute of the day, New York time
        Field(name="weekday", dtype=Int64),  # 1 is Monday, New York time
    ],
    tags=TAGS,
)
def flight_schedule(inputs: dict[str, Any]) -> dict[str, Any]:
    """Describe the flight from its schedule alone."""
    import polars as pl

    names = ("departs_at", "arrives_at", "distance")
    rows = pl.DataFrame({name: pl.Series(inputs[name], dtype=pl.Int64) for name in names})

    def clock(column):
        moment = pl.from_epoch(column).dt.replace_time_zone("UTC")
        return moment.dt.convert_time_zone("America/New_York").dt

    def minute(column):
        local = clock(column)
        return local.hour().cast(pl.Int64) * 60 + local.minute()

    block = (pl.col("arrives_at") - pl.col("departs_at")) // 60
    return rows.select(
        distance_miles="distance",
        block_minutes=block,
        block_speed=pl.col("distance") / block.clip(1),
        dep_minute=minute("departs_at"),
        arr_minute=minute("arrives_at"),
        weekday=clock("departs_at").weekday().cast(pl.Int64),
    ).to_dict(as_series=False)


@on_demand_feature_view(
    sources=[sources.schedule, views.delays["aircraft_status"]],
    mode="python",
    schema=[
        Field(name="leg_gap", dtype=Int64),  # Minutes between the two departures
        Field(name="leg_slack", dtype=Int64),  # Minutes on the ground if it turns round
        Field(name="leg_stage", dtype=Int64),  # 1 overdue, 2 departed, 3 arrived
        Field(name="leg_late", dtype=Int64),  # Minutes late, as far as known
        Field(name="leg_push", dtype=Int64),  # Delay that the slack cannot absorb
    ],
    tags=TAGS,
)
def previous_leg(inputs: dict[str, Any]) -> dict[str, Any]:
    """Describe how far the aircraft's previous leg from New York has come.

    The lateness is the arrival delay once it has arrived, before that the departure delay, before
    that the minutes it is overdue at the time of prediction, two hours before departure.
    """
    import polars as pl

    names = ("last_sched_dep", "last_sched_arr", "last_block", "last_stage", "last_delay")
    columns = {name: pl.Series(inputs[name], dtype=pl.Int64) for name in ("departs_at", *names)}
    departure, before = pl.col("departs_at") // 60, pl.col("last_sched_dep")
    recent = departure - before <= 24 * 60
    overdue = departure - 2 * 60 - before
    known = pl.when(pl.col("last_stage") == 1).then(overdue).otherwise(pl.col("last_delay"))
    late = known.clip(-40, 300)
    slack = departure - pl.col("last_sched_arr") - pl.col("last_block")
    return (
        pl.DataFrame(columns)
        .select(
            leg_gap=pl.when(recent).then(departure - before),
            leg_slack=pl.when(recent).then(slack),
            leg_stage=pl.when(recent).then("last_stage"),
            leg_late=pl.when(recent).then(late),
            leg_push=pl.when(recent).then(late - slack.clip(0, 600)),
        )
        .to_dict(as_series=False)
    )
