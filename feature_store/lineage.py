"""From source to endpoint: what a change of a table, a view or a feature would touch.

A graph of features, not of views: a feature that no service asks for touches no model. Feast's own
lineage knows views only, and ends at the feature service. Everything is read from the registry and
from the manifests of pushed models; no data are read and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.model_store import ModelStore
from headrace.components.shared.text import nearest
from headrace.feature_store.repo import registry_hash

if TYPE_CHECKING:
    from feast import FeatureStore

SOURCE, VIEW, ON_DEMAND = "source", "feature view", "on-demand view"
SERVICE, MODEL, ENDPOINT = "feature service", "model", "endpoint"
#: From where data come to where they go.
KINDS = (SOURCE, VIEW, ON_DEMAND, SERVICE, MODEL, ENDPOINT)


@dataclass(frozen=True)
class Node:
    """Something that can be touched.

    Attributes:
        kind: One of :data:`KINDS`.
        name: Its name.
        part: Of views the feature, of models and endpoints the version.
    """

    kind: str
    name: str
    part: str = ""

    @property
    def whole(self) -> Node:
        """What this is a part of."""
        return replace(self, part="")


@dataclass(frozen=True)
class Impact:
    """What a change touches.

    Attributes:
        reference: What would change, as it was asked for.
        starts: The same as it was understood, without parts.
        touched: Everything that is touched, with the touched parts in order.
        edges: What leads to what, without parts.
        stale: Versions of models that were trained with other definitions than today's.
    """

    reference: str
    starts: list[Node]
    touched: dict[Node, list[str]]
    edges: dict[Node, list[Node]]
    stale: frozenset[Node]

    def names(self, kind: str) -> list[str]:
        """Names of the touched things of a kind."""
        return [node.name for node in self.touched if node.kind == kind]


@dataclass
class Lineage:
    """The graph.

    Attributes:
        edges: What each part leads to.
        stale: Versions of models that were trained with other definitions than today's.
    """

    edges: dict[Node, list[Node]] = field(default_factory=dict)
    stale: set[Node] = field(default_factory=set)

    def add(self, node: Node, *targets: Node) -> None:
        """Adds a node and what it leads to."""
        known = self.edges.setdefault(node, [])
        for target in targets:
            self.edges.setdefault(target, [])
            if target not in known:
                known.append(target)

    def impact(self, reference: str) -> Impact:
        """What a change of ``source``, ``view``, ``view.feature`` or ``view:feature`` touches.

        Raises:
            ConfigError: there is nothing of that name.
        """
        starts = self._find(reference)
        reached = dict.fromkeys(starts)
        waiting = list(starts)
        while waiting:
            for target in self.edges[waiting.pop()]:
                if target not in reached:
                    reached[target] = None
                    waiting.append(target)
        touched: dict[Node, list[str]] = {}
        edges: dict[Node, dict[Node, None]] = {}
        for node in sorted(reached, key=_order):
            touched.setdefault(node.whole, []).append(node.part)
            for target in self.edges[node]:
                if target.whole != node.whole:
                    edges.setdefault(node.whole, {})[target.whole] = None
        return Impact(
            reference=reference,
            starts=sorted({node.whole for node in starts}, key=_order),
            touched=touched,
            edges={node: sorted(targets, key=_order) for node, targets in edges.items()},
            stale=frozenset(self.stale & reached.keys()),
        )

    def parts(self, whole: Node) -> list[str]:
        """All parts of a view or a model."""
        return [node.part for node in self.edges if node.whole == whole]

    def _find(self, reference: str) -> list[Node]:
        asked = [n for n in self.edges if n.kind in (SOURCE, VIEW, ON_DEMAND)]
        found = [node for node in asked if node.name == reference]
        name, _, part = reference.replace(":", ".").partition(".")
        found = found or [node for node in asked if (node.name, node.part) == (name, part)]
        if found:
            return found
        features = [f"{node.name}.{node.part}" for node in asked if node.part]
        raise ConfigError(
            f"The registry has no source, view or feature {reference!r}.",
            fix=nearest(
                f"{name}.{part}" if part else name,
                features if part else [*{node.name for node in asked}],
            ),
        )


def lineage(store: FeatureStore, models: str | None = None) -> Lineage:
    """Reads the graph.

    Args:
        store: Feast's feature store; only its registry is read.
        models: Folder or URI of pushed models (``serving.destination``); None leaves them out.

    Raises:
        ConfigError: there is no such folder.
        StorageError: a manifest is damaged.
    """
    graph = Lineage()
    for view in [*store.list_feature_views(), *store.list_stream_feature_views()]:
        _add_view(graph, view)
    on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
    for computed in on_demand.values():
        _add_on_demand(graph, computed)
    for service in store.list_feature_services():
        for projection in service.feature_view_projections:
            kind = ON_DEMAND if projection.name in on_demand else VIEW
            for feature in projection.features:
                asked = Node(kind, projection.name, feature.name)
                graph.add(asked, Node(SERVICE, service.name))
    if models:
        _add_models(graph, models, registry_hash(store))
    return graph


def _add_view(graph: Lineage, view: Any) -> None:
    features = [Node(VIEW, view.name, feature.name) for feature in view.features]
    for feature in features:
        graph.add(feature)
    for source in (view.batch_source, view.stream_source):
        if source is not None and source.name:
            graph.add(Node(SOURCE, source.name), *features)


def _add_on_demand(graph: Lineage, view: Any) -> None:
    computed = [Node(ON_DEMAND, view.name, feature.name) for feature in view.features]
    for request in view.source_request_sources.values():
        graph.add(Node(SOURCE, request.name), *computed)
    for projection in view.source_feature_view_projections.values():
        for feature in projection.features:
            graph.add(Node(VIEW, projection.name, feature.name), *computed)


def _add_models(graph: Lineage, destination: str, live: str) -> None:
    for name in _model_names(destination):
        store = ModelStore(destination, name)
        versions = store.versions()
        for version in versions:
            asked = store.manifest(version).get("feature_store") or {}
            if "feature_service" not in asked:
                continue
            model = Node(MODEL, name, str(version))
            graph.add(Node(SERVICE, asked["feature_service"]), model)
            if asked.get("registry_hash") != live:
                graph.stale.add(model)
            if version == versions[0]:  # The newest one is what is served.
                graph.add(model, Node(ENDPOINT, name, str(version)))


def _model_names(destination: str) -> Sequence[str]:
    try:
        system, root = fsspec.core.url_to_fs(destination)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"The place of models {destination!r} cannot be opened: {error}",
            fix="Use a folder, or install fsspec's driver for that protocol.",
        ) from None
    if not system.isdir(root):
        raise ConfigError(
            f"There is no folder of pushed models at {destination}.",
            fix="Name the `serving.destination` of a project; by default it is `models` in its "
            "home.",
        )
    return sorted(Path(entry["name"]).name for entry in system.ls(root, detail=True))


def _order(node: Node) -> tuple[int, str, int, str]:
    number = int(node.part) if node.part.isdecimal() else 0
    return KINDS.index(node.kind), node.name, number, node.part
