"""Every way of writing a time ends as the same moment in UTC."""

import datetime as dt

import polars as pl
import pytest

from headrace.components.data.ingest.cleaning import clean
from headrace.components.shared.config.data import Cleaning
from headrace.components.shared.errors import DataError

NEW_YORK = "America/New_York"


def parsed(values, **rule):
    rules = Cleaning.parse({"timestamps": {"t": rule}}, where="test")
    column = clean(pl.DataFrame({"t": values}), rules, name="rows")["t"]
    assert column.dtype == pl.Datetime("us", "UTC")
    return column.to_list()


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        (["2013-07-01T05:00:00Z"], {}, utc(2013, 7, 1, 5)),
        (["2013-07-01 05:00:00"], {}, utc(2013, 7, 1, 5)),
        (["2013-07-01T05:00:00.250Z"], {}, utc(2013, 7, 1, 5, 0, 0, 250_000)),
        (["2013-07-01T05:00:00-04:00"], {}, utc(2013, 7, 1, 9)),
        (["2013-07-01T05:00:00-04:00"], {"timezone": "Asia/Tokyo"}, utc(2013, 7, 1, 9)),
        (["2013-07-01"], {}, utc(2013, 7, 1)),
        (["2013-07-01 05:00:00"], {"timezone": NEW_YORK}, utc(2013, 7, 1, 9)),
        (["2013-01-01 05:00:00"], {"timezone": NEW_YORK}, utc(2013, 1, 1, 10)),
        (["01/07/2013 05:00"], {"format": "%d/%m/%Y %H:%M"}, utc(2013, 7, 1, 5)),
        (["01-07-2013"], {"format": "%d-%m-%Y", "timezone": NEW_YORK}, utc(2013, 7, 1, 4)),
        (["01/07/2013"], {"format": "%d/%m/%Y", "timezone": NEW_YORK}, utc(2013, 7, 1, 4)),
        (["01/07/2013 05:00 +0200"], {"format": "%d/%m/%Y %H:%M %z"}, utc(2013, 7, 1, 3)),
        (["20130701"], {"format": "%Y%m%d"}, utc(2013, 7, 1)),
        (["1372654800"], {}, utc(2013, 7, 1, 5)),
        ([1372654800], {}, utc(2013, 7, 1, 5)),
        ([1372654800.25], {}, utc(2013, 7, 1, 5, 0, 0, 250_000)),
        ([dt.date(2013, 7, 1)], {"timezone": NEW_YORK}, utc(2013, 7, 1, 4)),
        ([dt.datetime(2013, 7, 1, 5)], {"timezone": NEW_YORK}, utc(2013, 7, 1, 9)),
        ([utc(2013, 7, 1, 5)], {"timezone": NEW_YORK}, utc(2013, 7, 1, 5)),
    ],
)
def test_one_moment(values, rule, expected):
    assert parsed(values, **rule) == [expected]


@pytest.mark.parametrize("values", [["", "2013-07-01"], [None, 1372636800]])
def test_missing_times_stay_missing(values):
    assert parsed(values) == [None, utc(2013, 7, 1)]


def test_values_with_and_without_a_zone_may_be_mixed():
    found = parsed(["2013-07-01T05:00:00Z", "2013-07-01T05:00:00"], timezone=NEW_YORK)
    assert found == [utc(2013, 7, 1, 5), utc(2013, 7, 1, 9)]


def test_the_hour_that_comes_twice_in_autumn_is_the_first_one():
    assert parsed(["2013-11-03 01:30:00"], timezone=NEW_YORK) == [utc(2013, 11, 3, 5, 30)]


def test_the_hour_that_does_not_exist_in_spring_is_refused():
    with pytest.raises(DataError) as caught:
        parsed(["2013-03-10 02:30:00"], timezone=NEW_YORK)
    assert "'2013-03-10 02:30:00'" in caught.value.message
    assert NEW_YORK in caught.value.message


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (["2013-07-01", "yesterday"], {}),
        (["2013-07-01", "01.07.2013"], {"format": "%Y-%m-%d"}),
        (["1372654800", "soon"], {}),
        (["maybe", "never"], {}),
    ],
)
def test_a_text_that_is_no_time_names_row_value_and_format(values, rule):
    with pytest.raises(DataError) as caught:
        parsed(values, **rule)
    message = caught.value.message
    assert "Source 'rows', column 't', row" in message
    assert f"is not a time in format {rule.get('format') or 'ISO 8601 or seconds'}" in message


def test_milliseconds_since_1970_are_not_taken_for_seconds():
    with pytest.raises(DataError, match="1372654800000 is not a time"):
        parsed([1372654800000])


def test_a_column_that_cannot_be_a_time_is_refused():
    with pytest.raises(DataError, match="'t' of source 'rows' is Boolean, not a time"):
        parsed([True])
