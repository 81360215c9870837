"""Rolling views in Feast's registry: an ordinary feature view with its definition as a tag.

Feast's own aggregations are registered but not computed, and make its local engine fail. A tag
keeps the definition where every reader of the registry finds it: the stream consumer, the lineage
and whoever looks at the view in Feast's UI.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from feast import FeatureStore, FeatureView, Field
from feast.types import Float64, Int64
from pydantic import TypeAdapter

from headrace.feature_store.rolling.definition import TAG, RollingView

if TYPE_CHECKING:
    from feast import Entity
    from feast.data_source import DataSource

_DEFINITION = TypeAdapter(RollingView)


def feature_view(
    rolling: RollingView,
    *,
    entities: list[Entity],
    source: DataSource,
    ttl: timedelta,
    tags: dict[str, str] | None = None,
    **options: Any,
) -> FeatureView:
    """Makes the Feast feature view of a rolling view.

    Args:
        rolling: The definition.
        entities: Entities whose join keys are the view's keys.
        source: Where the computed rows are, or the push source in front of it.
        ttl: How long a row answers for its entity after its last event.
        tags: Further tags.
        **options: Further arguments of `FeatureView`, such as `owner` and `description`.

    Raises:
        ValueError: the entities' join keys are not the view's keys.
    """
    join_keys = {entity.join_key for entity in entities}
    if join_keys != set(rolling.keys):
        raise ValueError(
            f"View {rolling.name!r} is keyed by {sorted(rolling.keys)}, its entities by "
            f"{sorted(join_keys)}."
        )
    fields = [
        Field(name=statistic.name, dtype=Float64 if statistic.function == "mean" else Int64)
        for statistic in rolling.statistics
    ]
    definition = _DEFINITION.dump_json(rolling, exclude_defaults=True).decode()
    return FeatureView(
        name=rolling.name,
        entities=entities,
        schema=fields,
        source=source,
        ttl=ttl,
        tags={**(tags or {}), TAG: definition},
        **options,
    )


def rolling_views(store: FeatureStore) -> list[RollingView]:
    """Reads the definitions of all rolling views from the store's registry, by name."""
    views = store.list_feature_views()
    return sorted(
        (_DEFINITION.validate_json(view.tags[TAG]) for view in views if TAG in view.tags),
        key=lambda view: view.name,
    )
