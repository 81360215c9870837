"""What can be wrong with a bundle."""

from __future__ import annotations

from headrace.components.shared.errors import HeadraceError


class BundleError(HeadraceError):
    """A bundle is not what its manifest says, or its manifest is not usable."""

    http_status = 422


class SignatureError(BundleError):
    """The manifest was not signed by a trusted key, or was changed afterwards."""

    http_status = 403
