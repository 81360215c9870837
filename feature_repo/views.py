"""Feature views: what is known of each entity at a moment."""

from datetime import timedelta

import entities
import sources
from feast import FeatureView, Field
from feast.types import Float64, Int64
from rolling import VIEWS

from headrace.feature_store.rolling.registry import feature_view

OPERATIONS = {"owner": "operations@example.org", "sensitivity": "internal"}
PUBLIC = {"owner": "data-platform@example.org", "sensitivity": "public"}

weather = FeatureView(
    name="weather",
    description="The last observation at the airport of departure, and where it is heading",
    entities=[entities.origin],
    schema=[
        Field(name="temp", dtype=Float64, description="°F"),
        Field(name="dewp", dtype=Float64, description="°F"),
        Field(name="humid", dtype=Float64, description="%"),
        Field(name="wind_speed", dtype=Float64, description="mph"),
        Field(name="wind_gust", dtype=Float64, description="mph, at least the wind's speed"),
        Field(name="wind_east", dtype=Float64, description="mph from the east"),
        Field(name="wind_north", dtype=Float64, description="mph from the north"),
        Field(name="pressure", dtype=Float64, description="hPa"),
        Field(name="pressure_trend", dtype=Float64, description="hPa in three hours"),
        Field(name="visib", dtype=Float64, description="Miles"),
        Field(name="precip_3h", dtype=Float64, description="Inches in three hours"),
    ],
    source=sources.weather,
    ttl=timedelta(hours=6),
    tags=PUBLIC,
)

aircraft = FeatureView(
    name="aircraft",
    description="What the register says of the aircraft",
    entities=[entities.aircraft],
    schema=[
        Field(name="seats", dtype=Int64),
        Field(name="plane_year", dtype=Int64, description="Year of manufacture"),
    ],
    source=sources.aircraft,
    ttl=timedelta(0),
    tags=PUBLIC,
)

#: Entities and ttl of each rolling view. A line flies once a day, an airport never rests for long.
ROLLING = {
    "origin_delays": ([entities.origin], timedelta(hours=12)),
    "carrier_delays": ([entities.carrier], timedelta(hours=24)),
    "origin_carrier_delays": ([entities.origin, entities.carrier], timedelta(hours=24)),
    "dest_delays": ([entities.dest], timedelta(hours=48)),
    "route_delays": ([entities.carrier, entities.origin, entities.dest], timedelta(days=28)),
    "line_delays": (
        [entities.carrier, entities.flight, entities.origin, entities.dest],
        timedelta(days=28),
    ),
    "aircraft_status": ([entities.aircraft], timedelta(days=28)),
}

# The times of an aircraft's last leg run on with the calendar, which is no drift.
LIMITS = {"aircraft_status": {"headrace.max_drift": "1"}}

delays = {
    view.name: feature_view(
        view,
        entities=ROLLING[view.name][0],
        source=sources.delays[view.name],
        ttl=ROLLING[view.name][1],
        tags={**OPERATIONS, **LIMITS.get(view.name, {})},
    )
    for view in VIEWS
}
# Feast finds what a module names.
globals().update(delays)
