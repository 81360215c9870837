"""From a source to the endpoint that serves a model trained on it."""

import pytest
from typer.testing import CliRunner

from headrace.cli.features import main
from headrace.components.shared import files
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.model_store import MANIFEST
from headrace.feature_store.lineage import (
    ENDPOINT,
    MODEL,
    ON_DEMAND,
    SERVICE,
    SOURCE,
    VIEW,
    Node,
    lineage,
)
from headrace.feature_store.repo import registry_hash


@pytest.fixture(scope="module")
def models(store, tmp_path_factory):
    """Three models: of two services, and one that knows no feature store."""
    folder = tmp_path_factory.mktemp("models")
    live = registry_hash(store)
    pushed = {
        ("prices", 1): {"feature_service": "shops_v1", "registry_hash": "older"},
        ("prices", 2): {"feature_service": "shops_v2", "registry_hash": "older"},
        ("prices", 10): {"feature_service": "shops_v2", "registry_hash": live},
        ("people", 1): {"feature_service": "towns_v1", "registry_hash": live},
        ("people", 2): {"feature_service": "shops_v1", "registry_hash": live},
        ("alone", 1): {},
    }
    for (name, version), asked in pushed.items():
        files.write_json(folder / name / str(version) / MANIFEST, {"feature_store": asked})
    (folder / "foreign" / "1").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def graph(store, models):
    return lineage(store, str(models))


def touched(graph, reference):
    found = graph.impact(reference)
    return {node.name: parts for node, parts in found.touched.items() if node.kind != SOURCE}


def test_a_feature_touches_only_what_asks_for_it(graph):
    found = graph.impact("sales.pieces")
    assert found.touched == {
        Node(VIEW, "sales"): ["pieces"],
        Node(SERVICE, "shops_v1"): [""],
        Node(MODEL, "people"): ["2"],
        Node(MODEL, "prices"): ["1"],
        Node(ENDPOINT, "people"): ["2"],
    }
    assert found.stale == {Node(MODEL, "prices", "1")}


def test_an_on_demand_view_is_touched_only_through_its_own_sources(graph):
    assert graph.impact("sales.price").names(ON_DEMAND) == ["bill"]
    assert graph.impact("sales:kind").names(ON_DEMAND) == []
    assert graph.impact("towns").names(ON_DEMAND) == []
    found = graph.impact("sales:price")
    assert found.names(SERVICE) == ["shops_v1", "shops_v2"]
    assert found.touched[Node(MODEL, "prices")] == ["1", "2", "10"]
    assert found.touched[Node(ENDPOINT, "prices")] == ["10"]


def test_a_view_a_source_and_a_request_touch_all_that_follows(graph):
    sales = graph.impact("sales")
    assert len(sales.touched[Node(VIEW, "sales")]) == 6
    for source in ("sales_table", "sales_stream"):
        found = graph.impact(source)
        assert found.starts == [Node(SOURCE, source)]
        assert found.touched.items() >= sales.touched.items()
    assert graph.impact("basket").names(SERVICE) == ["shops_v2"]
    assert graph.impact("bill.total").names(MODEL) == ["prices"]
    assert graph.impact("towns").names(ENDPOINT) == ["people", "prices"]


def test_models_are_not_needed(store):
    found = lineage(store).impact("sales")
    services = ["moves_v1", "shops_v1", "shops_v2", "world_v1"]
    assert (found.names(SERVICE), found.names(MODEL)) == (services, [])


@pytest.mark.parametrize(
    ("reference", "fix"),
    [
        ("sale", "Did you mean 'sales'?"),
        ("sales.prize", "Did you mean 'sales.price'?"),
        ("sales:prize", "Did you mean 'sales.price'?"),
        ("sale.price", "Did you mean 'sales.price'?"),
        ("xyz", "There are: basket, bill"),
    ],
)
def test_an_unknown_reference_names_the_nearest(graph, reference, fix):
    with pytest.raises(ConfigError, match="no source, view or feature") as error:
        graph.impact(reference)
    assert error.value.fix.startswith(fix)


def test_a_place_without_models_is_told(store, tmp_path):
    with pytest.raises(ConfigError, match="no folder of pushed models"):
        lineage(store, str(tmp_path / "nowhere"))


def test_the_command_shows_a_tree(store, models):
    (store.config.repo_path / "feature_store.yaml").write_text(
        "project: shops\nprovider: local\nregistry: registry.db\n"
        "offline_store: {type: headrace.feature_store.offline.store.AsofOfflineStore}\n"
        "online_store: {type: sqlite, path: online.db}\nentity_key_serialization_version: 3\n"
    )
    place = ["--repo", str(store.config.repo_path)]
    done = CliRunner().invoke(main.app, ["impact", "sales.price", *place, "--models", str(models)])
    assert done.exit_code == 0, done.output
    lines = [line.strip("│├└─ ") for line in done.output.splitlines()]
    assert lines[:2] == ["sales.price", "feature view sales price"]
    assert "model prices versions 1 (stale), 2 (stale), 10" in lines
    assert "endpoint prices serves version 10" in lines
    assert "model prices: see above" in lines
    assert "Touched: 1 feature view, 1 on-demand view, 2 feature services, 2 models" in done.output
    plain = CliRunner().invoke(main.app, ["impact", "sales", *place])
    assert "all 6 features" in plain.output and "Give --models" in plain.output
