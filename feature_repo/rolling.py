"""Statistics of what has just happened, over several windows, for each entity.

An event carries `known_at`, the first moment anybody could know it:

* `departed`: when the aircraft left; `delay`, in minutes.
* `overdue`: a quarter of an hour after the scheduled departure everybody can see whether the flight
  has left; `stuck` is 1 when it has not. It shows trouble while flights still wait, and covers
  cancelled flights.
* `arrived`: on arrival; `arr_delay`, `gain` (the delay added on the way), `taxi` and `late`.

A window of 3 hours at 15:10 holds the events after 12:10 and up to 15:10. Windows end at the
entity's last event; a view's ttl says how long they answer after it.
"""

from datetime import timedelta

from headrace.feature_store.rolling.definition import RollingView, Statistic, last, windows

DAY, WEEK, MONTH = 24, 168, 672

VIEWS = [
    RollingView(
        name="origin_delays",
        keys=("origin",),
        statistics=(
            *windows("origin", "overdue", ["stuck"], [1, 3, 6]),
            *windows("origin", "departed", ["delay"], [3, 12]),
            *windows("origin", "arrived", ["gain", "taxi", "late"], [3]),
        ),
    ),
    RollingView(
        name="carrier_delays",
        keys=("carrier",),
        statistics=(
            *windows("carrier", "overdue", ["stuck"], [1, 3, 6]),
            *windows("carrier", "departed", ["delay"], [3, 12]),
            *windows("carrier", "arrived", ["gain"], [12]),
        ),
    ),
    RollingView(
        name="origin_carrier_delays",
        keys=("origin", "carrier"),
        statistics=(
            *windows("origin_carrier", "overdue", ["stuck"], [1, 3, 6]),
            *windows("origin_carrier", "departed", ["delay"], [3, 12]),
        ),
    ),
    RollingView(
        name="dest_delays",
        keys=("dest",),
        statistics=(
            *windows("dest", "overdue", ["stuck"], [6]),
            *windows("dest", "arrived", ["gain"], [3, 12, DAY]),
            *windows("dest", "arrived", ["arr_delay"], [DAY]),
        ),
    ),
    RollingView(
        name="route_delays",
        keys=("carrier", "origin", "dest"),
        statistics=(
            *windows("route", "arrived", ["gain", "arr_delay"], [DAY]),
            *windows("route", "arrived", ["arr_delay"], [MONTH]),
        ),
    ),
    RollingView(
        name="line_delays",
        keys=("carrier", "flight", "origin", "dest"),
        statistics=(
            *windows("line", "arrived", ["arr_delay"], [WEEK, MONTH]),
            *windows("line", "arrived", ["late", "gain"], [MONTH]),
            Statistic("line_count_28d", "count", "arrived", window=timedelta(hours=MONTH)),
        ),
    ),
    RollingView(
        name="aircraft_status",
        keys=("tailnum",),
        statistics=(
            *windows("tail", "arrived", ["late"], [MONTH]),
            *last(
                {
                    "last_sched_dep": "sched_dep_minute",
                    "last_sched_arr": "sched_arr_minute",
                    "last_block": "block",
                    "last_stage": "stage",
                    "last_delay": "known_delay",
                }
            ),
        ),
        kinds=("departed", "overdue"),
    ),
]
