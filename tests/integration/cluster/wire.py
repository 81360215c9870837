"""The HTTP side of the server: requests to KFP's models, KFP's models to answers, and faults."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as kfp

V2 = "/apis/v2beta1"
API = kfp.ApiClient()


@dataclass
class Fault:
    """What the server does instead of answering."""

    path: str
    method: str = ""
    #: How many requests are answered well before.
    skip: int = 0
    times: int = 1
    status: int = 500
    body: str = '{"error": "broken", "code": 13, "message": "broken"}'
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0
    drop: bool = False
    #: Does the work first, and then answers badly.
    after: bool = False


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


#: Method, path, kind of body, the server's method that answers.
ROUTES = [
    ("GET", f"{V2}/healthz", None, "healthz"),
    ("POST", f"{V2}/experiments", "V2beta1Experiment", "create_experiment"),
    ("GET", f"{V2}/experiments", None, "list_experiments"),
    ("POST", f"{V2}/pipelines", "V2beta1Pipeline", "create_pipeline"),
    ("GET", f"{V2}/pipelines", None, "list_pipelines"),
    ("POST", f"{V2}/pipelines/upload_version", None, "upload_version"),
    ("GET", f"{V2}/pipelines/(.+)/versions", None, "list_versions"),
    ("POST", f"{V2}/runs", "V2beta1Run", "create_run"),
    ("GET", f"{V2}/runs", None, "list_runs"),
    ("GET", f"{V2}/runs/([^/:]+)", None, "get_run"),
    ("POST", f"{V2}/runs/([^/:]+):retry", None, "retry_run"),
    ("POST", f"{V2}/runs/([^/:]+):terminate", None, "terminate_run"),
    ("POST", f"{V2}/recurringruns", "V2beta1RecurringRun", "create_schedule"),
    ("GET", f"{V2}/recurringruns", None, "list_schedules"),
    ("GET", f"{V2}/recurringruns/([^/:]+)", None, "get_schedule"),
    ("POST", f"{V2}/recurringruns/([^/:]+):enable", None, "enable_schedule"),
    ("POST", f"{V2}/recurringruns/([^/:]+):disable", None, "disable_schedule"),
    ("DELETE", f"{V2}/recurringruns/([^/:]+)", None, "delete_schedule"),
    ("GET", "/apis/v1alpha1/runs/(.+/nodes/.+)/log", None, "read_log"),
]


def handler(server: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            request = SimpleNamespace(
                method=self.command, path=url.path, headers=self.headers, raw=raw
            )
            with server.lock:
                server.requests.append(request)
                fault = _fault(server, request)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            if fault and not fault.after:
                return self.misbehave(fault)
            try:
                with server.lock:
                    answer = _answer(server, request, query)
            except Refusal as refusal:
                message = {"error": refusal.message, "message": refusal.message}
                return self.reply(refusal.status, json.dumps(message))
            if fault:
                return self.misbehave(fault)
            if isinstance(answer, str):
                return self.reply(200, answer, "text/plain")
            return self.reply(200, json.dumps(API.sanitize_for_serialization(answer) or {}))

        do_GET = do_POST = do_DELETE = handle_any

        def misbehave(self, fault: Fault) -> None:
            time.sleep(fault.hang)
            if fault.drop:
                self.close_connection = True
                return
            # Whoever asked may have gone meanwhile.
            with contextlib.suppress(ConnectionError):
                self.reply(fault.status, fault.body, fault.content_type, fault.headers)

        def reply(
            self, status: int, text: str, kind: str = "application/json", headers: Any = ()
        ) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _answer(server: Any, request: SimpleNamespace, query: dict[str, str]) -> Any:
    if server.token and request.headers.get("Authorization") != f"Bearer {server.token}":
        raise Refusal(401, f"bad credentials: {request.headers.get('Authorization')}")
    for method, path, model, act in ROUTES:
        match = re.fullmatch(path, request.path)
        if match and method == request.method:
            body = _parsed(request.raw, model) if model else None
            return getattr(server, act)(
                body=body,
                query=query,
                key=match[1] if match.groups() else "",
                raw=request.raw,
                headers=request.headers,
            )
    raise Refusal(404, "Not Found")


def _parsed(raw: bytes, model: str) -> Any:
    """The body as KFP's model; what the model does not know, a server refuses."""
    unknown = set(json.loads(raw)) - set(getattr(kfp, model).attribute_map.values())
    if unknown:
        raise Refusal(400, f"unknown fields {sorted(unknown)}")
    return API.deserialize(SimpleNamespace(data=raw), model)


def _fault(server: Any, request: SimpleNamespace) -> Fault | None:
    for fault in server.faults:
        if fault.times and re.search(fault.path, request.path) and fault.method in request.method:
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
    return None
