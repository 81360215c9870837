"""What time it is: now, or the time in which recorded data played."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from headrace.components.shared.errors import ConfigError

#: Seconds since 1970.
Clock = Callable[[], float]


def clock(as_of: str | None) -> Clock:
    """The wall clock, or one that shows a given moment now and goes on from there.

    Args:
        as_of: ISO 8601, UTC when it names no zone.

    Raises:
        ConfigError: it is no moment.
    """
    if as_of is None:
        return time.time
    try:
        moment = dt.datetime.fromisoformat(as_of)
    except ValueError:
        raise ConfigError(
            f"{as_of!r} is no moment.", fix="Write it as 2013-07-10T20:00:00Z."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    offset = moment.timestamp() - time.time()
    return lambda: time.time() + offset
