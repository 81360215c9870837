"""The gate that compares features as training gets them with those as serving gets them."""

import datetime as dt

import polars as pl
import pytest

from headrace.components.monitoring.feature_check import checking
from headrace.components.shared.errors import ConfigError
from headrace.feature_store import online, repo

NOON = dt.datetime(2020, 1, 2, 12, tzinfo=dt.UTC)
CONFIG = """
project: shops
provider: local
registry: {registry_type: file, path: live.db}
offline_store: {type: headrace.feature_store.offline.store.AsofOfflineStore}
online_store: {type: sqlite, path: "${SHOPS_ONLINE}"}
entity_key_serialization_version: 3
"""
VIEWS = """
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
sales = FeatureView(
    name="sales",
    entities=[shop],
    schema=[Field(name="price", dtype=Float64)],
    source=FileSource(path="data/sales", timestamp_field="event_timestamp"),
    ttl=timedelta(days=1),
)
shops_v1 = FeatureService(name="shops_v1", features=[sales])
"""
CODE = {"feature_store.yaml": CONFIG, "views.py": VIEWS}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository's place, with a registry, tables and an online store as of NOON."""
    folder = tmp_path_factory.mktemp("shops")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPS_ONLINE", "online.db")
        (folder / "data/sales").mkdir(parents=True)
        hours = [dt.timedelta(hours=hour) for hour in range(-24, 50, 2)]
        sales = [
            {"shop": f"s{n}", "price": n + after.days / 7, "event_timestamp": NOON - after}
            for n, after in enumerate(hours)
        ]
        pl.DataFrame(sales).write_parquet(folder / "data/sales/part-0.parquet")
        with repo.registered(CODE, str(folder)) as store:
            online.materialize(store, None, NOON - dt.timedelta(days=9), NOON)
        yield folder


def check(root, tmp_path, service="shops_v1", as_of="2020-01-02T12:00:00Z", log=""):
    return checking.run(
        repo_code=CODE,
        root=str(root),
        service=service,
        as_of=as_of,
        samples=100,
        tolerance=0.0,
        patience=0.0,
        log=log,
        page=tmp_path / "page.html",
    )


def test_a_store_that_agrees_is_blessed_and_nothing_is_changed(root, tmp_path):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    result = check(root, tmp_path)
    assert (result.agrees, result.compared) == (True, 100)
    assert set(result.features[0].statuses) == {"PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"}
    assert "agree in 100 values" in (tmp_path / "page.html").read_text()
    assert before == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_store_that_was_not_refreshed_is_refused(root, tmp_path):
    later = NOON + dt.timedelta(hours=6)
    result = check(root, tmp_path, as_of=later.isoformat())
    assert not result.agrees
    assert "sales__price" in result.verdict()


def test_a_log_is_compared_at_the_moments_of_its_requests(root, tmp_path):
    log = {"shop": ["s12", "s13"], "event_timestamp": [NOON] * 2, "price": [12.0, 14.0]}
    pl.DataFrame(log).write_parquet(tmp_path / "log.parquet")
    result = check(root, tmp_path, log=str(tmp_path / "log.parquet"))
    assert (result.differences, result.compared) == (1, 2)
    assert result.differing[0].examples[0].entity == {"shop": "s13"}


def test_a_wrong_service_or_moment_is_told(root, tmp_path):
    with pytest.raises(ConfigError, match="no feature service 'shops_v9'"):
        check(root, tmp_path, service="shops_v9")
    with pytest.raises(ConfigError, match="'soon' is no moment"):
        check(root, tmp_path, as_of="soon")
