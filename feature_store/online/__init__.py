"""The online side: reading, writing and materialising features in Feast's own layouts.

Names are loaded when they are asked for, because Feast takes seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.feature_store.online.errors import (
    FeatureRequestError,
    OnlineStoreError,
    UnknownFeaturesError,
)

if TYPE_CHECKING:
    from headrace.feature_store.online.materialization import materialize, materialize_incremental
    from headrace.feature_store.online.reader import OnlineReader
    from headrace.feature_store.online.result import OnlineFeatures, Status
    from headrace.feature_store.online.writer import WriteResult, write_features

__all__ = [
    "FeatureRequestError",
    "OnlineFeatures",
    "OnlineReader",
    "OnlineStoreError",
    "Status",
    "UnknownFeaturesError",
    "WriteResult",
    "materialize",
    "materialize_incremental",
    "write_features",
]

_HOMES = {
    "OnlineFeatures": "result",
    "OnlineReader": "reader",
    "Status": "result",
    "WriteResult": "writer",
    "materialize": "materialization",
    "materialize_incremental": "materialization",
    "write_features": "writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
