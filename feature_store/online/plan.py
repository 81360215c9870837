"""What a request for a feature service reads, worked out once: keys, views, features, decoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast import FeatureService, FeatureStore
from feast.errors import FeastObjectNotFoundException, FeatureNameCollisionError
from feast.feature_view import FeatureView
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.utils import _get_online_request_context, _parse_feature_ref
from feast.value_type import ValueType

from headrace.feature_store.online.codec import Decoder, decoder
from headrace.feature_store.online.errors import FeatureRequestError, UnknownFeaturesError
from headrace.feature_store.online.keys import ENCODERS
from headrace.feature_store.online.on_demand import OnDemandPlan, plan_on_demand

_STORES = ("redis", "sqlite")


@dataclass(frozen=True)
class ViewPlan:
    """What is read of one feature view.

    Attributes:
        name: The name in requests and answers, which may be an alias.
        view: Feast's definition.
        stored_name: The name in the store.
        features: The features to read.
        decoders: One per feature.
        ttl: How long a row is valid, in microseconds; None means for ever.
    """

    name: str
    view: Any
    stored_name: str
    features: tuple[str, ...]
    decoders: tuple[Decoder, ...]
    ttl: int | None


@dataclass(frozen=True)
class KeyGroup:
    """Views that have their rows under the same keys, so that one look-up serves all of them.

    Attributes:
        kinds: The join keys, as stored, with their types.
        asked: The names that the request uses for them, in the order of the sorted join keys.
        views: The views.
    """

    kinds: Mapping[str, ValueType]
    asked: tuple[str, ...]
    views: tuple[ViewPlan, ...]


@dataclass(frozen=True)
class ReadPlan:
    """How to answer requests for one feature service or list of features.

    Attributes:
        groups: What to look up.
        outputs: Name, view (by its number over all groups) and feature number of each output.
        join_keys: What the answer repeats of the request, with types.
        renames: Names of entities, which Feast takes instead of their join keys.
        on_demand: Features that are computed from the request and from what was read.
        request_data: Columns that these need from the request.
        fallback: Why Feast must do the reading; None when the fast path can.
    """

    groups: tuple[KeyGroup, ...]
    outputs: tuple[tuple[str, int, int], ...]
    join_keys: Mapping[str, ValueType]
    renames: Mapping[str, str]
    on_demand: tuple[OnDemandPlan, ...]
    request_data: frozenset[str]
    fallback: str | None


def resolve(store: FeatureStore, features: str | Sequence[str]) -> FeatureService | list[str]:
    """The feature service of that name, or the references as they are.

    Raises:
        UnknownFeaturesError: The registry has no such service.
    """
    if not isinstance(features, str):
        return list(features)
    try:
        return store.get_feature_service(features, allow_cache=True)
    except FeastObjectNotFoundException as error:
        known = sorted(service.name for service in store.list_feature_services())
        raise UnknownFeaturesError(
            f"Feast project {store.project!r} has no feature service {features!r}.",
            fix=f"Ask for one of these: {', '.join(known) or '(none)'}; or run `feast apply`.",
        ) from error


def make_plan(
    store: FeatureStore, features: FeatureService | list[str], *, full_feature_names: bool
) -> ReadPlan:
    """Works out how to answer.

    Raises:
        UnknownFeaturesError: A reference names a view or feature that the registry does not have.
        FeatureRequestError: The references cannot be answered together.
    """
    context = _context(store, features, full_feature_names)
    refs, computed, names, kinds, join_keys, tables, _, request_data, _ = context
    versions = store.config.registry.enable_online_feature_view_versioning
    views = [_view(table, wanted, versions) for table, wanted in tables]
    groups = _groups(views)
    fallback = _fallback(store, features, tables, computed)
    # What Feast computes, nobody here has to.
    ours = [] if fallback else computed
    return ReadPlan(
        groups=groups,
        outputs=_outputs(refs, groups, full_feature_names),
        join_keys={key: kinds.get(key, ValueType.UNKNOWN) for key in join_keys},
        renames=names,
        on_demand=tuple(plan_on_demand(view, refs, full_feature_names) for view in ours),
        request_data=frozenset(request_data),
        fallback=fallback,
    )


def _context(store: FeatureStore, features: FeatureService | list[str], full: bool) -> Any:
    try:
        return _get_online_request_context(store.registry, store.project, features, full)
    except (FeastObjectNotFoundException, KeyError) as error:
        raise UnknownFeaturesError(
            f"These features cannot be read: {error}.",
            fix="Use view:feature with names that `feast feature-views list` shows.",
        ) from error
    except (FeatureNameCollisionError, ValueError) as error:
        raise FeatureRequestError(
            f"These features cannot be read together: {error}",
            fix="Correct the references, or ask with full_feature_names.",
        ) from error


def _view(table: Any, wanted: Sequence[str], versions: bool) -> ViewPlan:
    kinds = {feature.name: feature.dtype.to_value_type() for feature in table.features}
    ttl = getattr(table, "ttl", None)
    features = tuple(sorted(wanted))
    return ViewPlan(
        name=table.projection.name_to_use(),
        view=table,
        stored_name=compute_versioned_name(table, versions),
        features=features,
        decoders=tuple(decoder(kinds.get(name, ValueType.UNKNOWN)) for name in features),
        ttl=round(ttl.total_seconds() * 1_000_000) if ttl else None,
    )


def _groups(views: Sequence[ViewPlan]) -> tuple[KeyGroup, ...]:
    found: dict[tuple[Any, ...], list[ViewPlan]] = {}
    for view in views:
        alias = view.view.projection.join_key_map
        columns = sorted(
            (column.name, column.dtype.to_value_type(), alias.get(column.name, column.name))
            for column in view.view.entity_columns
        )
        found.setdefault(tuple(columns), []).append(view)
    return tuple(
        KeyGroup(
            kinds={name: kind for name, kind, _ in columns},
            asked=tuple(asked for _, _, asked in columns),
            views=tuple(members),
        )
        for columns, members in found.items()
    )


def _outputs(
    refs: Sequence[str], groups: Sequence[KeyGroup], full: bool
) -> tuple[tuple[str, int, int], ...]:
    places: dict[tuple[str, str], tuple[int, int]] = {}
    views = [view for group in groups for view in group.views]
    for number, view in enumerate(views):
        for place, feature in enumerate(view.features):
            places[view.name, feature] = (number, place)
    result = []
    for ref in refs:
        name, version, feature = _parse_feature_ref(ref)
        view_name = name if version is None else f"{name}@v{version}"
        if (view_name, feature) in places:
            shown = f"{view_name}__{feature}" if full else feature
            result.append((shown, *places[view_name, feature]))
    return tuple(result)


def _fallback(
    store: FeatureStore, features: FeatureService | list[str], tables: Any, computed: Any
) -> str | None:
    """Why the fast path cannot answer this, or None."""
    config = store.config
    if config.online_store is None or config.online_store.type not in _STORES:
        kind = config.online_store.type if config.online_store else "none"
        return f"the online store is {kind}, not {' or '.join(_STORES)}"
    if config.entity_key_serialization_version != 3:
        return f"entity_key_serialization_version is {config.entity_key_serialization_version}"
    if getattr(features, "precompute_online", False):
        return "the feature service is precomputed"
    for table, _ in tables:
        if not isinstance(table, FeatureView):
            return f"{table.name} is a {type(table).__name__} in the online store"
        kinds = {column.dtype.to_value_type() for column in table.entity_columns}
        if strange := kinds - ENCODERS.keys():
            return f"{table.name} has join keys of type {', '.join(k.name for k in strange)}"
    for view in computed:
        if view.aggregations or view.mode not in ("python", "pandas"):
            return f"{view.name} aggregates or is in mode {view.mode}"
    return None
