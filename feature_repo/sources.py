"""Where features come from: tables written in bulk, and delay statistics that a stream keeps fresh.

`HEADRACE_FEATURE_DATA` names the folder (or bucket) of the tables; by default `data/` here.
"""

import os

from feast import Field, FileSource, PushSource, RequestSource
from feast.types import Int64
from rolling import VIEWS

DATA = os.environ.get("HEADRACE_FEATURE_DATA", "data")


def table(name: str, *, created: str = "", description: str = "") -> FileSource:
    """A folder of Parquet files with one row per entity and moment."""
    return FileSource(
        name=name,
        path=f"{DATA}/{name}",
        timestamp_field="event_timestamp",
        created_timestamp_column=created,
        description=description,
    )


weather = table("weather", description="Hourly observations at the three airports")
aircraft = table("aircraft", description="The FAA's register of aircraft")

# The stream consumer adds rows to the table and to the online store alike.
delays = {
    view.name: PushSource(
        name=f"{view.name}_stream",
        batch_source=table(view.name, created="created", description=f"Rows of {view.name}"),
    )
    for view in VIEWS
}

schedule = RequestSource(
    name="schedule",
    description="What the caller knows of the flight",
    schema=[
        Field(name="departs_at", dtype=Int64, description="Scheduled departure, Unix seconds"),
        Field(name="arrives_at", dtype=Int64, description="Scheduled arrival, Unix seconds"),
        Field(name="distance", dtype=Int64, description="Distance in miles"),
    ],
)
