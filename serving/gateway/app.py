"""The gateway over HTTP."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from headrace import __version__
from headrace.components.shared.errors import HeadraceError
from headrace.serving.gateway import openapi
from headrace.serving.gateway.answers import render_error
from headrace.serving.gateway.errors import PredictionError, TooLargeError
from headrace.serving.gateway.gateway import Gateway

#: One line per request, for those who want it.
_ACCESS = logging.getLogger("headrace.access")
_LOGGER = logging.getLogger(__name__)
_ID_LENGTH = 128
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def make_app(gateway: Gateway, *, alone: bool = False) -> FastAPI:
    """The application.

    Args:
        gateway: What answers.
        alone: Whether the process does nothing else, so that it may be tuned for short pauses.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with gateway.running():
            if alone:
                _shorten_pauses()
            yield

    app = FastAPI(
        title="Headrace gateway",
        description="From entity keys to predictions.",
        version=__version__,
        lifespan=lifespan,
    )
    if origins := gateway.config.cors.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        )
    predictions = Route("/v1/predict/{model}", _Predictions(gateway), methods=["POST"])
    app.router.routes.insert(0, predictions)
    _add_operations(app, gateway)
    app.openapi = lambda: openapi.describe(app, gateway)  # type: ignore[method-assign]
    return app


def _shorten_pauses() -> None:
    """Keeps what is slow in one request out of the others' time."""
    # Libraries fill the heap with objects that stay: looking through them for garbage would stop
    # every request for a tenth of a second now and then.
    gc.collect()
    gc.freeze()
    # The thread that writes the prediction log hands the interpreter back sooner.
    sys.setswitchinterval(0.0005)


class _Predictions:
    """Answers ``POST /v1/predict/<model>``.

    An application of its own: what FastAPI does around a function takes longer than the features.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        gateway, start = self._gateway, time.perf_counter()
        model: str = request.path_params["model"]
        request_id = _request_id(request)
        client, error = "", None
        try:
            address = request.client.host if request.client else ""
            client = gateway.guard.admit(request.headers.get("authorization"), address)
            body = await _body(request, gateway.config.limits.body_bytes)
            content = await gateway.predict(model, body, request_id=request_id, client=client)
            status = 200
        except HeadraceError as failure:
            error = failure
        except Exception as failure:
            _LOGGER.exception("a request failed", extra={"http.request.id": request_id})
            error = PredictionError(
                f"The gateway failed: {type(failure).__name__}.",
                fix="Its log has more under this request id.",
            )
        if error is not None:
            status, content = error.http_status, render_error(request_id, error)
        seconds = time.perf_counter() - start
        gateway.metrics.request(model if model in gateway.models else "", status, seconds)
        _log_access(request, request_id, client, status, seconds, error)
        headers = {"x-request-id": request_id}
        if status == 401:
            headers["www-authenticate"] = "Bearer"
        return Response(content, status, headers, "application/json")


def _add_operations(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/v1/models", tags=["models"])
    async def models() -> dict[str, Any]:
        """The models, the version of each that answers now, and what went wrong last."""
        return {"models": [_about(gateway, name) for name in gateway.models]}

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    async def readyz(response: Response) -> dict[str, Any]:
        """Every model can answer now."""
        about = [_about(gateway, name) for name in gateway.models]
        ready = all(item["version"] is not None and not item["trouble"] for item in about)
        response.status_code = 200 if ready else 503
        return {"status": "ready" if ready else "not ready", "models": about}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(gateway.metrics_text(), media_type=_PROMETHEUS)


def _about(gateway: Gateway, name: str) -> dict[str, Any]:
    versions = gateway.models[name]
    contract = versions.answering
    service = contract.service if contract else None
    return {
        "name": name,
        "version": contract.version if contract else None,
        "feature_service": service.name if service else None,
        "definitions_changed": contract.changed if contract else None,
        "trouble": versions.trouble.message if versions.trouble else None,
    }


def _request_id(request: Request) -> str:
    """The caller's id when it has a usable one, else a new one."""
    given = request.headers.get("x-request-id", "")
    usable = 0 < len(given) <= _ID_LENGTH and given.isascii() and given.isprintable()
    return given if usable else uuid.uuid4().hex


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise TooLargeError(
                f"The request's body has more than {limit:,} bytes.",
                fix="Send several requests, or raise limits.body_bytes in gateway.yaml.",
            )
    return bytes(body)


def _log_access(
    request: Request,
    request_id: str,
    client: str,
    status: int,
    seconds: float,
    error: HeadraceError | None,
) -> None:
    level = logging.INFO if error is None else logging.WARNING
    if not _ACCESS.isEnabledFor(level):
        return
    _ACCESS.log(
        level,
        error.message if error else "answered",
        extra={
            "event.dataset": "headrace.access",
            "event.duration": round(seconds * 1e9),
            "event.outcome": "failure" if error else "success",
            "http.request.id": request_id,
            "http.request.method": request.method,
            "http.response.status_code": status,
            "url.path": request.url.path,
            "client.address": request.client.host if request.client else "",
            "user.name": client,
        },
    )


def serve(gateway: Gateway, *, host: str, port: int) -> None:
    """Serves until it is interrupted.

    Args:
        gateway: What answers.
        host: Where to listen.
        port: Where to listen.
    """
    import uvicorn

    app = make_app(gateway, alone=True)
    uvicorn.run(app, host=host, port=port, access_log=False, log_config=None)
