"""The made-up deliveries of a new project: always the same, with the flaws of real tables."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from typing import Any

ROWS = 2000
_SEED = 17
_FIRST = dt.datetime(2025, 1, 1)
_MINUTES = 365 * 24 * 60
_PROMISED_HOURS = 48

#: Hours that each adds.
_CARRIERS = {"Blitz": 0.0, "Norddienst": 7.0, "Parcella": 12.0, "TransAlp": 18.0}
_WAREHOUSES = {"Berlin": 0.0, "Hamburg": 3.0, "Leipzig": 5.0, "München": 8.0}
_WEATHER = {"clear": 0.0, "rain": 3.0, "fog": 5.0, "snow": 14.0}
_WEATHER_WEIGHTS = (12, 6, 2, 1)
_SUNDAY = 6


def deliveries() -> str:
    """The table as CSV, in order of time."""
    dice = random.Random(_SEED)
    moments = sorted(dice.randrange(_MINUTES) for _ in range(ROWS))
    rows = [_delivery(number, minute, dice) for number, minute in enumerate(moments, start=1)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _delivery(number: int, minute: int, dice: random.Random) -> dict[str, Any]:
    moment = _FIRST + dt.timedelta(minutes=minute)
    carrier = dice.choice(list(_CARRIERS))
    warehouse = dice.choice(list(_WAREHOUSES))
    (weather,) = dice.choices(list(_WEATHER), _WEATHER_WEIGHTS)
    distance = round(dice.lognormvariate(5.3, 0.6), 1)
    weight = round(dice.lognormvariate(0.8, 0.9), 2)
    hours = 14 + _CARRIERS[carrier] + _WAREHOUSES[warehouse] + _WEATHER[weather]
    hours += 0.04 * distance + 0.3 * weight + dice.gauss(0, 5)
    # What is ordered late or on a Sunday leaves the warehouse a day later.
    hours += 12 * (moment.hour >= 16) + 12 * (moment.weekday() == _SUNDAY)
    return {
        "order_id": f"O{number:05d}",
        "ordered_at": f"{moment:%Y-%m-%d %H:%M:%S}",
        "warehouse": warehouse,
        "carrier": carrier,
        "distance_km": distance,
        "weight_kg": "" if dice.random() < 0.06 else weight,
        "items": dice.choices((1, 2, 3, 4, 5), (50, 25, 12, 8, 5))[0],
        "weather": "" if dice.random() < 0.08 else weather,
        "hours": round(max(hours, 4.0), 1),
        "late": int(hours > _PROMISED_HOURS),
    }
