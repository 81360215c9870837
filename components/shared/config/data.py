"""Sections about data: where it comes from, what the model may see, how it is split and checked."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headrace.components.shared.config.section import Section

#: The splits, in the order in which time goes on.
SPLITS = ("train", "eval", "test")

Format = Literal["csv", "parquet", "jsonl", "sql", "delta"]


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ValueError(
            f"{name!r} is not a time zone; for example UTC or America/New_York"
        ) from None
    return name


def _with_zone(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


#: UTC when no zone is given, so that any two can be compared.
Moment = Annotated[dt.datetime, AfterValidator(_with_zone)]


class Timestamp(Section):
    """How a text column becomes a timestamp."""

    format: str | None = Field(None, description="strftime format; ISO 8601 when left out")
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="zone of values that state none"
    )


class Cleaning(Section):
    """Rules applied to a source, in this order."""

    rename: dict[str, str] = Field(default_factory=dict, description="old name: new name")
    null_values: list[str] = Field(
        default_factory=lambda: ["", "NA"], description="texts that mean a missing value"
    )
    strip: bool = Field(True, description="cut white space around texts")
    types: dict[str, Literal["int", "float", "bool", "string"]] = Field(
        default_factory=dict, description="column: type; a value that does not fit is an error"
    )
    timestamps: dict[str, Timestamp] = Field(
        default_factory=dict, description="column: how to parse it"
    )
    where: str | None = Field(None, description="SQL condition; rows that do not meet it go")
    required: list[str] = Field(
        default_factory=list, description="columns that must be there, without missing values"
    )
    unique: list[str] = Field(default_factory=list, description="columns that identify a row")
    on_duplicate: Literal["error", "first", "last"] = Field(
        "error", description="refuse rows that `unique` says are the same, or keep one of them"
    )
    drop: list[str] = Field(default_factory=list, description="columns to leave out")


class Source(Section):
    """One table to ingest."""

    path: str | None = Field(
        None,
        description="file, glob, folder or package://<package>/<file>; relative to the project",
    )
    url: str | None = Field(None, description="SQLAlchemy URL, for format sql; ${VAR} is expanded")
    query: str | None = Field(None, description="SELECT statement, for format sql")
    format: Format = Field("csv", description="csv may also be inside a ZIP")
    delimiter: str = Field(
        ",", min_length=1, max_length=1, description="format csv: between two cells"
    )
    skip_lines: int = Field(0, ge=0, description="format csv: lines before the header")
    clean: Cleaning = Field(default_factory=Cleaning, description="cleaning rules")

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if self.format == "sql":
            if not (self.url and self.query) or self.path:
                raise ValueError("format sql needs url and query, and no path")
        elif not self.path or self.url or self.query:
            raise ValueError(f"format {self.format} needs path, and neither url nor query")
        return self


class FeatureStore(Section):
    """Where features come from, when a Feast repository defines them."""

    repo: str | None = Field(None, description="folder of the Feast repository, relative")
    service: str | None = Field(None, description="feature service that the model is trained on")

    @model_validator(mode="after")
    def _both(self) -> FeatureStore:
        if self.service and not self.repo:
            raise ValueError("service needs repo, the Feast repository that defines it")
        return self


class Features(Section):
    """What the model may see, and when it is known."""

    exclude: list[str] = Field(
        default_factory=list, description="columns kept for slices and keys, not shown to the model"
    )
    known_after: list[str] = Field(
        default_factory=list, description="columns known only after the prediction is made"
    )
    prediction_time: str | None = Field(None, description="column: when the prediction is made")
    known_at: dict[str, str] = Field(
        default_factory=dict, description="feature: column that says when its value was known"
    )

    @model_validator(mode="after")
    def _known_at_what_time(self) -> Features:
        if self.known_at and not self.prediction_time:
            raise ValueError("known_at needs prediction_time, to compare with")
        return self


class Split(Section):
    """How rows go to train, eval and test."""

    by: Literal["time", "hash", "column"] = Field(
        "hash", description="moments in time, a hash of a column, or a column that names the split"
    )
    column: str | None = Field(None, description="time column, hash key, or column of split names")
    until: dict[str, Moment] = Field(
        default_factory=dict,
        description="by time: split: first moment that no longer belongs; UTC unless it says else",
    )
    buckets: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: {"train": 8, "eval": 1, "test": 1},
        description="by hash: split: share",
    )

    @model_validator(mode="after")
    def _complete(self) -> Split:
        if self.by == "time":
            if not self.column or set(self.until) != set(SPLITS):
                raise ValueError("split by time needs column, and until with train, eval, test")
            moments = [self.until[name] for name in SPLITS]
            if sorted(moments) != moments:
                raise ValueError("until must grow from train to eval to test")
        if self.by == "column" and not self.column:
            raise ValueError("split by column needs column")
        if self.by == "hash" and set(self.buckets) != set(SPLITS):
            raise ValueError("buckets must name train, eval and test")
        return self


class Validation(Section):
    """What counts as an anomaly."""

    drift: dict[str, float] = Field(
        default_factory=dict,
        description="feature: largest distance to the previous run's training data (L-infinity "
        "for text, Jensen-Shannon for numbers)",
    )
    skew: dict[str, float] = Field(
        default_factory=dict, description="feature: largest distance between train and eval"
    )
    max_missing: dict[str, float] = Field(
        default_factory=dict, description="feature: largest share of missing values"
    )


class Leakage(Section):
    """When a single feature is too good to be true."""

    max_score: float = Field(
        0.85, gt=0, le=1, description="AUC (or R², for regression) that one feature alone may reach"
    )
    allow: list[str] = Field(default_factory=list, description="features known to be fair")
