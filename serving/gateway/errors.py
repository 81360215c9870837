"""What can go wrong between a request and its prediction."""

from __future__ import annotations

from headrace.components.shared.errors import HeadraceError


class PredictionError(HeadraceError):
    """A request was understood and got no prediction."""

    http_status = 500


class InvalidRequestError(HeadraceError):
    """The request is not what the model's interface asks for."""

    http_status = 422


class RejectedError(HeadraceError):
    """A feature has no value, and the policy says not to predict then."""

    http_status = 424


class UnauthenticatedError(HeadraceError):
    """No token, or one that nobody has."""

    http_status = 401


class RateLimitedError(HeadraceError):
    """The client asks too often."""

    http_status = 429


class TooLargeError(HeadraceError):
    """The request's body or its number of rows is above the limit."""

    http_status = 413


class UnknownModelError(HeadraceError):
    """The gateway serves no model of that name."""

    http_status = 404


class NotReadyError(HeadraceError):
    """No version of the model can answer now."""

    http_status = 503


class ModelServerError(HeadraceError):
    """The model server does not answer."""

    http_status = 503


class DeadlineError(HeadraceError):
    """The answer took longer than the deadline."""

    http_status = 504


class VersionGoneError(HeadraceError):
    """The model server no longer has the version that was asked for."""

    http_status = 503
