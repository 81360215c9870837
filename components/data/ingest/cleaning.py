"""Cleaning rules: what :class:`Cleaning` says, applied in its order, with exact complaints."""

from __future__ import annotations

import re

import polars as pl

from headrace.components.shared.config.data import Cleaning, Timestamp
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.text import nearest

_TYPES = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "string": pl.String}
_TIME = pl.Datetime("us", "UTC")
#: The end of year 9999.
_LAST_SECOND = 253_402_300_799
_ZONE_IN_FORMAT = re.compile(r"%[:#]*z")


def clean(table: pl.DataFrame, rules: Cleaning, *, name: str) -> pl.DataFrame:
    """Applies ``rules`` to the table of source ``name``.

    Raises:
        ConfigError: a rule names a column that is not there.
        DataError: a value does not fit, is missing where required, or a key occurs twice.
    """
    _check_columns(table, rules, name)
    table = table.rename(rules.rename)
    table = _normalise_texts(table, rules)
    for column, kind in rules.types.items():
        table = table.with_columns(_typed(table[column], kind, name))
    for column, stamp in rules.timestamps.items():
        table = table.with_columns(_timestamp(table[column], stamp, name))
    if rules.where:
        table = _filter(table, rules.where, name)
    _check_required(table, rules.required, name)
    table = _deduplicate(table, rules, name)
    if table.is_empty():
        raise DataError(
            f"Source {name!r} has no rows left.",
            fix="Check the source, and the rule `where` if it has one.",
        )
    return table.drop(rules.drop)


def _check_columns(table: pl.DataFrame, rules: Cleaning, name: str) -> None:
    for column in rules.rename:
        if column not in table.columns:
            raise _no_column(column, table.columns, f"{name}.clean.rename")
    renamed = [rules.rename.get(column, column) for column in table.columns]
    for column in rules.rename.values():
        if renamed.count(column) > 1:
            raise ConfigError(
                f"sources.{name}.clean.rename gives the name {column!r} to more than one column.",
                fix="Choose a name that no other column has, or rename the other one too.",
            )
    for rule in ("types", "timestamps", "required", "unique", "drop"):
        for column in getattr(rules, rule):
            if column not in renamed:
                raise _no_column(column, renamed, f"{name}.clean.{rule}")


def _no_column(column: str, columns: list[str], where: str) -> ConfigError:
    return ConfigError(
        f"sources.{where} names column {column!r}, which the source does not have.",
        fix=f"If the source changed, add a `rename`. {nearest(column, columns)}",
    )


def _normalise_texts(table: pl.DataFrame, rules: Cleaning) -> pl.DataFrame:
    texts = pl.col(pl.String)
    if rules.strip:
        table = table.with_columns(texts.str.strip_chars())
    return table.with_columns(
        pl.when(texts.is_in(rules.null_values)).then(None).otherwise(texts).name.keep()
    )


def _typed(column: pl.Series, kind: str, name: str) -> pl.Series:
    if kind == "bool" and column.dtype == pl.String:
        lowered = column.str.to_lowercase()
        truth = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        result = lowered.replace_strict(truth, default=None, return_dtype=pl.Boolean)
    else:
        result = column.cast(_TYPES[kind], strict=False)
    _complain(column, result, f"is not of type {kind}", name)
    return result


def _timestamp(column: pl.Series, rule: Timestamp, name: str) -> pl.Series:
    if column.dtype == pl.String:
        numbers = column.cast(pl.Float64, strict=False)
        epoch = rule.format is None and numbers.null_count() == column.null_count()
        result = _from_epoch(numbers) if epoch else _from_text(column, rule)
    elif column.dtype.is_numeric():
        result = _from_epoch(column)
    elif column.dtype in (pl.Date, pl.Datetime):
        result = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column
        if getattr(result.dtype, "time_zone", None) is None:
            result = _in_zone(result, rule)
    else:
        raise DataError(
            f"Column {column.name!r} of source {name!r} is {column.dtype}, not a time.",
            fix="Give it as text, seconds since 1970, or a timestamp.",
        )
    zone = "" if rule.timezone == "UTC" else f" in {rule.timezone}"
    problem = f"is not a time in format {rule.format or 'ISO 8601 or seconds since 1970'}{zone}"
    _complain(column, result, problem, name)
    return result.dt.convert_time_zone("UTC").cast(_TIME)


def _from_epoch(seconds: pl.Series) -> pl.Series:
    # Larger numbers are milliseconds or finer, which would pass as seconds of a far future.
    sane = seconds.is_between(-_LAST_SECOND, _LAST_SECOND)
    micros = (seconds.set(~sane.fill_null(True), None) * 1_000_000).round().cast(pl.Int64)
    return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _from_text(column: pl.Series, rule: Timestamp) -> pl.Series:
    if rule.format is not None:
        zoned = pl.Series([_ZONE_IN_FORMAT.search(rule.format) is not None] * len(column))
    else:
        zoned = column.str.contains(r"(Z|[+-]\d\d:?\d\d)$").fill_null(True)
    absolute = _parsed(column.set(~zoned, None), rule.format, zoned=True)
    local = _parsed(column.set(zoned, None), rule.format, zoned=False)
    return absolute.zip_with(zoned, _in_zone(local, rule).dt.convert_time_zone("UTC"))


def _parsed(column: pl.Series, pattern: str | None, *, zoned: bool) -> pl.Series:
    kind = _TIME if zoned else pl.Datetime("us")
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), kind)
    try:
        zone = "UTC" if zoned else None
        return column.str.to_datetime(pattern, time_zone=zone, strict=False).cast(kind)
    except pl.exceptions.PolarsError:  # no value looks like a time
        return pl.Series(column.name, [None] * len(column), kind)


def _in_zone(column: pl.Series, rule: Timestamp) -> pl.Series:
    """Local times as moments: the first of two in autumn, none for the gap in spring."""
    return column.dt.replace_time_zone(rule.timezone, ambiguous="earliest", non_existent="null")


def _complain(before: pl.Series, after: pl.Series, problem: str, name: str) -> None:
    wrong = (before.is_not_null() & after.is_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"Source {name!r}, column {before.name!r}, row {row + 1}: {before[row]!r} {problem} "
            f"({len(wrong):,} of {len(before):,} values).",
            fix="Correct the source, change the rule, or add the text to `null_values`.",
        )


def _filter(table: pl.DataFrame, condition: str, name: str) -> pl.DataFrame:
    try:
        return table.filter(pl.sql_expr(condition))
    except pl.exceptions.PolarsError as error:
        raise ConfigError(
            f"sources.{name}.clean.where: {condition!r} is not a condition on this table: "
            f"{str(error).partition(chr(10))[0]}",
            fix=f"Write it in SQL. {nearest(condition.strip().split(' ')[0], table.columns)}",
        ) from None


def _check_required(table: pl.DataFrame, columns: list[str], name: str) -> None:
    for column in columns:
        missing = table[column].null_count()
        if missing:
            raise DataError(
                f"Source {name!r}, column {column!r}: {missing:,} of {table.height:,} values are "
                "missing, and it is required.",
                fix="Correct the source, or drop such rows with `where`.",
            )


def _deduplicate(table: pl.DataFrame, rules: Cleaning, name: str) -> pl.DataFrame:
    if not rules.unique:
        return table
    if rules.on_duplicate != "error":
        return table.unique(rules.unique, keep=rules.on_duplicate, maintain_order=True)
    repeated = table.filter(table.select(rules.unique).is_duplicated())
    if repeated.height:
        example = repeated.select(rules.unique).row(0, named=True)
        raise DataError(
            f"Source {name!r}: {repeated.height:,} rows share their key "
            f"{', '.join(rules.unique)}, for example {example}.",
            fix="Correct the source, or set `on_duplicate: first` or `last`.",
        )
    return table
