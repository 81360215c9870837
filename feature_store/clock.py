"""What time it is: now, or the time in which recorded data played."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from headrace.components.shared.errors import ConfigError

#: Seconds since 1970.
Clock = Callable[[], float]


def moment(text: str | None) -> dt.datetime:
    """The moment that a text names, or now.

    Args:
        text: ISO 8601, UTC when it names no zone; None or empty for now.

    Raises:
        ConfigError: it is no moment.
    """
    if not text:
        return dt.datetime.now(dt.UTC)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is no moment.", fix="Write it as 2013-07-10T20:00:00Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def clock(as_of: str | None) -> Clock:
    """The wall clock, or one that shows a given moment now and goes on from there.

    Args:
        as_of: ISO 8601, UTC when it names no zone.

    Raises:
        ConfigError: it is no moment.
    """
    if as_of is None:
        return time.time
    offset = moment(as_of).timestamp() - time.time()
    return lambda: time.time() + offset
