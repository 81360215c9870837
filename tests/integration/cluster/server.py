"""A Kubeflow Pipelines API server in a thread: KFP's models in, KFP's models out.

Requests are read and answers are written with the generated models of ``kfp_server_api``, so that
a field which KFP does not know cannot slip in on either side.
"""

from __future__ import annotations

import email
import json
import re
import threading
import uuid
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import kfp_server_api as kfp
import yaml

from .wire import Fault, Refusal, handler


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
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
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
        return _page(
            kfp.V2beta1ListExperimentsResponse,
            "experiments",
            self.experiments,
            query,
            self.multi_user,
        )

    def create_pipeline(self, body: Any, **_: Any) -> Any:
        if any(p.display_name == body.display_name for p in self.pipelines.values()):
            raise Refusal(409, f"The name {body.display_name} already exists")
        body.pipeline_id, body.created_at = str(uuid.uuid4()), _now()
        self.pipelines[body.pipeline_id] = body
        return body

    def list_pipelines(self, query: Any, **_: Any) -> Any:
        return _page(
            kfp.V2beta1ListPipelinesResponse, "pipelines", self.pipelines, query, self.multi_user
        )

    def upload_version(self, query: Any, raw: bytes, headers: Any, **_: Any) -> Any:
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + raw).get_payload()
        version = kfp.V2beta1PipelineVersion(
            pipeline_id=query["pipelineid"],
            pipeline_version_id=str(uuid.uuid4()),
            display_name=query["name"],
            pipeline_spec=_nested(part.get_payload(decode=True)),
            created_at=_now(),
        )
        _found(self.pipelines, version.pipeline_id)
        self.versions[version.pipeline_version_id] = version
        return version

    def list_versions(self, key: str, query: Any, **_: Any) -> Any:
        own = {k: v for k, v in self.versions.items() if v.pipeline_id == key}
        return _page(
            kfp.V2beta1ListPipelineVersionsResponse,
            "pipeline_versions",
            own,
            query,
            self.multi_user,
        )

    def create_run(self, body: Any, **_: Any) -> Any:
        _found(self.experiments, body.experiment_id)
        body.run_id, body.created_at, body.state = str(uuid.uuid4()), _now(), "PENDING"
        self.runs[body.run_id] = body
        self.scripts[body.run_id] = self.scripts.pop("next", [("PENDING", {})])
        return body

    def list_runs(self, query: Any, **_: Any) -> Any:
        return _page(kfp.V2beta1ListRunsResponse, "runs", self.runs, query, self.multi_user)

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
        return _page(
            kfp.V2beta1ListRecurringRunsResponse,
            "recurringRuns",
            self.schedules,
            query,
            self.multi_user,
        )

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


def _nested(file: bytes) -> dict[str, Any]:
    """A file's documents as a server answers them."""
    spec, *platform = yaml.safe_load_all(file)
    return {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec


def _found(things: dict[str, Any], key: str) -> Any:
    if key not in things:
        raise Refusal(404, f"{key} not found")
    return things[key]


def _page(
    answer: Any, name: str, things: dict[str, Any], query: dict[str, str], multi_user: bool
) -> Any:
    """One page, newest first, filtered as KFP does: without regard to capital letters."""
    items = list(reversed(things.values()))
    for predicate in json.loads(query.get("filter", "{}")).get("predicates", []):
        assert (predicate["operation"], predicate["key"]) == (1, "display_name")
        wanted = predicate["stringValue"].lower()
        items = [item for item in items if item.display_name.lower() == wanted]
    if query.get("namespace") and not multi_user:
        raise Refusal(400, "In single-user mode, the list cannot filter by namespace.")
    if query.get("namespace"):
        items = [i for i in items if getattr(i, "namespace", None) in (None, query["namespace"])]
    start = int(query.get("page_token") or 0)
    end = start + int(query.get("page_size") or 10)
    page = answer(next_page_token=str(end) if end < len(items) else None)
    setattr(page, {v: k for k, v in page.attribute_map.items()}[name], items[start:end] or None)
    return page


def _now() -> datetime:
    return datetime.now(UTC)
