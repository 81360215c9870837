"""What can go wrong between a request and the online store."""

from __future__ import annotations

from headrace.components.shared.errors import HeadraceError


class OnlineStoreError(HeadraceError):
    """The online store is down, too slow, or answered with an error: nothing was read."""

    http_status = 503


class FeatureRequestError(HeadraceError):
    """The request itself cannot be answered: a join key is missing or has an unusable value."""

    http_status = 422


class UnknownFeaturesError(FeatureRequestError):
    """The registry has no such feature service, view or feature."""

    http_status = 404
