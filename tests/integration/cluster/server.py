"""A Kubeflow Pipelines API server in a thread: KFP's models in, KFP's models out.

Requests are read and answers are written with the generated models of ``kfp_server_api``, so that
a field which KFP does not know cannot slip in on either side.
"""

from __future__ import annotations

import email
import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as kfp
import yaml

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


class FakeKfp:
    """The state of the server, for tests to look at and to set."""

    def __init__(self) -> None:
        self.experiments: dict[str, Any] = {}
        self.pipelines: dict[str, Any] = {}
        self.versions: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.logs: dict[str, str] = {}
        self.scripts: dict[str, list[tuple[str, dict[str, str]]]] = {}
        self.faults: list[Fault] = []
        self.requests: list[SimpleNamespace] = []
        self.multi_user = False
        self.token: str | None = None
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> FakeKfp:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def wrap(self, context: Any) -> None:
        """Speaks TLS."""
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def fail(self, path: str, **how: Any) -> None:
        self.faults.append(Fault(path, **how))

    def asked(self, method: str, path: str) -> int:
        """How often a path was asked for."""
        return sum(
            r.method == method and re.search(path, r.path) is not None for r in self.requests
        )

    def add_run(self, name: str, *states: tuple[str, dict[str, str]], spec: Any = None) -> Any:
        """A run that goes through ``states``, one per request: its own and those of its steps."""
        run = kfp.V2beta1Run(
            run_id=str(uuid.uuid4()), display_name=name, created_at=_now(), pipeline_spec=spec
        )
        self.runs[run.run_id] = run
        self.scripts[run.run_id] = list(states) or [("PENDING", {})]
        self._advance(run)
        return run

    # Answers, one method per kind of request.

    def healthz(self, **_: Any) -> Any:
        return kfp.V2beta1GetHealthzResponse(multi_user=self.multi_user)

    def create_experiment(self, body: Any, **_: Any) -> Any:
        body.experiment_id, body.created_at = str(uuid.uuid4()), _now()
        self.experiments[body.experiment_id] = body
        return body

    def list_experiments(self, query: Any, **_: Any) -> Any:
        return _page(kfp.V2beta1ListExperimentsResponse, "experiments", self.experiments, query)

    def create_pipeline(self, body: Any, **_: Any) -> Any:
        if any(p.display_name == body.display_name for p in self.pipelines.values()):
            raise Refusal(409, f"The name {body.display_name} already exists")
        body.pipeline_id, body.created_at = str(uuid.uuid4()), _now()
        self.pipelines[body.pipeline_id] = body
        return body

    def list_pipelines(self, query: Any, **_: Any) -> Any:
        return _page(kfp.V2beta1ListPipelinesResponse, "pipelines", self.pipelines, query)

    def upload_version(self, query: Any, raw: bytes, headers: Any, **_: Any) -> Any:
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + raw).get_payload()
        version = kfp.V2beta1PipelineVersion(
            pipeline_id=query["pipelineid"],
            pipeline_version_id=str(uuid.uuid4()),
            display_name=query["name"],
            pipeline_spec=yaml.safe_load(part.get_payload(decode=True)),
            created_at=_now(),
        )
        _found(self.pipelines, version.pipeline_id)
        self.versions[version.pipeline_version_id] = version
        return version

    def list_versions(self, key: str, query: Any, **_: Any) -> Any:
        own = {k: v for k, v in self.versions.items() if v.pipeline_id == key}
        return _page(kfp.V2beta1ListPipelineVersionsResponse, "pipeline_versions", own, query)

    def create_run(self, body: Any, **_: Any) -> Any:
        _found(self.experiments, body.experiment_id)
        body.run_id, body.created_at, body.state = str(uuid.uuid4()), _now(), "PENDING"
        self.runs[body.run_id] = body
        self.scripts[body.run_id] = self.scripts.pop("next", [("PENDING", {})])
        return body

    def list_runs(self, query: Any, **_: Any) -> Any:
        return _page(kfp.V2beta1ListRunsResponse, "runs", self.runs, query)

    def get_run(self, key: str, **_: Any) -> Any:
        run = _found(self.runs, key)
        self._advance(run)
        return run

    def retry_run(self, key: str, **_: Any) -> None:
        _found(self.runs, key).state = "RUNNING"

    def terminate_run(self, key: str, **_: Any) -> None:
        _found(self.runs, key).state = "CANCELING"

    def create_schedule(self, body: Any, **_: Any) -> Any:
        body.recurring_run_id, body.created_at = str(uuid.uuid4()), _now()
        body.status = "ENABLED" if body.mode == "ENABLE" else "DISABLED"
        self.schedules[body.recurring_run_id] = body
        return body

    def list_schedules(self, query: Any, **_: Any) -> Any:
        return _page(kfp.V2beta1ListRecurringRunsResponse, "recurringRuns", self.schedules, query)

    def get_schedule(self, key: str, **_: Any) -> Any:
        return _found(self.schedules, key)

    def enable_schedule(self, key: str, **_: Any) -> None:
        _found(self.schedules, key).status = "ENABLED"

    def disable_schedule(self, key: str, **_: Any) -> None:
        _found(self.schedules, key).status = "DISABLED"

    def delete_schedule(self, key: str, **_: Any) -> None:
        del self.schedules[_found(self.schedules, key).recurring_run_id]

    def read_log(self, key: str, **_: Any) -> str:
        pod = key.rpartition("/")[2]
        if pod not in self.logs:
            raise Refusal(500, f"pods {pod!r} not found")
        return self.logs[pod]

    def _advance(self, run: Any) -> None:
        script = self.scripts[run.run_id]
        run.state, states = script.pop(0) if len(script) > 1 else script[0]
        ended = run.state in {"SUCCEEDED", "FAILED", "CANCELED"}
        run.finished_at = _now() if ended else datetime.fromtimestamp(0, UTC)
        details = [_detail(name, state, run.run_id) for name, state in states.items()]
        run.run_details = kfp.V2beta1RunDetails(task_details=details)


def _detail(name: str, state: str, run_id: str) -> Any:
    failed = kfp.GoogleRpcStatus(message=f"{name} went wrong") if state == "FAILED" else None
    return kfp.V2beta1PipelineTaskDetail(
        run_id=run_id,
        task_id=f"{name}-id",
        display_name=name,
        state=state,
        start_time=_now(),
        end_time=_now() if state == "SUCCEEDED" else datetime.fromtimestamp(0, UTC),
        error=failed,
        child_tasks=[kfp.PipelineTaskDetailChildTask(pod_name=f"{name}-pod")],
    )


#: Method, path, kind of body, answer.
ROUTES = [
    ("GET", f"{V2}/healthz", None, FakeKfp.healthz),
    ("POST", f"{V2}/experiments", "V2beta1Experiment", FakeKfp.create_experiment),
    ("GET", f"{V2}/experiments", None, FakeKfp.list_experiments),
    ("POST", f"{V2}/pipelines", "V2beta1Pipeline", FakeKfp.create_pipeline),
    ("GET", f"{V2}/pipelines", None, FakeKfp.list_pipelines),
    ("POST", f"{V2}/pipelines/upload_version", None, FakeKfp.upload_version),
    ("GET", f"{V2}/pipelines/(.+)/versions", None, FakeKfp.list_versions),
    ("POST", f"{V2}/runs", "V2beta1Run", FakeKfp.create_run),
    ("GET", f"{V2}/runs", None, FakeKfp.list_runs),
    ("GET", f"{V2}/runs/([^/:]+)", None, FakeKfp.get_run),
    ("POST", f"{V2}/runs/([^/:]+):retry", None, FakeKfp.retry_run),
    ("POST", f"{V2}/runs/([^/:]+):terminate", None, FakeKfp.terminate_run),
    ("POST", f"{V2}/recurringruns", "V2beta1RecurringRun", FakeKfp.create_schedule),
    ("GET", f"{V2}/recurringruns", None, FakeKfp.list_schedules),
    ("GET", f"{V2}/recurringruns/([^/:]+)", None, FakeKfp.get_schedule),
    ("POST", f"{V2}/recurringruns/([^/:]+):enable", None, FakeKfp.enable_schedule),
    ("POST", f"{V2}/recurringruns/([^/:]+):disable", None, FakeKfp.disable_schedule),
    ("DELETE", f"{V2}/recurringruns/([^/:]+)", None, FakeKfp.delete_schedule),
    ("GET", "/apis/v1alpha1/runs/(.+/nodes/.+)/log", None, FakeKfp.read_log),
]


def _handler(server: FakeKfp) -> type[BaseHTTPRequestHandler]:
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


def _answer(server: FakeKfp, request: SimpleNamespace, query: dict[str, str]) -> Any:
    if server.token and request.headers.get("Authorization") != f"Bearer {server.token}":
        raise Refusal(401, f"bad credentials: {request.headers.get('Authorization')}")
    for method, path, model, act in ROUTES:
        match = re.fullmatch(path, request.path)
        if match and method == request.method:
            body = API.deserialize(SimpleNamespace(data=request.raw), model) if model else None
            # By name, so that a test may put another answer in its place.
            return getattr(server, act.__name__)(
                body=body,
                query=query,
                key=match[1] if match.groups() else "",
                raw=request.raw,
                headers=request.headers,
            )
    raise Refusal(404, "Not Found")


def _fault(server: FakeKfp, request: SimpleNamespace) -> Fault | None:
    for fault in server.faults:
        if fault.times and re.search(fault.path, request.path) and fault.method in request.method:
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
    return None


def _found(things: dict[str, Any], key: str) -> Any:
    if key not in things:
        raise Refusal(404, f"{key} not found")
    return things[key]


def _page(answer: Any, name: str, things: dict[str, Any], query: dict[str, str]) -> Any:
    """One page, newest first, filtered by display name as KFP's client asks."""
    items = list(reversed(things.values()))
    for predicate in json.loads(query.get("filter", "{}")).get("predicates", []):
        assert (predicate["operation"], predicate["key"]) == (1, "display_name")
        items = [item for item in items if item.display_name == predicate["stringValue"]]
    if query.get("namespace"):
        items = [i for i in items if getattr(i, "namespace", None) in (None, query["namespace"])]
    start = int(query.get("page_token") or 0)
    end = start + int(query.get("page_size") or 10)
    page = answer(next_page_token=str(end) if end < len(items) else None)
    setattr(page, {v: k for k, v in page.attribute_map.items()}[name], items[start:end] or None)
    return page


def _now() -> datetime:
    return datetime.now(UTC)
