"""Moments that people write."""

from __future__ import annotations

import datetime as dt

from headrace.components.shared.errors import ConfigError


def moment(text: str | None) -> dt.datetime:
    """The moment that a text names, or now; a clock would have gone on since then.

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
