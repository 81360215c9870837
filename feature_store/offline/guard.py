"""Refusing the offline store that loses label rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.components.shared.errors import ConfigError

if TYPE_CHECKING:
    from feast import RepoConfig

STORE = "headrace.feature_store.offline.store.AsofOfflineStore"
_LOSSY = ("file", "dask", "feast.infra.offline_stores.dask.DaskOfflineStore")


def refuse_lossy(config: RepoConfig) -> None:
    """Refuses Feast's ``file`` (or ``dask``) offline store, which is Feast's default.

    Raises:
        ConfigError: the configured store, or one of a hybrid store's, is that one.
    """
    kind = next((kind for kind in _kinds(config.offline_store) if kind in _LOSSY), None)
    if kind is None:
        return
    raise ConfigError(
        f"The offline store of Feast project {config.project!r} is {kind!r}. It silently drops "
        "label rows that share join keys and timestamp (Feast issue 6787), and rows whose "
        "features are all older than their ttl, so training sets would miss rows.",
        fix=f"Put into feature_store.yaml: `offline_store: {{type: {STORE}}}`.",
    )


def _kinds(store: Any) -> list[str]:
    """The types of a store and, for Feast's hybrid store, of those in it."""
    members = getattr(store, "offline_stores", None) or []
    return [str(getattr(item, "type", "")) for item in (store, *members)]
