"""Why a device keeps the version that it has."""

from __future__ import annotations

from headrace.components.shared.errors import HeadraceError

#: What a device does about a version that does not work on it.
KEEPS = "This device keeps the version it has, and takes this one only when named."


class UpdateError(HeadraceError):
    """A version cannot be fetched, or must not replace the active one."""

    http_status = 503


class SelfTestError(UpdateError):
    """A version does not predict on this device what it predicted where it was made."""
