"""The project's own code: from sources to labels and to the tables behind the features."""

import datetime as dt

import polars as pl
import pytest

from headrace.components.features.feature_builder import builder
from headrace.components.shared.errors import ConfigError, DataError, ProjectCodeError

GOOD = {"y": [0, 1, 0, 1], "a": [1.0, 2.0, 3.0, 4.0]}


@pytest.fixture
def build(tmp_path):
    def run(sources=None, code=None, rolling=None):
        folder = tmp_path / "tables"
        folder.mkdir(exist_ok=True)
        for name, values in (sources or {"rows": GOOD}).items():
            pl.DataFrame(values).write_parquet(folder / f"{name}.parquet")
        rows = builder.run(
            tables=folder,
            code={"features.py": code} if code else {},
            repo_code={"rolling.py": rolling, "views.py": "raise ValueError"} if rolling else {},
            built=tmp_path / "built",
        )
        frames = {"labels": pl.read_parquet(tmp_path / "built" / "labels.parquet")}
        frames |= {n: pl.read_parquet(tmp_path / "built" / n) for n in rows if n != "labels"}
        assert rows == {name: frame.height for name, frame in frames.items()}
        return frames

    return run


def test_a_single_source_passes_through_without_code(build):
    assert build()["labels"].to_dict(as_series=False) == GOOD


def test_several_sources_need_code_that_joins_them(build):
    with pytest.raises(ConfigError, match=r"2 sources and no features\.py"):
        build(sources={"a": GOOD, "b": GOOD})


def test_build_features_gets_every_source_by_name(build):
    code = "def build_features(tables):\n    return tables['a'].join(tables['b'], on='k')\n"
    sources = {"a": {"k": [1, 2], "y": [0, 1]}, "b": {"k": [1, 2], "a": [5.0, 6.0]}}
    assert build(sources=sources, code=code)["labels"]["a"].to_list() == [5.0, 6.0]


def test_code_that_raises_is_blamed_with_its_line_and_the_tables(build):
    code = "def build_features(tables):\n    rows = tables['rows']\n    return rows.drop('zzz')\n"
    with pytest.raises(ProjectCodeError) as caught:
        build(code=code)
    assert "features.py:3 in build_features raised ColumnNotFoundError" in caught.value.message
    assert "at `return rows.drop('zzz')`" in caught.value.message
    assert "Tables: rows (4, 2)." in caught.value.fix


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ("None", "returned NoneType"),
        ("{}", "a dictionary of nothing"),
        ("{'rows': tables['rows']}", "a dictionary of 'rows'"),
    ],
)
def test_code_that_returns_something_else_is_refused(build, result, shown):
    with pytest.raises(ProjectCodeError) as caught:
        build(code=f"def build_features(tables):\n    return {result}\n")
    assert shown in caught.value.message
    assert "with 'labels'" in caught.value.message


def test_a_missing_function_names_the_nearest_one(build):
    with pytest.raises(ProjectCodeError) as caught:
        build(code="def build_feature(tables):\n    return None\n")
    assert "no function `build_features`" in caught.value.message
    assert "'build_feature'" in caught.value.fix


def test_code_that_drops_every_row_is_refused(build):
    with pytest.raises(DataError, match="The labelled table has no rows"):
        build(code="def build_features(tables):\n    return tables['rows'].head(0)\n")


EVENTS_CODE = """
import polars as pl

def build_features(tables):
    at = pl.datetime(2020, 1, 1, time_zone="UTC")
    events = tables["events"].with_columns(known_at=at + pl.duration(minutes="minute"))
    return {"labels": tables["rows"], "events": events}
"""
ROLLING = """
from headrace.feature_store.rolling.definition import RollingView, windows

VIEWS = [RollingView("shop", ("shop",), tuple(windows("shop", "sale", ["price"], [1])))]
"""
EVENTS = {
    "event_id": ["a", "b", "c"],
    "kind": ["sale"] * 3,
    "shop": ["x"] * 3,
    "minute": [0, 30, 75],
    "price": [10, 20, 60],
}


def test_rolling_views_are_computed_from_the_events(build):
    frames = build({"rows": GOOD, "events": EVENTS}, EVENTS_CODE, ROLLING)
    rows = frames["shop"]
    # At 75 minutes the first sale is more than an hour ago.
    assert rows["shop_price_1h"].to_list() == [10.0, 15.0, 40.0]
    assert rows["event_timestamp"].to_list() == rows["created"].to_list()
    assert rows["event_timestamp"][2] == dt.datetime(2020, 1, 1, 1, 15, tzinfo=dt.UTC)


def test_rolling_views_without_events_are_refused(build):
    with pytest.raises(ProjectCodeError, match=r"rolling\.py defines rolling views, and build_fea"):
        build(code="def build_features(tables):\n    return tables['rows']\n", rolling=ROLLING)


def test_events_without_a_column_that_a_view_counts_are_refused(build):
    lacking = {name: values for name, values in EVENTS.items() if name != "price"}
    with pytest.raises(DataError, match=r"'events' lacks price, which rolling\.py names"):
        build({"rows": GOOD, "events": lacking}, EVENTS_CODE, ROLLING)


def test_a_rolling_file_without_views_is_refused(build):
    with pytest.raises(ProjectCodeError, match="no list VIEWS of RollingView"):
        build({"rows": GOOD, "events": EVENTS}, EVENTS_CODE, "VIEWS = [1]")
