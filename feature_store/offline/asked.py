"""Which features were asked for by name, and which only on-demand views need."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def asked_for(references: Sequence[str]) -> list[str]:
    """The references that the caller of ``FeatureStore.get_historical_features`` named.

    Feast adds the inputs of on-demand views to the list that it hands to an offline store, without
    a mark: ``[view:total]`` and ``[view:total, source:a]`` arrive as the same list. Its own list of
    what was asked for is only in the frame of that call. Called from elsewhere, all were asked for.
    """
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if (
            frame.f_code.co_name == "get_historical_features"
            and frame.f_globals.get("__name__") == "feast.feature_store"
        ):
            return list(frame.f_locals.get("_feature_refs", references))
    return list(references)
