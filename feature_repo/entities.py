"""Whom features are about. A view of several entities is about their combination."""

from feast import Entity, ValueType

origin = Entity(
    name="origin",
    join_keys=["origin"],
    value_type=ValueType.STRING,
    description="Airport of departure (IATA code)",
)
dest = Entity(
    name="dest",
    join_keys=["dest"],
    value_type=ValueType.STRING,
    description="Airport of arrival (IATA code)",
)
carrier = Entity(
    name="carrier",
    join_keys=["carrier"],
    value_type=ValueType.STRING,
    description="Airline (two letters)",
)
flight = Entity(
    name="flight",
    join_keys=["flight"],
    value_type=ValueType.INT64,
    description="Flight number, unique with carrier, origin and dest",
)
aircraft = Entity(
    name="aircraft",
    join_keys=["tailnum"],
    value_type=ValueType.STRING,
    description="The aircraft (tail number)",
)
