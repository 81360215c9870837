"""What a feature view promises, said by its tags.

==========================  =========================================================  ============
tag                         the most that is allowed                                   by default
==========================  =========================================================  ============
``headrace.max_age``        age of the newest row, as ``PT6H`` or ``1 day, 06:00:00``  the ttl
``headrace.max_null_rate``  share of nulls of a feature                                baseline's
                                                                                       + 0.05
``headrace.max_drift``      distance of a feature from its baseline, from 0 to 1       0.1
``headrace.max_missing``    share of current entities that are not online              0.01
==========================  =========================================================  ============

A tag of a field counts before that of its view. Where the baseline decides, and for drift, a window
needs 200 rows: with fewer, chance alone would raise alarms.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.text import nearest

PREFIX = "headrace."
_KIND = "max_"
#: How many more nulls than in the baseline are no alarm, where no tag says so.
NULL_RATE_MARGIN = 0.05

_Share = Annotated[float, Field(ge=0, le=1)]


class Limits(BaseModel):
    """Limits of a feature view, or of one of its features; None is no limit.

    Attributes:
        max_age: How old the newest row may be.
        max_null_rate: The share of nulls; None where the baseline decides.
        max_drift: The distance from the baseline.
        max_missing: The share of entities that should be online and are not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_age: Annotated[dt.timedelta, Field(gt=dt.timedelta(0))] | None = None
    max_null_rate: _Share | None = None
    max_drift: _Share = 0.1
    max_missing: _Share = 0.01

    @classmethod
    def of(cls, view: Any, feature: Any = None) -> Limits:
        """The limits of a view, or of one of its fields.

        Raises:
            ConfigError: a tag is unknown or has an unusable value.
        """
        tags = {**view.tags, **(feature.tags if feature is not None else {})}
        where = f"Feature view {view.name!r}"
        values = _values(tags, where)
        try:
            limits = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0])
            raise ConfigError(
                f"{where} has the tag {name!r} with {first['input']!r}: {first['msg']}.",
                fix="Give a share as 0.05, and an age as PT6H (ISO 8601) or 06:00:00.",
            ) from None
        if "max_age" not in values and view.ttl:
            return limits.model_copy(update={"max_age": view.ttl})
        return limits


def _values(tags: Mapping[str, str], where: str) -> dict[str, str]:
    values = {
        name.removeprefix(PREFIX): value
        for name, value in tags.items()
        if name.startswith(PREFIX + _KIND)
    }
    unknown = next((name for name in values if name not in Limits.model_fields), None)
    if unknown is not None:
        known = [PREFIX + name for name in Limits.model_fields]
        raise ConfigError(
            f"{where} has the tag {PREFIX + unknown!r}, which says nothing here.",
            fix=nearest(PREFIX + unknown, known),
        )
    return values
