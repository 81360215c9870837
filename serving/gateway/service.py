"""What a feature service gives and asks for, by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feast import FeatureStore

    from headrace.feature_store.online.reader import OnlineReader

#: The tag of a view, a field or an entity that says who may see its values.
SENSITIVITY = "sensitivity"


@dataclass(frozen=True)
class Column:
    """A feature, a join key or a request field.

    Attributes:
        name: Its name.
        kind: Name of Feast's type, such as INT64.
        sensitivity: Its tag ``sensitivity``, or that of its view; empty when there is none.
        view: The feature view of a feature.
    """

    name: str
    kind: str
    sensitivity: str
    view: str = ""


@dataclass(frozen=True)
class Service:
    """A feature service.

    Attributes:
        name: Its name.
        reader: Reads it.
        features: What it gives.
        asked: What a caller must bring: join keys, and inputs of computed features.
    """

    name: str
    reader: OnlineReader
    features: dict[str, Column]
    asked: dict[str, Column]

    @classmethod
    def of(cls, store: FeatureStore, name: str, reader: OnlineReader) -> Service:
        """Looks the service up in the registry."""
        on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
        plain = {view.name: view for view in store.list_feature_views()}
        features: dict[str, Column] = {}
        fields: dict[str, Column] = {}
        for projection in store.get_feature_service(name).feature_view_projections:
            view: Any = on_demand.get(projection.name) or plain[projection.name]
            for feature in projection.features:
                shown = projection.name_to_use()
                features[feature.name] = _column(feature, view.tags, shown)
            if projection.name in on_demand:
                for source in view.source_request_sources.values():
                    fields |= {field.name: _column(field, source.tags) for field in source.schema}
        keys = _keys(store, reader)
        return cls(name, reader, features, {**keys, **dict(sorted(fields.items()))})


def _column(field: Any, tags: dict[str, str], view: str = "") -> Column:
    sensitivity = field.tags.get(SENSITIVITY) or tags.get(SENSITIVITY, "")
    return Column(field.name, field.dtype.to_value_type().name, sensitivity, view)


def _keys(store: FeatureStore, reader: OnlineReader) -> dict[str, Column]:
    from feast.feature_view import DUMMY_ENTITY_ID

    tags = {entity.join_key: entity.tags for entity in store.list_entities()}
    plan = reader.plan
    asked = {name for group in plan.groups for name in group.asked} - {DUMMY_ENTITY_ID}
    kinds = {
        shown: (key, kind)
        for group in plan.groups
        for shown, (key, kind) in zip(group.asked, sorted(group.kinds.items()), strict=True)
    }
    return {
        name: Column(name, kinds[name][1].name, tags.get(kinds[name][0], {}).get(SENSITIVITY, ""))
        for name in sorted(asked)
    }
