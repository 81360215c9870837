"""Feature services: what a model asks for, by version. A changed list is a new version."""

import on_demand
import views
from feast import FeatureService

TAGS = {"owner": "flight-delays@example.org"}

_SCHEDULE = [on_demand.flight_schedule, views.aircraft]
_DELAYS = [view for name, view in views.delays.items() if name != "aircraft_status"]

flight_delay_schedule_v1 = FeatureService(
    name="flight_delay_schedule_v1",
    description="The schedule and the aircraft alone",
    features=_SCHEDULE,
    tags=TAGS,
)
flight_delay_weather_v1 = FeatureService(
    name="flight_delay_weather_v1",
    description="Schedule, aircraft and the weather two hours before",
    features=[*_SCHEDULE, views.weather],
    tags=TAGS,
)
flight_delay_v1 = FeatureService(
    name="flight_delay_v1",
    description="Schedule, aircraft, weather and what has just happened",
    features=[
        *_SCHEDULE,
        views.weather,
        *_DELAYS,
        views.delays["aircraft_status"][["tail_late_28d"]],
        on_demand.previous_leg,
    ],
    tags=TAGS,
)
