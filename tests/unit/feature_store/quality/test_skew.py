"""The skew guard: equal where it should be, and what exactly is reported where it is not."""

import datetime as dt
import math

import polars as pl
import pyarrow as pa
import pytest

from headrace.components.shared.errors import ConfigError, DataError
from headrace.feature_store.online import Status, materialize, write_features
from headrace.feature_store.quality import skew
from headrace.feature_store.quality.comparison import equal
from headrace.feature_store.quality.sampling import sample
from headrace.feature_store.quality.skew import compare, compare_logs

from .conftest import HOUR, NOW, SHOPS, sales, write


@pytest.mark.parametrize("service", ["shops_v1", "shops_v2", "towns_v1", "world_v1", "moves_v1"])
def test_offline_and_online_agree_for_known_expired_and_unknown_entities(store, service):
    result = compare(store, service, 200, NOW)
    assert result.agrees, result.markdown()
    assert result.compared == 200 * len(result.features)
    found = {f.name: set(f.statuses) for f in result.features}
    of_shops = {"PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"}
    expected = {
        "sales__price": of_shops,
        "sales__rate": of_shops,
        "here__rate": of_shops,
        "there__rate": of_shops,
        "towns__people": {"PRESENT", "NOT_FOUND"},
        "world__oil": {"PRESENT"},
    }
    checked = expected.keys() & found.keys()
    assert checked
    assert {name: found[name] for name in checked} == {name: expected[name] for name in checked}


def test_samples_are_deterministic_and_of_all_kinds(store):
    rows = sample(store, "shops_v2", 300, NOW)
    assert rows.equals(sample(store, "shops_v2", 300, NOW))
    assert not rows.equals(sample(store, "shops_v2", 300, NOW, seed=1))
    assert set(rows.columns) == {"shop", "town", "amount"}
    closed = rows.filter(pl.col("shop").is_in(SHOPS[-5:])).height
    unknown = rows.filter(pl.any_horizontal(pl.col("shop", "town").str.starts_with("unknown")))
    assert 15 <= closed <= 50
    assert 15 <= unknown.height <= 50
    # Keys of one view are drawn together.
    known = rows.join(unknown, on=rows.columns, how="anti")
    pairs = {(shop, f"town {n % 4}") for n, shop in enumerate(SHOPS)}
    assert set(known.select("shop", "town").iter_rows()) <= pairs


def test_one_wrong_value_online_is_reported_alone(applied):
    mine = applied()
    materialize(mine, None, NOW - 2000 * HOUR, NOW)
    wrong = sales(shops=SHOPS[:1], hours=[0]).with_columns(price=pl.lit(0.1) + 0.2)
    write_features(mine, "sales", wrong)
    rows = pl.DataFrame({"shop": SHOPS, "town": [f"town {n % 4}" for n in range(40)]})
    result = compare(mine, "shops_v1", rows, NOW)
    assert (result.differences, result.compared, result.agrees) == (1, 7 * 40, False)
    (feature,) = result.differing
    assert (feature.name, feature.differing, feature.rate) == ("sales__price", 1, 1 / 40)
    (example,) = feature.examples
    assert example.entity == {"shop": "shop 0"}
    assert (example.time, example.online_time, example.status) == (NOW, NOW, "PRESENT")
    assert (example.offline, example.online) == (0.0, 0.1 + 0.2)
    assert "1 of 280 values in 40 rows differ (sales__price)" in result.verdict()
    assert "offline 0.0, online 0.30000000000000004 (PRESENT of" in result.markdown()


def test_a_view_without_entities_is_compared_too(applied):
    mine = applied()
    materialize(mine, ["sales"], NOW - 2000 * HOUR, NOW)
    result = compare(mine, "world_v1", 20, NOW)
    (feature,) = result.differing
    assert (feature.name, feature.differing, feature.statuses) == (
        "world__oil",
        20,
        {"NOT_FOUND": 20},
    )
    (example,) = feature.examples
    assert str(example).startswith(
        "without entity at 2026-03-01 12:00:00: offline 1.0, online None"
    )


def test_what_was_not_materialised_yet_differs(applied):
    mine = applied()
    materialize(mine, None, NOW - 2000 * HOUR, NOW - 8 * HOUR)
    result = compare(mine, "shops_v2", 50, NOW)
    assert {f.name for f in result.differing} == {"sales__price", "bill__total"}
    for feature in result.differing:
        entities = [example.entity for example in feature.examples]
        assert len(entities) == len({tuple(entity.values()) for entity in entities}) == 5
    assert compare(mine, "shops_v2", 50, NOW - 8 * HOUR).agrees


def test_patience_waits_for_sources_that_lag_behind_a_stream(applied, monkeypatch):
    mine = applied(sales().filter(pl.col("event_timestamp") < NOW))
    materialize(mine, None, NOW - 2000 * HOUR, NOW)
    late = sales(hours=[0])
    write_features(mine, "sales", late)
    pauses = []

    def arrive(seconds):
        pauses.append(seconds)
        write(mine.config.repo_path, "sales", late, "part-1")

    monkeypatch.setattr(skew.time, "sleep", arrive)
    assert not compare(mine, "shops_v1", 50, NOW).agrees
    assert compare(mine, "shops_v1", 50, NOW, patience=30).agrees
    assert pauses == [1.0]


def test_a_page_shows_the_differences_and_escapes_them(applied, tmp_path):
    mine = applied()
    write_features(mine, "sales", sales().with_columns(kind=pl.lit("<b>")))
    result = compare(mine, "shops_v2", 50, NOW)
    result.write_html(tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert "sales__kind" in page


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (math.nan, None, True),
        (None, 0.0, False),
        (0.0, -0.0, False),
        (0.1 + 0.2, 0.3, False),
        (3.0, 3, True),
        ("3", 3, False),
        (1 << 62, (1 << 62) + 1, False),
        ([1.0, math.nan], [1.0, None], True),
        ([1.0], [1.0, 2.0], False),
        ([], None, False),
        (dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), True),
    ],
)
def test_when_values_are_the_same(one, other, same):
    assert equal(one, other) is equal(other, one) is same


def test_a_tolerance_is_for_floats_alone():
    assert equal(0.1 + 0.2, 0.3, 1e-9)
    assert not equal(1_000_000, 1_000_001, 0.1)


@pytest.fixture(scope="module")
def log(store):
    """What would have been logged of requests at several moments, by an honest server."""
    moments = [NOW - hours * HOUR for hours in (30, 20, 3)]
    parts = []
    for moment in moments:
        mine = store
        rows = {"shop": SHOPS, "town": ["town 1"] * 40, "amount": list(range(40))}
        frame = pl.DataFrame(rows).with_columns(event_timestamp=pl.lit(moment)).to_pandas()
        service = mine.get_feature_service("shops_v2")
        served = mine.get_historical_features(frame, service, full_feature_names=True)
        parts.append(served.to_arrow())
    return pa.concat_tables(parts)


def test_logs_of_many_moments_are_recomputed(store, log):
    result = compare_logs(store, "shops_v2", log)
    assert result.agrees, result.markdown()
    assert (result.rows, len(result.features)) == (120, 4)
    assert result.last - result.first == 27 * HOUR
    short = log.rename_columns([name.rpartition("__")[2] for name in log.column_names])
    assert compare_logs(store, "shops_v2", short).compared == result.compared


def test_a_wrong_log_is_told_with_status_and_time(store, log):
    frame = pl.DataFrame(pl.from_arrow(log)).with_columns(
        pl.when(pl.col("shop") == "shop 3")
        .then(pl.lit("huge"))
        .otherwise("sales__kind")
        .alias("sales__kind"),
        sales__kind__timestamp=pl.col("event_timestamp") - HOUR,
        sales__kind__status=pl.lit(int(Status.PRESENT)),
    )
    result = compare_logs(store, "shops_v2", frame.to_arrow())
    (feature,) = result.differing
    assert (feature.name, feature.differing) == ("sales__kind", 3)
    example = feature.examples[0]
    assert (example.online, example.status) == ("huge", "PRESENT")
    assert example.online_time == example.time - HOUR


def test_logs_that_cannot_be_compared_are_refused(store, log):
    with pytest.raises(DataError, match="The rows lack 'amount'"):
        compare_logs(store, "shops_v2", log.drop_columns(["amount"]))
    with pytest.raises(DataError, match="needs a column 'event_timestamp'"):
        compare_logs(store, "shops_v2", log.drop_columns(["event_timestamp"]))
    with pytest.raises(DataError, match="has no feature of 'shops_v2'"):
        compare_logs(store, "shops_v2", log.select(["shop", "town", "amount", "event_timestamp"]))


def test_an_unknown_service_and_no_rows_are_refused(store):
    with pytest.raises(ConfigError, match="has no feature service 'shops_v3'") as error:
        compare(store, "shops_v3", 10, NOW)
    assert "Did you mean" in error.value.fix
    with pytest.raises(ConfigError, match="no row to compare"):
        compare(store, "shops_v1", 0, NOW)
    with pytest.raises(DataError, match="The rows lack 'town'"):
        compare(store, "shops_v1", pl.DataFrame({"shop": SHOPS, "twon": SHOPS}), NOW)


def test_a_naive_moment_is_utc(store):
    assert compare(store, "towns_v1", 20, NOW.replace(tzinfo=None)).first == NOW
